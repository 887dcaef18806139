"""The rest of a decision that waits for a step, and all that a deployment's queue holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.engine.deploy.registration import Finished, Outputs, Registration, Stopping, Woken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.engine.deploy.step import Step


@dataclass(slots=True, eq=False)
class Continue:
    """The rest of a decision that had to wait for a step (a refresh or an import)."""

    decide: Callable[[], Awaitable[list[Step]]]
    urn: str


SourceEvent = Registration | Outputs | Continue | Finished | Woken | Stopping
