"""Tells the display about steps, and counts them: which of the CLI's events each one makes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from infra.engine.deploy.refresh_step import RefreshStep
from infra.engine.deploy.step import Status
from infra.engine.events import (
    DiagnosticEvent,
    Op,
    ResOpFailedEvent,
    ResourcePreEvent,
    ResOutputsEvent,
    Severity,
    StepMetadata,
)
from infra.engine.resource import urn as urns
from infra.engine.resource import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.deploy.step import Applied, Step
    from infra.engine.events import Event


class Reporter:
    """Reports.

    Args:
        emit: takes the events.
        preview: whether the run only plans.
        refresh: whether it reads everything first.
        only: whether it does nothing else, so that what it finds counts.

    Attributes:
        changes: steps by operation.
        maybe_corrupt: a failed step may have left something that the state does not know.
    """

    def __init__(self, emit: Callable[[Event], None], *, preview: bool, refresh: bool, only: bool) -> None:
        self._emit, self._preview, self._refresh, self._only = emit, preview, refresh, only
        self.changes: Counter[Op] = Counter()
        self.maybe_corrupt = False

    def started(self, step: Step) -> None:
        """A step starts."""
        self._emit(ResourcePreEvent(_metadata(step, step.op), self._preview))

    def ended(self, step: Step, applied: Applied) -> None:
        """A step is over."""
        if applied.error is not None:
            self._failed(step, applied)
            return
        op, counts = step.op, step.logical
        if op is Op.REFRESH and self._only:
            op, counts = step.result_op, True
        if op is Op.READ:
            counts = _read_changed(step)
        if counts and not _internal(step):
            self.changes[op] += 1
        # A component's outputs come later, by themselves; a preview shows all that it decides.
        shown = (
            self._preview
            or step.res.custom
            or step.op is Op.DELETE
            or (step.op is Op.REFRESH and self._refresh)
        )
        if shown:
            self._emit(ResOutputsEvent(_metadata(step, op), self._preview))

    def _failed(self, step: Step, applied: Applied) -> None:
        self.maybe_corrupt = self.maybe_corrupt or applied.status is Status.UNKNOWN
        urn = "" if _internal(step) else step.urn
        text = str(applied.error).strip()
        if self._preview:
            self._emit(DiagnosticEvent(f"Preview failed: {text}", Severity.ERROR, urn))
            return
        self._emit(DiagnosticEvent(text, Severity.ERROR, urn))
        status = int(applied.status is Status.PARTIAL)
        self._emit(ResOpFailedEvent(_metadata(step, step.op), status, sum(self.changes.values())))

    def outputs(self, step: Step) -> None:
        """A component's outputs are there."""
        self._emit(ResOutputsEvent(_metadata(step, step.op), self._preview))


def _internal(step: Step) -> bool:
    """Return whether the display hides a step."""
    if step.op is Op.REMOVE_PENDING_REPLACE or (isinstance(step, RefreshStep) and step.internal):
        return True
    return urns.is_default_provider(step.urn)


def _read_changed(step: Step) -> bool:
    old, new = step.old, step.new
    return old is not None and new is not None and not values.equal(old.outputs, new.outputs)


def _metadata(step: Step, op: Op) -> StepMetadata:
    return StepMetadata(
        op=op,
        urn=step.urn,
        type=step.res.type,
        old=step.old,
        new=step.new,
        keys=tuple(step.keys),
        diffs=tuple(step.diffs),
        detailed_diff=step.detailed,
        logical=step.logical,
        provider=step.res.provider,
    )
