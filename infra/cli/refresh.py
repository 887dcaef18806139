"""`gigasite refresh`: what the real machines are now, into the state."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import engine_options as flags
from infra.cli import stacks
from infra.cli.arguments import Engine, EngineName, Json, Yes
from infra.engine import Operation, Options
from infra.errors import UserError

ClearPending = Annotated[
    bool,
    typer.Option("--clear-pending-creates", help="Forget creates whose outcome is not known."),
]
ImportPending = Annotated[
    list[str] | None,
    typer.Option("--import-pending-creates", help="URN, then ID (give it twice): a create that did happen."),
]


def command(
    target: flags.Target,
    engine: Engine = EngineName.EMBEDDED,
    as_json: Json = False,
    yes: Yes = False,
    only: flags.Only = False,
    targets: flags.Targets = None,
    target_dependents: flags.TargetDependents = False,
    exclude: flags.Excludes = None,
    expect_no_changes: flags.ExpectNoChanges = False,
    preview_only: flags.PreviewOnly = False,
    clear_pending_creates: ClearPending = False,
    import_pending_creates: ImportPending = None,
    parallel: flags.Parallel = 0,
    diff: flags.Differences = False,
    event_log: flags.EventLog = None,
) -> int:
    """Read the real machines into the state."""
    pending = import_pending_creates or []
    if len(pending) % 2:
        raise UserError("--import-pending-creates takes a URN and an ID, each given with the option")
    options = Options(
        targets=flags.several(targets),
        target_dependents=target_dependents,
        excludes=flags.several(exclude),
        expect_no_changes=expect_no_changes,
        preview_only=preview_only,
        clear_pending_creates=clear_pending_creates,
        import_pending_creates=tuple(zip(pending[::2], pending[1::2], strict=True)),
        parallel=parallel,
    )
    names = stacks.existing_stacks(target, engine)[: 1 if only else None]
    if not names:
        raise UserError(f"there is no stack of {target} yet", hint=f"make it with `gigasite up {target}`")
    if not preview_only:
        flags.confirm(f"Refresh {', '.join(names)}", yes=yes)
    shown = stacks.Shown(as_json=as_json, differences=diff, event_log=event_log)
    return flags.run_each(Operation.REFRESH, names, engine=engine, options=lambda _name: options, shown=shown)
