"""Rollouts of a site: laid out, begun, gone on with, and asked about."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.rollout import applied, approvals, blueprint, lock
from infra.rollout.controller import Controller, Progress
from infra.rollout.crews.choice import crew_for
from infra.rollout.crews.local import LocalCrew, settle
from infra.rollout.crews.world import content_for, world_of
from infra.rollout.gates import Gates
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.roster import group_name
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.inventory.variables import check_variables
from infra.rollout.ledger import Ledger, State, set_aside
from infra.rollout.playbooks import check_folders
from infra.rollout.policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.rollout.blueprint import Blueprint
    from infra.rollout.inventory.roster import Roster

PLAN, LEDGER = "rollout.yaml", "ledger.sqlite"


def lay_out(
    site: str,
    pattern: str,
    playbook: str,
    *,
    simulated: bool = False,
    names: Sequence[str] | None = None,
) -> Blueprint:
    """Lay out a rollout over the machines that a pattern picks.

    Args:
        site: name of the site.
        pattern: Ansible's.
        playbook: below `playbooks/` or the site's own.
        simulated: over simulated machines.
        names: which of the picked machines need it; without them, see `applied.needing`. A rollout may have
            none.

    Raises:
        UserError: the pattern, the playbook or the site is wrong, or nothing matches.
    """
    if names is None:
        names = applied.needing(site, pattern, playbook, simulated=simulated)
    if not simulated:
        check_variables(site)
    policy = load_policy(site)
    roster = _roster(site)
    seen = Observed(roster, f"{site}/simulated" if simulated else "")
    content = applied.content_of(site, playbook)
    rows = [roster.rows[name] for name in names]
    return blueprint.draw(
        roster, rows, policy, pattern=pattern, playbook=playbook, content=content,
        watts=_watts(site) if rows else {},
        out=sorted(set(seen["cordoned"]) - set(rows)), simulated=simulated,
    )  # fmt: skip


def begin(plan: Blueprint, tell: Callable[[Progress], object]) -> Mapping[str, str]:
    """Begin a rollout and carry it out; the machines that failed within its budget, with the reason.

    Raises:
        UserError: what it applies has changed since it was laid out, or another one is not finished.
        Stopped: a gate or the failure budget stopped it.
    """
    with lock.hold_lock(plan.site, f"rollout {plan.id}"):
        _check_content(plan)
        unfinished = [
            name for name in ids(plan.site) if state_of(plan.site, name)[0] not in {"done", "aborted"}
        ]
        if unfinished:
            how = state_of(plan.site, unfinished[-1])[0]
            raise UserError(
                f"rollout {unfinished[-1]} of {plan.site} is not finished ({how})",
                hint=f"`gigasite rollout resume {plan.site}`, or `gigasite rollout abort {plan.site}`",
            )
        folder = approvals.folder(plan.site, plan.id)
        paths.state(plan.site)
        # A rollout is there, with its ledger, or it is not: its name is given last.
        draft = folder.with_name(f".{plan.id}")
        shutil.rmtree(draft, ignore_errors=True)  # of a controller that was killed here
        draft.mkdir(mode=0o700, parents=True)
        blueprint.save(plan, draft / PLAN)
        Ledger.create(draft / LEDGER, plan).close()
        draft.rename(folder)
        return _carry_out(plan, Ledger(folder / LEDGER), tell)


def go_on(
    site: str, tell: Callable[[Progress], object], rollout: str = "", *, retry: bool = False
) -> Mapping[str, str]:
    """Go on with a rollout where it ended; the machines that failed within its budget, with the reason.

    Args:
        site: name of the site.
        tell: told what happens.
        rollout: its name; the latest one without.
        retry: let the failed machines begin anew.
    """
    with lock.hold_lock(site, f"rollout {rollout or 'resume'}"):
        plan = read(site, rollout)
        if state_of(site, plan.id)[0] == "aborted":
            raise UserError(f"rollout {plan.id} was aborted", hint="begin a new one with `gigasite apply`")
        _check_content(plan)
        ledger = _open(plan, tell)
        if retry:
            ledger.take()
            ledger.forget({row.host for row in ledger.rows(state=State.FAILED)})
            ledger.set(attempt=str(int(ledger.fact("attempt") or 0) + 1))
        return _carry_out(plan, ledger, tell)


def _carry_out(plan: Blueprint, ledger: Ledger, tell: Callable[[Progress], object]) -> Mapping[str, str]:
    ledger.take()
    nodes, service = world_of(plan)

    def noted(progress: Progress) -> None:
        if progress.kind != "step":
            ledger.note(progress.kind, f"wave {progress.wave}: {progress.text}")
        tell(progress)

    roster = _roster(plan.site)
    gates = Gates(
        plan, nodes, verify=_verifier(plan), grid=_grid(plan), ramp=_ramp(plan), moved=ledger.last_end
    )
    try:
        here = LocalCrew(plan.id, ledger, nodes, service, plan.policy, content_for(plan))
        with crew_for(plan, here, roster, world=world_of, tell=noted) as crew:
            return Controller(plan, ledger, crew, service, gates, roster, noted).run()
    finally:
        ledger.close()


def _open(plan: Blueprint, tell: Callable[[Progress], object]) -> Ledger:
    """The ledger; a damaged one is put aside and made anew from what the machines know."""
    path = approvals.folder(plan.site, plan.id) / LEDGER
    try:
        ledger = Ledger(path)
        damage = ledger.damage()
    except Exception as error:  # noqa: BLE001 (whatever SQLite says of a file that is none of its own)
        damage = str(error)
    if damage is None:
        return ledger
    aside = set_aside(path)
    ledger = Ledger.create(path, plan)
    ledger.take()
    nodes, _ = world_of(plan)
    given = settle(ledger, nodes, plan.hosts, content_for(plan))
    text = f"the ledger was damaged ({damage}); it is kept as {aside.name}; {given} machines have the content"
    ledger.note("rebuilt", text)
    tell(Progress("rebuilt", 0, text, given))
    return ledger


def read(site: str, rollout: str = "") -> Blueprint:
    """A rollout that was begun; the latest one without a name.

    Raises:
        UserError: there is none.
    """
    known = ids(site)
    if not known or (rollout and rollout not in known):
        raise UserError(
            f"{site} has no rollout {rollout}".rstrip(),
            hint=f"there are {', '.join(known[-5:])}" if known else "begin one with `gigasite apply`",
        )
    return blueprint.read(approvals.folder(site, rollout or known[-1]) / PLAN)


def ids(site: str) -> list[str]:
    """Names of a site's rollouts, the oldest first."""
    return sorted(path.parent.name for path in approvals.folder(site, "").glob(f"[!.]*/{PLAN}"))


def ledger_of(plan: Blueprint) -> Ledger:
    """The ledger of a rollout, to read.

    Raises:
        UserError: it is damaged.
    """
    path = approvals.folder(plan.site, plan.id) / LEDGER
    try:
        ledger = Ledger(path)
        damage = ledger.damage()
    except Exception as error:  # noqa: BLE001 (see `_open`)
        damage = str(error)
    if damage is not None:
        raise UserError(
            f"the ledger of rollout {plan.id} is damaged: {damage}", where=str(path),
            hint=f"`gigasite rollout resume {plan.site}` makes it anew from what the machines know",
        )  # fmt: skip
    return ledger


def state_of(site: str, rollout: str) -> tuple[str, str]:
    """State and reason of a rollout: ready, running, stopped, interrupted, done, aborted or damaged."""
    path = approvals.folder(site, rollout) / LEDGER
    if not path.exists():
        return "ready", ""
    try:
        ledger = Ledger(path)
        damage = ledger.damage()
        if damage is None:
            return ledger.fact("state") or "ready", ledger.fact("reason") or ""
    except Exception as error:  # noqa: BLE001 (see `_open`)
        damage = str(error)
    return "damaged", damage


def abort(site: str, rollout: str = "") -> Blueprint:
    """End a rollout for good: a controller that still runs can note nothing more and ends."""
    plan = read(site, rollout)
    ledger = ledger_of(plan)
    ledger.take()
    ledger.set(state="aborted", reason="aborted by a person")
    return plan


def _check_content(plan: Blueprint) -> None:
    if plan.content != applied.content_of(plan.site, plan.playbook):
        raise UserError(
            f"playbooks, templates or declaration have changed since rollout {plan.id} was laid out",
            hint=f"abort it, and lay out a new one: `gigasite apply '{plan.pattern}' -s {plan.site} --plan`",
        )


def _verifier(plan: Blueprint) -> Callable[[str, Sequence[str]], tuple[bool, str]]:
    """Runs the declared checks on some machines."""

    def verify(selection: str, hosts: Sequence[str]) -> tuple[bool, str]:
        import sys  # noqa: PLC0415

        from infra.process import run  # noqa: PLC0415

        if plan.simulated:
            return True, "simulated machines have nothing to check"
        words = [
            sys.executable, "-m", "pytest", *check_folders(plan.site), "--site", plan.site, "-q",
            "--no-header",
            "-p", "no:cacheprovider", "--limit", ",".join(hosts), *(("-k", selection) if selection else ()),
        ]  # fmt: skip
        done = run(words, check=False, cwd=paths.ROOT, timeout=1800)
        lines = [line for line in done.stdout.strip().splitlines() if line.strip()]
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        last = lines[-1] if lines else done.stderr.strip()[-200:]
        return done.returncode == 0, "; ".join([last, *failed[:2]])

    return verify


def _grid(plan: Blueprint) -> Callable[[], list[str]]:
    def closed() -> list[str]:
        from infra.rollout.grid import gates_of, words  # noqa: PLC0415

        return [words(gate) for gate in gates_of(plan.site) if gate.holds]

    return closed


def _ramp(plan: Blueprint) -> float | None:
    """Megawatts that the site's load may change by in a minute, if the site declares it."""
    if not any(gate.kind == "grid" for gate in plan.policy.gates):
        return None
    from infra.spec import load_site  # noqa: PLC0415 (pydantic is slow to import)

    grid = load_site(plan.site).grid
    return None if grid is None or grid.ramp is None else grid.ramp / 1e6


def _watts(site: str) -> dict[str, float]:
    """Watts of one machine at the meter, by the group of its platform."""
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.plan.tables.power import balance as site_balance  # noqa: PLC0415
    from infra.spec import catalog, load_site  # noqa: PLC0415

    planned = plan(load_site(site))
    geometry, balance = planned.geometry, site_balance(planned)
    found = {
        group_name("platform", server.platform): catalog.platform(server.platform).node.power.total
        * balance.least_pue
        for server in geometry.site.servers
    }
    for form, watts in zip(geometry.forms, balance.forms, strict=True):
        for slot in form.slots:
            found[group_name("platform", slot.platform)] = watts / len(form.slots) * balance.least_pue
    return found


def _roster(site: str) -> Roster:
    return roster_at(paths.inventory(site) / "site.yaml")
