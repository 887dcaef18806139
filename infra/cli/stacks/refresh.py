"""`gigasite refresh`: what the real machines are now, into the state."""

from __future__ import annotations

from typing import Any

from infra.cli.arguments import Engine, EngineName, Yes
from infra.cli.stacks import options as flags
from infra.engine import Operation
from infra.errors import UserError
from infra.stacks import operations


@flags.with_options(
    "targets", "target_dependents", "excludes", "exclude_dependents", "expect_no_changes", "preview_only",
    "clear_pending_creates", "import_pending_creates", "parallel",
)  # fmt: skip
def command(
    target: flags.Target,
    engine: Engine = EngineName.EMBEDDED,
    yes: Yes = False,
    only: flags.Only = False,
    **given: Any,
) -> int:
    """Read the real machines into the state."""
    options = flags.options_of(given)
    names = operations.existing_stacks(target, engine)[: 1 if only else None]
    if not names:
        raise UserError(f"there is no stack of {target} yet", hint=f"make it with `gigasite up {target}`")
    if not options.preview_only:
        flags.confirm(f"Refresh {', '.join(names)}", yes=yes)
    shown = flags.display_options_of(given)
    return flags.run_each(Operation.REFRESH, names, engine=engine, options=options, shown=shown)
