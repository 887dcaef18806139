"""Base of all steps: the smallest operations on resources, reported to snapshot and display."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

from infra.engine.plugin.diff import NO_CHANGES, Diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.engine.deploy.context import StepContext
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.events import Op, PropertyDiff
    from infra.engine.plugin.provider import ProviderError
    from infra.engine.resource.state import ResourceState


class Status(Enum):
    """How sure we are of what a failed step left."""

    OK = auto()
    PARTIAL = auto()
    """The resource exists, but its initialisation failed."""
    UNKNOWN = auto()
    """The call may have had an effect."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How a step ended; the error is None if well."""

    status: Status = Status.OK
    error: Exception | None = None


WELL = Applied()


def now() -> str:
    """The time as the state keeps it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Step:
    """One operation on one resource.

    Attributes:
        old: the state before, if any.
        new: the state after, if any; filled in by `apply`.
        registration: who waits for it.
        keys: properties that force a replacement.
        diffs: properties that changed.
        detailed: path to difference.
        operation_id: the same when it is tried again after a crash.
    """

    op: Op
    logical: bool = True
    has_effect: ClassVar[bool] = False
    """Whether it may change something outside, so that its begin must be recorded first."""

    def __init__(
        self,
        old: ResourceState | None,
        new: ResourceState | None,
        registration: RegisterResourceEvent | None = None,
        *,
        diff: Diff = NO_CHANGES,
    ) -> None:
        self.old, self.new, self.registration = old, new, registration
        self.keys: Sequence[str] = diff.replace_keys
        self.diffs: Sequence[str] = diff.changed_keys
        self.detailed: dict[str, PropertyDiff] | None = diff.detailed
        self.operation_id = ""
        self.untargeted = False

    @property
    def res(self) -> ResourceState:
        """The state that the step is about: the new one if there is one."""
        state = self.new or self.old
        assert state is not None
        return state

    @property
    def urn(self) -> str:
        """Of what."""
        return self.res.urn

    @property
    def result_op(self) -> Op:
        """Return the operation that the step turned out to be; only a refresh learns it late."""
        return self.op

    async def apply(self, deployment: StepContext) -> Applied:
        """Do it, or foretell it in a preview."""
        raise NotImplementedError

    def complete(self) -> None:
        """Tell who waits."""
        if self.registration is not None and self.new is not None:
            self.registration.succeed(self.new)

    def fail(self) -> None:
        """Tell who waits that it failed, and the run goes on."""
        if self.registration is not None:
            self.registration.fail(self.res)

    def skip(self) -> None:
        """Tell who waits that it was not tried."""
        if self.registration is not None:
            self.registration.skip(self.res)


def status_of(error: ProviderError) -> Status:
    """How sure we are of what a call left that failed."""
    return Status.UNKNOWN if error.uncertain else Status.OK
