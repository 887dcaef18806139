"""The display of everything that is no terminal: lines as things happen, and the closing summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from infra.engine import events
from infra.engine.display.differences import brief, diff_maps, differences
from infra.engine.display.display_words import HEADINGS, WORDS, closing_message, count_lines
from infra.engine.display.event_json import plain_text
from infra.engine.display.progress import Progress
from infra.engine.events import Op, Severity
from infra.engine.options import Operation
from infra.engine.resource import urn as urns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.engine.events import Event, StepMetadata
    from infra.engine.options import Result


class Display:
    """Lines as things happen. It is a function of events; `close` says how it all ended.

    Args:
        operation: what runs.
        stack: the stack's name, for the heading.
        out: where to write.
        show_differences: print property differences at each change (`--diff`).
        show_same: print unchanged resources too.
    """

    def __init__(
        self, operation: Operation, stack: str, out: TextIO, *,
        show_differences: bool = False, show_same: bool = False,
    ) -> None:  # fmt: skip
        self.operation, self.stack, self.out = operation, stack, out
        self.show_differences, self.show_same = show_differences, show_same
        self.progress = Progress(planning=operation is Operation.PREVIEW)
        self.start()

    def start(self) -> None:
        """Print the heading."""
        self.line(f"{HEADINGS[self.operation][0]} ({self.stack}):")

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self.out, flush=True)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if not self.progress.take(event):
            return
        match event:
            case events.ResourcePreEvent() if not event.planning and self._worth(event.metadata):
                self._step(event.metadata, WORDS[event.metadata.op].doing, differences_too=True)
            case events.ResOutputsEvent() if self._worth(event.metadata):
                words = WORDS[event.metadata.op]
                word = words.plan if event.planning else words.done
                self._step(event.metadata, word, differences_too=event.planning)
            case events.ResOpFailedEvent():
                self._step(event.metadata, f"{WORDS[event.metadata.op].doing} failed", differences_too=False)
            case events.DiagnosticEvent() if event.ephemeral or event.severity is Severity.INFO_ERR:
                self.line(f"    {plain_text(event.message).rstrip()}")
            case events.StdoutEvent():
                self.line(plain_text(event.message).rstrip())
            case _:
                pass

    def _worth(self, step: StepMetadata) -> bool:
        return step.op is not Op.SAME or self.show_same

    def _step(self, step: StepMetadata, word: str, *, differences_too: bool) -> None:
        show = differences_too and self.show_differences
        words = [f" {WORDS[step.op].sign} {step.type} {urns.name_of(step.urn)} {word}"]
        words += [said] if not show and (said := brief(step)) else []
        self.line(" ".join(words))
        for line in differences(step) if show else ():
            self.line(f"        {line}")

    def abort(self) -> None:
        """Give the terminal back; an error is about to be printed."""

    def close(self, result: Result) -> None:
        """Say how it ended: what policies found, what was said, outputs, counts."""
        summary = self.progress.summary
        planned = summary.is_preview if summary else self.progress.planning
        changes = count_lines(result.changes, planned=planned)
        for heading, lines in {
            "Policies:": list(policy_lines(self.progress)),
            "Diagnostics:": list(diagnostic_lines(self.progress)),
            "Outputs:": list(self._output_lines(result, planned=planned)),
            "Resources:": [f"    {line}" for line in changes or ["no changes"]],
        }.items():
            if lines:
                self.line("\n".join([heading, *lines, ""]))
        if summary and not planned:
            self.line(f"Duration: {summary.duration_seconds}s")
        if message := closing_message(self.operation, result):
            self.line(message)

    def _output_lines(self, result: Result, *, planned: bool) -> Iterator[str]:
        """The stack's outputs; of a plan, those that change."""
        if self.operation in (Operation.DESTROY, Operation.IMPORT):
            return
        before, after = self.progress.outputs or (result.outputs, result.outputs)
        found = diff_maps(before, after if planned else result.outputs)
        width = max(map(len, found), default=0)
        for name, (sign, text) in found.items():
            if sign != " " or not planned:
                yield f"  {sign} {name:<{width}}: {text}"


def policy_lines(progress: Progress) -> Iterator[str]:
    """Format the results of policies, by pack, as the CLI does."""
    for shown, version in (progress.summary.policy_packs if progress.summary else {}).items():
        name, _, folder = shown.split("|", 2)
        found = [one for one in progress.policies if one.policy_pack_name == name]
        levels = {one.enforcement_level for one in found}
        sign = "❌" if "mandatory" in levels else "⚠️" if levels else "✅"
        yield f"    {sign} {name}@v{version.removeprefix('v')} (local: {folder})"
        for (pack, policy), count in sorted(progress.remediations.items()):
            if pack == name:
                yield f"        - [remediate]  {policy}  ({count} resource{'s' * (count > 1)})"
        for one in sorted(found, key=lambda one: (one.enforcement_level != "mandatory", one.policy_name)):
            urn = one.resource_urn
            where = f"  ({urns.type_of(urn)}: {urns.name_of(urn)})" if urn else ""
            yield f"        - [{one.enforcement_level}]  {one.policy_name}{where}"
            yield from (f"          {line}" for line in plain_text(one.message).strip().splitlines())


def diagnostic_lines(progress: Progress) -> Iterator[str]:
    """All that was said, by resource; what is of none is told of the stack."""
    by_urn: dict[str, list[events.DiagnosticEvent]] = {}
    for urn, said in progress.diagnostics.items():
        by_urn.setdefault(urn or progress.root, []).extend(said)
    for urn, said in by_urn.items():
        yield f"  {urns.type_of(urn)} ({urns.name_of(urn)}):" if urn else "  the run:"
        for one in said:
            prefix = "" if one.severity in (Severity.INFO, Severity.INFO_ERR) else f"{one.severity}: "
            text = plain_text(one.prefix + one.message).rstrip().replace("\n", "\n    ")
            yield f"    {prefix}{text}"
