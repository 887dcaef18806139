"""`gigasite destroy`: remove what the stacks hold, the pods' before the site's."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import engine_options as flags
from infra.cli import stacks
from infra.cli.arguments import Engine, EngineName, Json, Yes
from infra.engine import Operation, Options
from infra.errors import UserError

ExcludeProtected = Annotated[
    bool, typer.Option("--exclude-protected", help="Leave protected resources as they are.")
]
IgnoreProtect = Annotated[bool, typer.Option("--ignore-protect", help="Remove protected resources too.")]
Remove = Annotated[bool, typer.Option("--remove", help="Remove the empty stacks as well.")]


def command(
    target: flags.Target,
    engine: Engine = EngineName.EMBEDDED,
    as_json: Json = False,
    yes: Yes = False,
    only: flags.Only = False,
    targets: flags.Targets = None,
    target_dependents: flags.TargetDependents = False,
    exclude: flags.Excludes = None,
    exclude_dependents: flags.ExcludeDependents = False,
    exclude_protected: ExcludeProtected = False,
    ignore_protect: IgnoreProtect = False,
    refresh: flags.Refresh = False,
    continue_on_error: flags.ContinueOnError = False,
    preview_only: flags.PreviewOnly = False,
    remove: Remove = False,
    parallel: flags.Parallel = 0,
    diff: flags.Differences = False,
    event_log: flags.EventLog = None,
) -> int:
    """Remove a stack's resources."""
    options = Options(
        targets=flags.several(targets),
        target_dependents=target_dependents,
        excludes=flags.several(exclude),
        exclude_dependents=exclude_dependents,
        exclude_protected=exclude_protected,
        ignore_protect=ignore_protect,
        refresh=refresh,
        continue_on_error=continue_on_error,
        preview_only=preview_only,
        parallel=parallel,
    )
    found = stacks.existing_stacks(target, engine)
    # The pods refer to the site's stack, so they go first.
    names = found[:1] if only else tuple(reversed(found))
    if not names:
        raise UserError(f"there is no stack of {target}", hint="see `gigasite stack ls`")
    if not preview_only:
        flags.confirm(f"Destroy all resources of {', '.join(names)}", yes=yes)
    shown = stacks.Shown(as_json=as_json, differences=diff, event_log=event_log)
    code = flags.run_each(Operation.DESTROY, names, engine=engine, options=lambda _name: options, shown=shown)
    if remove and not code and not preview_only:
        for name in names:
            stacks.remove(name, engine)
    return code
