"""`gigasite preview`: what `up` would change, on the site's stack and on each pod's."""

from __future__ import annotations

from infra.cli import engine_options as flags
from infra.cli import grid, stacks
from infra.cli.arguments import Engine, EngineName, Json
from infra.engine import Operation, Options


def command(
    target: flags.Target,
    engine: Engine = EngineName.EMBEDDED,
    as_json: Json = False,
    only: flags.Only = False,
    targets: flags.Targets = None,
    target_dependents: flags.TargetDependents = False,
    exclude: flags.Excludes = None,
    exclude_dependents: flags.ExcludeDependents = False,
    replace: flags.Replace = None,
    target_replace: flags.TargetReplace = None,
    refresh: flags.Refresh = False,
    expect_no_changes: flags.ExpectNoChanges = False,
    parallel: flags.Parallel = 0,
    diff: flags.Differences = False,
    event_log: flags.EventLog = None,
    policy_pack: flags.PolicyPacks = None,
) -> int:
    """Show what `up` would change."""
    options = Options(
        targets=flags.several(targets),
        target_dependents=target_dependents,
        excludes=flags.several(exclude),
        exclude_dependents=exclude_dependents,
        replace=flags.several(replace),
        target_replace=flags.several(target_replace),
        refresh=refresh,
        expect_no_changes=expect_no_changes,
        parallel=parallel,
        policy_packs=tuple(policy_pack or ()),
    )
    names = stacks.stacks_of(target)[: 1 if only else None]
    if not as_json:
        for gate in grid.gates_of(stacks.site_of(target)):
            print(grid.words(gate))
    shown = stacks.Shown(as_json=as_json, differences=diff, event_log=event_log)
    return flags.run_each(Operation.PREVIEW, names, engine=engine, options=lambda _name: options, shown=shown)
