"""Operations of an earlier run whose outcome is not known: what a refresh does about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.state import PendingKind

if TYPE_CHECKING:
    from infra.engine import Options
    from infra.engine.snapshot import SnapshotManager


def settle_pending(manager: SnapshotManager, options: Options) -> None:
    """Before a refresh: forget pending creates where that was asked for.

    Creates that are said to have happened (`--import-pending-creates`) become imports, and pending operations
    other than creates end with the refresh that follows; so does the CLI.
    """
    imported = {urn for urn, _ in options.import_pending_creates}
    manager.base.pending_operations = [
        operation
        for operation in manager.base.pending_operations
        if operation.type is PendingKind.CREATING
        and not options.clear_pending_creates
        and operation.resource.urn not in imported
    ]
