"""`gigasite approve`: a person's yes to a wave of a rollout."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.arguments import Site
from infra.errors import UserError


def command(
    site: Site,
    wave: Annotated[int, typer.Option("--wave", min=1, help="The wave's number; all waves without.")] = 0,
    note: Annotated[str, typer.Option("--note", help="Why, for the next reader.")] = "",
    rollout: Annotated[
        str, typer.Option("--id", metavar="ROLLOUT", help="Another one than the latest.")
    ] = "",
) -> None:
    """Approve a wave of a site's rollout; its approval gate waits for this."""
    from infra.rollout import approvals, rollouts  # noqa: PLC0415 (not for --help)

    plan = rollouts.read(site, rollout)
    if wave > len(plan.waves):
        raise UserError(
            f"rollout {plan.id} has {len(plan.waves)} waves", hint="see `gigasite rollout status`"
        )
    what = f"wave {wave}" if wave else "all waves"
    made = approvals.approve(site, plan.id, what, note)
    print(f"{what} of rollout {plan.id} approved by {made.who} at {made.when}")
