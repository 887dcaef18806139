"""The display of a terminal: the tree of resources, live while it runs and whole at its end.

A line is a sign, the type at its place in the tree, the name, what is done, and what there is to know of it.
Resources under one parent that change alike share a line.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from infra.engine import events
from infra.engine.display.differences import brief, differences
from infra.engine.display.display_words import HEADINGS, WORDS
from infra.engine.display.event_json import plain_text
from infra.engine.display.line_display import Display
from infra.engine.resource import urn as urns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from infra.engine.events import Event
    from infra.engine.options import Result

ALIKE = 5
"""From so many resources on, those that change alike share a line."""
NAMES_SHOWN = 3
REFRESHES = 8  # a second
_OTHER_LINES = 4  # of the screen, beside the live tree
_MARGIN = 9  # the sign before the columns, and the blanks between them
_LEAST_NAME = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree; `detail` lines stand below it."""

    sign: str
    branch: str
    name: str
    status: str
    info: str
    style: str
    detail: tuple[str, ...] = ()
    indent: str = ""


class TreeDisplay(Display):
    """As `Display`, on a terminal."""

    def start(self) -> None:
        """Print the heading and begin the live part."""
        self.console = Console(file=self.out, highlight=False)
        self.began = time.monotonic()
        self.console.print(Text(f"{HEADINGS[self.operation][0]} ({self.stack}):", style="bold"))
        self.live = Live(
            console=self.console, get_renderable=self._under_way, refresh_per_second=REFRESHES, transient=True
        )
        self.live.start()

    def line(self, text: str) -> None:
        """Print lines above the live part; headings and signs are colored."""
        for line in text.split("\n"):
            self.console.print(_color_line(line), soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Take an event; the live part shows it at its next refresh."""
        self.progress.take(event)
        if isinstance(event, events.StdoutEvent):
            self.line(plain_text(event.message).rstrip())

    def abort(self) -> None:
        """Give the terminal back; an error is about to be printed."""
        self.live.stop()

    def close(self, result: Result) -> None:
        """End the live part, print the tree of what changed, and say how it ended."""
        self.live.stop()

        told = {event.resource_urn for event in self.progress.policies} | self.progress.diagnostics.keys()
        told |= {self.progress.root} if "" in told else set()
        rows = self.progress.rows
        shown = [urn for urn, row in rows.items() if row.changes or self.show_same or urn in told]
        if lines := self._lines(shown, alike=ALIKE, over=True):
            heading = Line("", "Type", "Name", "Plan" if self.progress.planning else "Status", "Info", "bold")
            for text in _render_lines([heading, *lines], self.console.width):
                self.console.print(text, no_wrap=True, overflow="ellipsis")
        self.console.print()
        super().close(result)

    def _under_way(self) -> Group:
        """The part of the tree where work is done, as much as there is room for."""
        room = max(self.console.size.height - _OTHER_LINES, 4)
        progress = self.progress
        changing = progress.changing()
        lines = self._lines(changing[:room], alike=room + 1, over=False)[:room]
        done, working = len(progress.done), len(changing)
        same = len(progress.rows) - len(progress.done) - len(progress.working)
        seconds = time.monotonic() - self.began
        counts = f" {done} done, {max(same, 0)} unchanged, {working} under way, {seconds:.0f} s"
        return Group(*_render_lines(lines, self.console.width), Spinner("dots", Text(counts, style="dim")))

    # The tree

    def _lines(self, shown: Iterable[str], *, alike: int, over: bool) -> list[Line]:
        """The lines of some resources, with their parents."""
        rows = self.progress.rows
        kept: dict[str, None] = {}
        for urn in shown:
            way = [urn]
            while (parent := rows[way[-1]].parent if way[-1] in rows else "") and parent not in kept:
                way.append(parent)
            kept |= dict.fromkeys(reversed(way))
        children: dict[str, list[str]] = {}
        for urn in kept:
            parent = rows[urn].parent if urn in rows else ""
            children.setdefault(parent if parent in kept else "", []).append(urn)

        def below(parent: str, indent: str) -> Iterator[Line]:
            groups = list(self._grouped(children.get(parent, []), children, alike, over=over))
            for number, (urns_, line) in enumerate(groups):
                last = number == len(groups) - 1
                root = not parent
                branch = "" if root else f"{indent}{'└─ ' if last else '├─ '}"
                inner = "" if root else f"{indent}{'   ' if last else '│  '}"
                has_children = any(urn in children for urn in urns_)
                indent_below = inner + ("│  " if has_children else "   ")
                yield replace(line, branch=branch + line.branch, indent=indent_below)
                for urn in urns_:
                    yield from below(urn, inner)

        return list(below("", ""))

    def _grouped(
        self, siblings: Sequence[str], children: dict[str, list[str]], alike: int, *, over: bool
    ) -> Iterator[tuple[list[str], Line]]:
        """The lines of siblings, those that are alike together, where the first of them stands."""
        groups: dict[object, list[str]] = {}
        lines: dict[str, Line] = {}
        for urn in siblings:
            line = lines[urn] = self._line(urn, over=over)
            same = (line.sign, line.branch, line.status, line.info, line.detail)
            groups.setdefault(urn if urn in children else same, []).append(urn)
        for urns_ in groups.values():
            if len(urns_) < alike:
                yield from (([urn], lines[urn]) for urn in urns_)
                continue
            names = sorted((lines[urn].name for urn in urns_), key=_natural)
            first = lines[urns_[0]]
            name = f"{', '.join(names[: NAMES_SHOWN - 1])}, … {names[-1]} ({len(names)})"
            yield (
                urns_,
                Line(first.sign, first.branch, name, first.status, first.info, first.style, first.detail),
            )

    def _line(self, urn: str, *, over: bool) -> Line:
        type_, name = urns.type_of(urn), urns.name_of(urn)
        row = self.progress.rows.get(urn)
        if row is None:
            return Line("", type_, name, "", "", "dim")
        words = WORDS[row.op]
        info = " ".join(filter(None, [brief(row.step), self.progress.remarks(urn)]))
        return Line(
            words.sign if row.changes else "", type_, name,
            row.status(planning=self.progress.planning, over=over), info,
            "bold red" if row.failed else words.color or "dim",
            differences(row.step) if over and self.show_differences else (),
        )  # fmt: skip


def _natural(name: str) -> list[tuple[int, str]]:
    """By numbers where there are numbers: tray-2 before tray-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _render_lines(lines: Sequence[Line], room: int) -> list[Text]:
    """The lines in columns; names are cut where there is not room enough for what is done."""
    widths = [
        max((cell_len(column) for column in columns), default=0)
        for columns in zip(*((line.branch, line.name, line.status) for line in lines), strict=True)
    ]
    if widths:
        widths[1] = min(widths[1], max(room - widths[0] - widths[2] - _MARGIN, _LEAST_NAME))
    out = []
    for line in lines:
        text = Text(f" {line.sign:<2}  ", style=line.style, no_wrap=True, overflow="ellipsis")
        for column, width in zip((line.branch, line.name, line.status), widths, strict=True):
            style = line.style if column is line.status or line.style in ("dim", "bold") else "default"
            fitted = column if cell_len(column) <= width else f"{set_cell_size(column, width - 1)}…"
            text.append(set_cell_size(fitted, width + 2), style=style)
        text.append(line.info, style="default").rstrip()
        out.append(text)
        below = Text(f"     {line.indent}")
        out += [below + _color_line(detail) for detail in line.detail]
    return out


_STYLES = {"+ ": "green", "- ": "red", "~ ": "yellow"}


def _color_line(line: str) -> Text:
    """A line of the summary with the color of its sign."""
    bare = line.lstrip()
    if line and not line[0].isspace() and line.endswith(":"):
        return Text(line, style="bold")
    for word, style in (("error: ", "bold red"), ("warning: ", "bold yellow")):
        if bare.startswith(word):
            return Text(line[: len(line) - len(bare)]).append(word, style=style).append(bare[len(word) :])
    return Text(line, style=_STYLES.get(bare[:2], ""))
