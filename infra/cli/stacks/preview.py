"""`gigasite preview`: what `up` would change: resources, data that is lost, files of machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.cli.arguments import Engine, EngineName
from infra.cli.stacks import options as flags
from infra.engine import Operation
from infra.stacks import losses, operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.rollout.compare import Comparison

CHANGES = 7
"""Exit code where no change was expected, as the CLI's."""
MOST = 2000
"""Machines that are asked for their files, 64 at once; of a larger site `gigasite apply --plan` asks."""


@flags.with_options(
    "targets", "target_dependents", "excludes", "exclude_dependents", "replace", "target_replace",
    "refresh", "expect_no_changes", "policy_packs", "policy_pack_configs", "parallel",
)  # fmt: skip
def command(
    target: flags.Target, engine: Engine = EngineName.EMBEDDED, only: flags.Only = False, **given: Any
) -> int:
    """Show what `up` would change: resources, data that is lost, and files on machines."""
    from infra.rollout import grid  # noqa: PLC0415 (polars is slow to import)

    options, shown = flags.options_of(given), flags.display_options_of(given)
    names = operations.stacks_of(target)[: 1 if only else None]
    if not shown.as_json:
        for gate in grid.gates_of(operations.site_of(target)):
            print(grid.words(gate))
    with losses.watch_run(shown) as (logged, watch):
        code, document = flags.run_all(Operation.PREVIEW, names, engine=engine, options=options, shown=logged)
        lost = watch.losses()
    found, left = (None, 0)
    if code in (0, CHANGES) and not (options.targets or options.excludes):
        found, left = _configuration(operations.site_of(target), names)
    if shown.as_json:
        document |= {"losses": [str(loss) for loss in lost], "configuration": _document(found, left)}
        print(json.dumps(document, indent=4))
    else:
        _show(lost, found, left)
    return CHANGES if not code and options.expect_no_changes and found and found.groups else code


def _configuration(site: str, stacks: Sequence[str]) -> tuple[Comparison | None, int]:
    """Files that differ on machines of these stacks, and how many machines are not there to be asked."""
    from infra import plan, spec  # noqa: PLC0415 (polars is slow to import)
    from infra.rollout.compare import compare  # noqa: PLC0415
    from infra.rollout.foresee import machines_there  # noqa: PLC0415
    from infra.rollout.outputs import machine_outputs  # noqa: PLC0415

    if not machine_outputs(site):
        return None, 0  # nothing is made: everything is yet to come
    planned = plan.plan(spec.load_site(site))
    pods = {stack.partition(".")[2] or None for stack in stacks}
    names: list[str] = []
    for pod in sorted(pods, key=lambda pod: pod or ""):
        made = plan.machines_of(planned, pod, site_level=pod is None, cables=False)
        names += [machine.name for machine in made]
        if len(names) > MOST:
            return None, 0
    there, away = machines_there(site, names)
    return (compare(site, there) if there else None), len(away)


def _document(found: Comparison | None, left: int) -> dict[str, Any]:
    groups = [
        {
            "change": group.key,
            "machines": list(group.hosts),
            "files": [change.path for change in group.changes],
        }
        for group in (found.groups if found else ())
    ]
    return {"changes": groups, "silent": dict(found.silent) if found else {}, "not_made_yet": left}


def _show(lost: Sequence[losses.Loss], found: Comparison | None, left: int) -> None:
    for line in losses.describe_losses(tuple(lost)):
        print(line)
    if found is not None:
        for group in found.groups:
            print("\n".join(group.lines()))
        for name, reason in found.silent.items():
            print(f"configuration: {name} could not be asked: {reason}")
        print(f"configuration: {len(found.same):,} machines have every file as it shall be")
    if left:
        print(f"configuration: {left:,} machines are not made yet, or simulated, and get all of theirs")
