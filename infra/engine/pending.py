"""Operations of an earlier run whose outcome is not known: what a refresh does about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.state import PendingKind

if TYPE_CHECKING:
    from infra.engine import Options
    from infra.engine.deployment import Deployment
    from infra.engine.snapshot import SnapshotManager


async def settle_pending(deployment: Deployment, manager: SnapshotManager, options: Options) -> None:
    """Before a refresh: forget or take over pending creates as asked; forget all others, which it will read.

    Raises:
        EngineError: the provider of a create that is to be taken over cannot be started.
    """
    ids = dict(options.import_pending_creates)
    kept, taken = [], []
    for operation in manager.base.pending_operations:
        if operation.type is not PendingKind.CREATING:
            continue
        id_ = ids.get(operation.resource.urn)
        if id_ is not None:
            # The refresh that follows reads what it really is.
            taken.append(operation.resource.copy(id=id_, outputs={}))
        elif not options.clear_pending_creates:
            kept.append(operation)
    manager.base.pending_operations = kept
    if taken:
        deployment.adopt(taken)
