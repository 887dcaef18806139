"""`gigasite rollout`: how a rollout stands, and going on with it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from infra.cli.arguments import Json, Site
from infra.errors import UserError

app = typer.Typer(add_completion=False, no_args_is_help=True)

Id = Annotated[str, typer.Option("--id", metavar="ROLLOUT", help="Another one than the latest.")]


@app.callback()
def _group() -> None:
    """How rollouts stand, and going on with them."""


@app.command()
def status(
    site: Site,
    rollout: Id = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again each second, until it ends.")] = False,
    as_json: Json = False,
) -> None:
    """Waves, machines by how they are, gates, and failures grouped."""
    from infra.rollout import standing  # noqa: PLC0415 (not for --help)

    while True:
        found = standing.of(site, rollout)
        print(json.dumps(found.to_json(), indent=1) if as_json else "\n".join(found.lines()), flush=True)
        if not watch or found.state not in {"running", "ready"}:
            return
        time.sleep(1)


@app.command()
def resume(site: Site, rollout: Id = "", as_json: Json = False) -> None:
    """Go on where it stopped; what is done is not done again."""
    _go_on(site, rollout, retry=False, as_json=as_json)


@app.command()
def retry(
    site: Site,
    failed: Annotated[bool, typer.Option("--failed", help="The machines that failed begin anew.")] = False,
    rollout: Id = "",
    as_json: Json = False,
) -> None:
    """Let the failed machines begin anew, and go on."""
    if not failed:
        raise UserError("only machines that failed can be retried", hint="say so: --failed")
    _go_on(site, rollout, retry=True, as_json=as_json)


def _go_on(site: str, rollout: str, *, retry: bool, as_json: bool) -> None:
    from infra.cli.apply import require_none, teller  # noqa: PLC0415
    from infra.pipeline.execution import only_one  # noqa: PLC0415
    from infra.rollout import rollouts  # noqa: PLC0415

    plan = rollouts.read(site, rollout)
    with only_one(site):
        failed = rollouts.go_on(site, teller(as_json=as_json), rollout, retry=retry)
    require_none(failed, plan)


@app.command()
def abort(site: Site, rollout: Id = "") -> None:
    """End it for good; drained machines stay drained."""
    from infra.rollout import cordon, rollouts  # noqa: PLC0415

    plan = rollouts.abort(site, rollout)
    out = [name for name in cordon.read_cordoned(plan.fleet) if name in set(plan.hosts)]
    print(f"rollout {plan.id} is aborted; out of service: {', '.join(out) or 'none'}")


@app.command()
def history(site: Site, as_json: Json = False) -> None:
    """All rollouts of a site."""
    from infra.rollout import rollouts  # noqa: PLC0415

    found = []
    for name in rollouts.ids(site):
        plan = rollouts.read(site, name)
        state, reason = rollouts.state_of(site, name)
        found.append({"id": name, "pattern": plan.pattern, "playbook": plan.playbook,
                      "machines": len(plan.hosts), "state": state, "reason": reason})  # fmt: skip
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for one in found:
        tail = f": {one['reason']}" if one["reason"] else ""
        print(
            f"{one['id']}  {one['machines']:>7,} machines  {one['playbook']} over {one['pattern']}  "
            f"{one['state']}{tail}"
        )
    if not found:
        print(f"{site} has had no rollout")


@app.command()
def why(
    site: Site,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A machine.")],
    rollout: Id = "",
) -> None:
    """Show what was done to a machine, when, and why it is as it is."""
    from infra.rollout import cordon, rollouts  # noqa: PLC0415

    plan = rollouts.read(site, rollout)
    ledger = rollouts.ledger_of(plan)
    wave = ledger.wave_of(host)
    if wave is None:
        raise UserError(f"{host} is not part of rollout {plan.id}", hint="name a machine of it")
    print(f"{host}: wave {wave} of rollout {plan.id}")
    for row in ledger.rows(host):
        took = f" {row.ended - row.started:.1f} s" if row.ended and row.started else ""
        at = f"{datetime.fromtimestamp(row.started, UTC):%Y-%m-%d %H:%M:%S}" if row.started else ""
        content = f" content {row.content}" if row.content else ""
        print(f"  {at} {row.step}: {row.state}{took}{content}" + (f": {row.reason}" if row.reason else ""))
    if not ledger.rows(host):
        print("  nothing was done to it yet")
    for number, gate, holds, saw, _ in ledger.gates(wave):
        print(f"  wave {number}, {gate}: {'holds' if holds else 'does not hold'}: {saw}")
    if reason := cordon.read_cordoned(plan.fleet).get(host):
        print(f"  out of service: {reason}")
