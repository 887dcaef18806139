"""Operations of an earlier run whose outcome is not known: what is said and done about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.resource.state import PendingKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.engine.deploy.snapshot import SnapshotManager
    from infra.engine.options import Options
    from infra.engine.resource.state import PendingOperation


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


def pending_warning(pending: Sequence[PendingOperation]) -> str:
    """Build the warning about operations that an interrupted run left pending."""
    listed = "".join(f"  * {one.resource.urn}, interrupted while {one.type}\n" for one in pending)
    return (
        f"Attempting to deploy or update resources with {len(pending)} pending operations from previous "
        f"deployment.\n{listed}"
        "These resources are in an unknown state because the Pulumi CLI was interrupted while "
        "waiting for changes to these resources to complete. You should confirm whether or not the "
        "operations listed completed successfully by checking the state of the appropriate provider. "
        "For example, if you are using AWS, you can confirm using the AWS Console.\n\n"
        "Once you have confirmed the status of the interrupted operations, you can repair your stack "
        "using `pulumi refresh` which will refresh the state from the provider you are using and "
        "clear the pending operations if there are any.\n\n"
        "Note that `pulumi refresh` will need to be run interactively to clear pending CREATE operations."
    )
