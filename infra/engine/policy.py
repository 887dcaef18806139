"""Policy packs: analyzers that see every resource before it is made, and the whole stack at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.engine.deployment import Deployment
    from infra.engine.goal import Goal
    from infra.engine.state import ResourceState


class Policy:
    """The policy packs of a run."""

    async def check(self, new: ResourceState, goal: Goal) -> bool:
        """Whether a resource violates a mandatory policy."""
        raise NotImplementedError

    async def check_stack(self, deployment: Deployment) -> bool:
        """Whether the stack violates a mandatory policy."""
        raise NotImplementedError
