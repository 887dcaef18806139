"""Events that the monitor sends to the deployment, each with a future for its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.engine.resource.goal import Goal, ReadGoal
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


class ResultKind(StrEnum):
    """Outcome of a registration, for programs that can go on after a failure."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """Result of a registration. `unknown`: the resource was left out, so nothing is known of it."""

    state: ResourceState
    kind: ResultKind = ResultKind.SUCCESS
    unknown: bool = False


def _promise() -> asyncio.Future[RegisterResult]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class RegisterResourceEvent:
    """Registration (`Goal`) or read (`ReadGoal`) of a resource by the program."""

    goal: Goal | ReadGoal
    answer: asyncio.Future[RegisterResult] = field(default_factory=_promise)

    def succeed(self, state: ResourceState, *, unknown: bool = False) -> None:
        """Answer with the new state."""
        self._set(RegisterResult(state, unknown=unknown))

    def fail(self, state: ResourceState) -> None:
        """Answer that it failed, in a run that goes on."""
        self._set(RegisterResult(state, ResultKind.FAILED))

    def skip(self, state: ResourceState) -> None:
        """Answer that it was not tried, because something that it needs failed."""
        self._set(RegisterResult(state, ResultKind.SKIPPED))

    def _set(self, answer: RegisterResult) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


@dataclass(slots=True, eq=False)
class RegisterResourceOutputsEvent:
    """Outputs that a component registers at its end."""

    urn: str
    outputs: Properties
    answer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def done(self) -> None:
        """Answer that the outputs are recorded."""
        if not self.answer.done():
            self.answer.set_result(None)


@dataclass(slots=True, eq=False)
class ProgramEndEvent:
    """End of the program. `error`: why it failed, empty if it reported that itself; None for success."""

    error: str | None = None


@dataclass(slots=True, eq=False)
class WakeEvent:
    """Wakes the loop up to see that the run was cancelled."""
