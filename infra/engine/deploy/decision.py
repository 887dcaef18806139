"""State of a decision about one resource."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.plugin.provider import Provider
    from infra.engine.resource.goal import Goal
    from infra.engine.resource.state import ResourceState


@dataclass(slots=True)
class Decision:
    """One that may have to wait for a refresh or an import.

    Attributes:
        registration: who waits for it.
        goal: what the program wants.
        old: what is there; None if nothing is.
        new: what will be there.
        invalid: whether it was found wrong already; all that is wrong is told before the run ends.
        provider: of the resource; None for components.
        recreating: whether it was deleted earlier in the run, for the replacement of something else.
        seed: what the provider may draw names from.
    """

    registration: RegisterResourceEvent
    goal: Goal
    old: ResourceState | None
    new: ResourceState
    invalid: bool
    provider: Provider | None = None
    recreating: bool = False
    seed: bytes = field(default_factory=lambda: os.urandom(32))

    @property
    def urn(self) -> str:
        """Of what."""
        return self.new.urn
