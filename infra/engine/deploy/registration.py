"""What the monitor hands to the deployment, each with a promise of its answer."""

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
    """How a registration went, for programs that can go on after a failure."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a registration. `unknown`: the resource was left out, so nothing is known of it."""

    state: ResourceState
    kind: ResultKind = ResultKind.SUCCESS
    unknown: bool = False


def _promise() -> asyncio.Future[Registered]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Registration:
    """A resource that the program wants (`Goal`) or reads (`ReadGoal`)."""

    goal: Goal | ReadGoal
    answer: asyncio.Future[Registered] = field(default_factory=_promise)

    def succeed(self, state: ResourceState, *, unknown: bool = False) -> None:
        """It is done."""
        self._set(Registered(state, unknown=unknown))

    def fail(self, state: ResourceState) -> None:
        """It failed, and the run goes on."""
        self._set(Registered(state, ResultKind.FAILED))

    def skip(self, state: ResourceState) -> None:
        """It was not tried because something it needs failed."""
        self._set(Registered(state, ResultKind.SKIPPED))

    def _set(self, answer: Registered) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


@dataclass(slots=True, eq=False)
class Outputs:
    """The outputs that a component registers at its end."""

    urn: str
    outputs: Properties
    answer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def done(self) -> None:
        """They are taken."""
        if not self.answer.done():
            self.answer.set_result(None)


@dataclass(slots=True, eq=False)
class Finished:
    """The program has ended. `error`: why it failed; empty if it said so itself. None if it did not fail."""

    error: str | None = None


@dataclass(slots=True, eq=False)
class Woken:
    """Nothing new, but the run was cancelled: look."""


@dataclass(slots=True, eq=False)
class Stopping:
    """A step failed: start what the program asked for before that was known, and nothing after it."""

    until: float
    """When to stop in any case, by the loop's clock."""
