"""The rest of a decision that waits for a step, and all that a deployment's queue holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.engine.deploy.source_events import (
    ProgramEndEvent,
    RegisterResourceEvent,
    RegisterResourceOutputsEvent,
    WakeEvent,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.engine.deploy.step import Step


@dataclass(slots=True, eq=False)
class ContinueEvent:
    """The rest of a decision that had to wait for a step (a refresh or an import)."""

    decide: Callable[[], Awaitable[list[Step]]]
    urn: str


SourceEvent = (
    RegisterResourceEvent | RegisterResourceOutputsEvent | ContinueEvent | ProgramEndEvent | WakeEvent
)
