"""A run as far as it is known: each resource's row, what was said, what policies found."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.engine import events
from infra.engine.display.display_words import WORDS
from infra.engine.display.event_json import plain_text
from infra.engine.events import Op, Severity
from infra.engine.resource import urn as urns

if TYPE_CHECKING:
    from infra.engine.events import Event, StepMetadata
    from infra.engine.resource.values import Properties

_PARTS: Final = frozenset({Op.CREATE_REPLACEMENT, Op.REPLACE, Op.DELETE_REPLACED})
"""Steps that are one replacement to people."""
_COUNTED: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "message"}
_NOTED: Final = 1.0
"""Seconds from which on it is worth saying how long a step took."""


@dataclass(slots=True)
class Row:
    """One resource: what is done to it, and how far that is.

    Attributes:
        step: the step that says most of it, as it was at its start: then it knows what is wanted.
        running: operations under way.
        failed: whether one failed.
        note: what its provider says of its progress.
    """

    step: StepMetadata
    running: set[Op] = field(default_factory=set)
    failed: bool = False
    began: float = 0
    ended: float = 0
    note: str = ""

    @property
    def op(self) -> Op:
        """The operation as people see it."""
        return Op.REPLACE if self.step.op in _PARTS else self.step.op

    @property
    def changes(self) -> bool:
        """Whether anything is done to it."""
        return self.op is not Op.SAME or self.failed

    def status(self, *, planning: bool, over: bool = False) -> str:
        """Return the status text of a resource.

        Args:
            planning: it is only planned.
            over: the run is at its end.
        """
        words = WORDS[self.op]
        if not self.changes:
            return ""
        if self.failed:
            return f"{words.doing} failed"
        if planning:
            return words.plan
        waits = self.running and not (over and not self.custom)
        seconds = (time.monotonic() if waits else self.ended or self.began) - self.began
        took = f" ({seconds:.0f}s)" if seconds >= _NOTED else ""
        if waits and over:
            return f"{words.doing}, outcome not known"
        return f"{words.doing if waits else words.done}{took}"

    @property
    def custom(self) -> bool:
        """Whether a provider works on it (a component only waits for its outputs)."""
        state = self.step.new or self.step.old
        return state is not None and state.custom

    @property
    def parent(self) -> str:
        """The URN of its parent."""
        state = self.step.new or self.step.old
        return state.parent if state is not None else ""


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count > 1)}" if count else ""


@dataclass(slots=True)
class Progress:
    """The run.

    Attributes:
        rows: by URN, in the order in which they came.
        working: those on which something is under way.
        done: those to which something was done.
        diagnostics: by URN; those of no resource are the stack's.
        policies: what they found, in order.
        loaded: packs by name and folder, and their versions, once that is known.
        outputs: the stack's before and after, as far as it was seen.
    """

    planning: bool = False
    rows: dict[str, Row] = field(default_factory=dict)
    working: dict[str, Row] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    diagnostics: dict[str, list[events.DiagnosticEvent]] = field(default_factory=lambda: defaultdict(list))
    policies: list[events.PolicyEvent] = field(default_factory=list)
    remediations: Counter[tuple[str, str]] = field(default_factory=Counter)
    summary: events.SummaryEvent | None = None
    outputs: tuple[Properties, Properties] | None = None
    root: str = ""

    def take(self, event: Event) -> bool:
        """Note an event; whether it tells people anything new."""
        step = getattr(event, "metadata", None)
        if step is not None and urns.is_default_provider(step.urn):
            return False
        match event:
            case events.ResourcePreEvent():
                self.planning = event.planning
                self._start(event.metadata)
            case events.ResOutputsEvent():
                return self._end(event.metadata, failed=False)
            case events.ResOpFailedEvent():
                return self._end(event.metadata, failed=True)
            case events.DiagnosticEvent() if event.severity is not Severity.DEBUG:
                self._said(event)
            case events.PolicyEvent():
                self.policies.append(event)
            case events.PolicyRemediationEvent():
                self.remediations[event.policy_pack_name, event.policy_name] += 1
            case events.SummaryEvent():
                self.summary = event
            case _:
                pass
        return True

    def _start(self, step: StepMetadata) -> None:
        row = self.rows.get(step.urn)
        if row is None:
            row = self.rows[step.urn] = Row(step, began=time.monotonic())
        elif step.op not in _PARTS or row.step.op not in (Op.REPLACE, Op.CREATE_REPLACEMENT):
            row.step = step
        row.running.add(step.op)
        self.working[step.urn] = row
        if step.type == urns.STACK_TYPE:
            before = step.old.outputs if step.old else {}
            self.root, self.outputs = step.urn, (before, before)

    def _end(self, step: StepMetadata, *, failed: bool) -> bool:
        if step.type == urns.STACK_TYPE and step.new is not None:
            self.outputs = (self.outputs[0] if self.outputs else {}, step.new.outputs)
        row = self.rows.get(step.urn)
        if row is None or not row.running & {step.op, Op.REFRESH}:
            return False  # the outputs of a component, which was told of before
        if row.step.op is Op.REFRESH:
            row.step = step  # a refresh is what it found
        row.running -= {step.op, Op.REFRESH}
        row.failed, row.ended, row.note = row.failed or failed, time.monotonic(), ""
        if not row.running:
            self.working.pop(step.urn, None)
            if row.changes:
                self.done.add(step.urn)
        return True

    def _said(self, event: events.DiagnosticEvent) -> None:
        if not event.ephemeral:
            self.diagnostics[event.urn].append(event)
        elif row := self.rows.get(event.urn or self.root):
            row.note = plain_text(event.message).strip()

    def remarks(self, urn: str) -> str:
        """How much was said of a resource, and what its provider says of its progress."""
        said = [*self.diagnostics.get(urn, ()), *(self.diagnostics.get("", ()) if urn == self.root else ())]
        counts = Counter(Severity.INFO if one.severity is Severity.INFO_ERR else one.severity for one in said)
        words = [_many(counts[severity], word) for severity, word in _COUNTED.items()]
        violated = sum(one.resource_urn == urn for one in self.policies)
        row = self.rows.get(urn)
        note = row.note if row is not None else ""
        return "; ".join(filter(None, [*words, _many(violated, "policy violation"), note]))

    def changing(self) -> list[str]:
        """Return the names of the resources that are being changed now."""
        return [urn for urn, row in list(self.working.items()) if row.changes]
