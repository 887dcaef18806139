"""`gigasite cancel`: clear what a dead operation left, and keep what it had recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.stacks import options as flags
from infra.stacks import operations


def command(
    stack: flags.Stack,
    force: Annotated[
        bool, typer.Option("--force", help="Clear a lock of another machine too: you know that it is gone.")
    ] = False,
) -> None:
    """Clear the lock that a dead operation left; what it had recorded goes into the state."""
    ref = operations.reference(stack)
    cleared, told = operations.backend().cancel(ref, force=force)
    for lock in cleared:
        print(f"cleared the lock made {lock}")
    if not cleared:
        print(f"{stack} is not locked")
    if told is None:
        return
    if told.deployment is not None:
        print(f"put {told.records} recorded steps into the state")
    for one in told.begun:
        print(f"uncertain: {one.type} {one.resource['urn']}; the next `up` or `refresh` settles it")
