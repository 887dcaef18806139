"""`gigasite approve`: a person's yes to a wave of a rollout, or to a change that it makes."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.arguments import Site
from infra.errors import UserError


def command(
    site: Site,
    wave: Annotated[int, typer.Option("--wave", min=1, help="The wave's number; all waves without.")] = 0,
    change: Annotated[
        str, typer.Option("--change", metavar="KEY", help="A change that `apply --verify` showed.")
    ] = "",
    note: Annotated[str, typer.Option("--note", help="Why, for the next reader.")] = "",
    rollout: Annotated[
        str, typer.Option("--id", metavar="ROLLOUT", help="Another one than the latest.")
    ] = "",
) -> None:
    """Approve a wave of a site's rollout, or a change; its approval or changes gate waits for this."""
    from infra.rollout import approvals, rollouts  # noqa: PLC0415 (not for --help)

    plan = rollouts.read(site, rollout)
    if wave > len(plan.waves):
        raise UserError(
            f"rollout {plan.id} has {len(plan.waves)} waves", hint="see `gigasite rollout status`"
        )
    if change and wave:
        raise UserError("a wave and a change are approved each for itself", hint="leave one out")
    known = [one.key for one in plan.changes]
    if change and change not in known:
        raise UserError(
            f"rollout {plan.id} has no change {change!r}",
            hint=f"it has {', '.join(known)}" if known else "it was laid out without `--verify`",
        )
    what = f"change {change}" if change else f"wave {wave}" if wave else "all waves"
    made = approvals.approve(site, plan.id, what, note)
    print(f"{what} of rollout {plan.id} approved by {made.who} at {made.when}")
