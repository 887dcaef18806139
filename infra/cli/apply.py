"""`gigasite apply`: a playbook over a group of machines, in waves with gates between them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.arguments import Json
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.rollout.blueprint import Blueprint
    from infra.rollout.compare import Group
    from infra.rollout.controller import Progress


def command(
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="Ansible's pattern: pod_pod_01:&role_tray:!cordoned.")
    ] = "",
    playbook: Annotated[str, typer.Argument(metavar="[PLAYBOOK]", help="Below playbooks/.")] = "site.yml",
    site: Annotated[str, typer.Option("--site", "-s", metavar="SITE", help="The site's name.")] = "",
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Show waves, gates and times, and write them to a file; apply nothing."),
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Apply what `--plan` wrote.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare the machines' files first; show each change; only who differs."
        ),
    ] = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="On simulated machines.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a group of machines to their declared configuration, in waves with gates between them."""
    if file is not None:
        if group or site:
            raise UserError("the file says which machines of which site", hint="leave GROUP and --site out")
        from infra.rollout import blueprint  # noqa: PLC0415 (not for --help)

        laid_out = blueprint.read(file)
    elif not group or not site:
        raise UserError("a group and a site are needed", hint="for example `gigasite apply role_tray -s lab`")
    else:
        from infra.rollout import applied  # noqa: PLC0415

        changes: list[Group] = []
        compared = verify and not simulate
        choose = partial(differing, site, changes) if compared else None
        names = applied.needing(site, group, playbook, simulated=simulate, choose=choose)
        if not names:  # most runs: before what lays a rollout out is imported, which takes longer than to ask
            found = "every file is as it shall be" if verify else "their last rollout gave them the same"
            hint = "" if verify else "; `--verify` asks them"
            print("[]" if as_json else f"nothing to do: {found}{hint}")
            return
        from infra.rollout import rollouts  # noqa: PLC0415

        laid_out = rollouts.lay_out(site, group, playbook, simulated=simulate, names=names)
        laid_out = _with_changes(laid_out, changes) if compared else laid_out
    if plan:
        show(laid_out, as_json=as_json)
        return
    from infra.pipeline.execution import only_one  # noqa: PLC0415
    from infra.rollout import rollouts  # noqa: PLC0415

    tell = teller(as_json=as_json)
    with only_one(laid_out.site):
        failed = rollouts.begin(laid_out, tell)
    require_none(failed, laid_out)


def _with_changes(laid_out: Blueprint, changes: Sequence[Group]) -> Blueprint:
    """Note in a rollout what a comparison found."""
    from infra.rollout.blueprint import PlannedChange  # noqa: PLC0415

    planned = tuple(
        PlannedChange(
            key=change.key,
            text=tuple(line.removeprefix("    ") for line in change.lines()[1:]),
            hosts=change.hosts,
        )
        for change in changes
    )
    return laid_out.model_copy(update={"compared": True, "changes": planned})


def differing(site: str, changes: list[Group], names: Sequence[str]) -> list[str]:
    """Machines whose files differ, or that could not be asked; each different change is shown once.

    Args:
        site: name of the site.
        changes: filled with what differs.
        names: of the machines to ask.
    """
    from infra.rollout.compare import compare  # noqa: PLC0415

    found = compare(site, names)
    for group in found.groups:
        print("\n".join(group.lines()))
    changes += found.groups
    for name, reason in found.silent.items():
        print(f"{name} could not be asked: {reason}")
    print(f"{len(found.same):,} of {len(names):,} machines have every file as it shall be")
    return [*(host for group in found.groups for host in group.hosts), *found.silent]


def show(laid_out: Blueprint, *, as_json: bool) -> None:
    """Print a rollout that is laid out, and write it where a person can review it."""
    from infra import paths  # noqa: PLC0415
    from infra.rollout import blueprint  # noqa: PLC0415

    path = paths.out(laid_out.site) / f"rollout-{laid_out.id}.yaml"
    blueprint.save(laid_out, path)
    if as_json:
        print(laid_out.model_dump_json(indent=1))
        return
    print(
        f"{laid_out.playbook} over {len(laid_out.hosts):,} machines of {laid_out.site} ({laid_out.pattern})"
    )
    print(f"\n {'wave':>5} {'machines':>9} {'steps':>6} {'minutes':>8} {'MW':>9}  machines")
    for wave in laid_out.waves:
        more = f" … {wave.hosts[-1]}" if len(wave.hosts) > 1 else ""
        kind = " (canaries)" if wave.canary else ""
        print(
            f" {wave.number:>5} {len(wave.hosts):>9,} {wave.batches:>6} {wave.seconds / 60:>8.1f} "
            f"{wave.megawatts:>9.4g}  {wave.hosts[0]}{more}{kind}"
        )
    gates = ", ".join(gate.title for gate in laid_out.policy.gates) or "none"
    print(f"\ngates: {gates}; more than {laid_out.policy.failures} failed machines stop it")
    print(f"expected {laid_out.seconds / 3600:.1f} h, without the gates' waiting")
    written = path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path
    print(f"written to {written}; apply it: gigasite apply --file {written}")


def require_none(failed: Mapping[str, str], laid_out: Blueprint) -> None:
    """End a rollout that went to its end.

    Raises:
        UserError: machines failed within its budget.
    """
    if failed:
        name, site = next(iter(failed)), laid_out.site
        raise UserError(
            f"{len(failed):,} of {len(laid_out.hosts):,} machines failed, and are out of service: {name}"
            + (", …" if len(failed) > 1 else ""),
            hint=f"`gigasite rollout why {site} {name}`; when it is mended, "
            f"`gigasite rollout retry {site} --failed`",
        )


def teller(*, as_json: bool) -> Callable[[Progress], None]:
    """Prints what happens, as lines or as JSON objects."""

    def tell(progress: Progress) -> None:
        if as_json:
            known = {"kind": progress.kind, "wave": progress.wave, "machines": progress.machines}
            print(json.dumps({**known, "text": progress.text, **progress.data}), flush=True)
        else:
            print(f"wave {progress.wave}: {progress.kind}: {progress.text}", flush=True)

    return tell
