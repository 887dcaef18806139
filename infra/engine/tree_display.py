"""The live display of a terminal: what is under way while it runs, at the end the tree of what changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from infra.engine import events
from infra.engine import urn as urns
from infra.engine.display import HEADINGS, WORDS, Display, differences, names_of
from infra.engine.event_json import plain_text
from infra.engine.events import Op, Severity

if TYPE_CHECKING:
    from infra.engine import Result
    from infra.engine.events import Event, StepMetadata

ROWS = 12  # operations under way that are shown at once
TREE_LIMIT = 200  # with more changes than this, equal ones are shown together instead of a tree


class TreeDisplay(Display):
    """As `Display`, on a terminal."""

    def start(self) -> None:
        """Print the heading and begin the live part."""
        self.console = Console(file=self.out, highlight=False)
        self.started: dict[tuple[str, Op], float] = {}
        self.parents: dict[str, str] = {}
        self.console.print(Text(f"{HEADINGS[self.operation][0]} ({self.stack}):", style="bold"))
        self.live = Live(
            console=self.console, get_renderable=self._under_way, refresh_per_second=8, transient=True
        )
        self.live.start()

    def line(self, text: str) -> None:
        """Print one line above the live part."""
        self.console.print(Text(text))

    def __call__(self, event: Event) -> None:
        """Take an event; the live part shows it at its next refresh."""
        if not self.progress.take(event):
            return
        match event:
            case events.ResourcePreEvent():
                step = event.metadata
                self.started[step.urn, step.op] = time.monotonic()
                state = step.new or step.old
                self.parents[step.urn] = state.parent if state else ""
            case events.ResOpFailedEvent():
                step = event.metadata
                self.console.print(self._row(step, f"{WORDS[step.op].doing} failed", style="bold red"))
            case events.DiagnosticEvent() if event.severity is Severity.INFO_ERR and not event.ephemeral:
                self.console.print(Text(plain_text(event.message).rstrip(), style="dim"))
            case events.StdoutEvent():
                self.line(plain_text(event.message).rstrip())
            case _:
                pass

    def _under_way(self) -> Group:
        progress = self.progress
        running = [step for step in list(progress.running.values()) if step.op is not Op.SAME]
        rows: list[Any] = []
        for step in running[:ROWS]:
            seconds = time.monotonic() - self.started.get((step.urn, step.op), time.monotonic())
            words = WORDS[step.op]
            rows.append(
                self._row(step, f"{words.plan if progress.planning else words.doing} {seconds:.0f} s")
            )
        if len(running) > ROWS:
            rows.append(Text(f"    and {len(running) - ROWS} more", style="dim"))
        done = f" {len(progress.done)} done, {progress.same} unchanged, {len(running)} under way"
        return Group(*rows, Spinner("dots", Text(done, style="dim")))

    @staticmethod
    def _row(step: StepMetadata, word: str, *, style: str = "") -> Text:
        words = WORDS[step.op]
        text = f" {words.sign} {step.type} {urns.name_of(step.urn)}  {word}"
        return Text(text, style=style or words.color)

    def abort(self) -> None:
        """Give the terminal back; an error is about to be printed."""
        self.live.stop()

    def close(self, result: Result) -> None:
        """End the live part, print the changes, and say how it ended."""
        self.live.stop()
        if self.progress.done:
            self.console.print(self._grouped() if len(self.progress.done) > TREE_LIMIT else self._tree())
        super().close(result)

    def _tree(self) -> Tree:
        """The changed resources under their parents (which are shown dim where they did not change)."""
        root = Tree(Text(self.stack, style="bold"))
        nodes: dict[str, Tree] = {"": root}
        changed: dict[str, list[tuple[StepMetadata, bool]]] = {}
        for step, failed in self.progress.done:
            changed.setdefault(step.urn, []).append((step, failed))

        def node(urn: str) -> Tree:
            if urn not in nodes:
                if urns.type_of(urn) == urns.STACK_TYPE and urn not in changed:
                    nodes[urn] = root
                else:
                    label = self._label(urn, changed.get(urn, []))
                    nodes[urn] = node(self.parents.get(urn, "")).add(label)
            return nodes[urn]

        for urn, entries in changed.items():
            place = node(urn)
            for step, _ in entries:
                self._add_differences(place, step)
        return root

    def _label(self, urn: str, entries: list[tuple[StepMetadata, bool]]) -> Text:
        if not entries:
            return Text(f"{urns.type_of(urn)} {urns.name_of(urn)}", style="dim")
        label = Text()
        for step, failed in entries:
            words = WORDS[step.op]
            word = "failed" if failed else words.plan if self.progress.planning else words.done
            label.append(f"{words.sign}{word} ", style="bold red" if failed else words.color)
        return label.append(f"{urns.type_of(urn)} {urns.name_of(urn)}")

    def _grouped(self) -> Group:
        """Changes that are equal but for the name, once with all their names."""
        trees = []
        for step, names, failed, found in self.progress.groups():
            words = WORDS[step.op]
            word = "failed" if failed else words.plan if self.progress.planning else words.done
            label = Text(f"{words.sign}{word} ", style="bold red" if failed else words.color)
            tree = Tree(label.append(f"{step.type} {names_of(names)}", style="default"))
            for line in found if self.show_differences else ():
                tree.add(Text(line, style="dim"))
            trees.append(tree)
        return Group(*trees)

    def _add_differences(self, place: Tree, step: StepMetadata) -> None:
        found = differences(step)
        if self.show_differences:
            for line in found:
                place.add(Text(line, style="dim"))
        elif found and step.op is Op.UPDATE:
            names = ", ".join(line.split(":")[0].replace(" ", "") for line in found)
            place.add(Text(names, style="dim"))
