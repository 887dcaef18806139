"""`gigasite destroy`: remove what the stacks hold, the pods' before the site's."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from infra.cli.arguments import Engine, EngineName, Yes
from infra.cli.stacks import options as flags
from infra.engine import Operation
from infra.errors import UserError
from infra.stacks import operations

Remove = Annotated[bool, typer.Option("--remove", help="Remove the empty stacks as well.")]


@flags.with_options(
    "targets", "target_dependents", "excludes", "exclude_protected", "ignore_protect",
    "refresh", "continue_on_error", "preview_only", "parallel",
)  # fmt: skip
def command(
    target: flags.Target,
    engine: Engine = EngineName.EMBEDDED,
    yes: Yes = False,
    only: flags.Only = False,
    remove: Remove = False,
    **given: Any,
) -> int:
    """Remove a stack's resources."""
    options = flags.options_of(given)
    found = operations.existing_stacks(target, engine)
    # The pods refer to the site's stack, so they go first.
    names = found[:1] if only else tuple(reversed(found))
    if not names:
        raise UserError(f"there is no stack of {target}", hint="see `gigasite stack ls`")
    if not options.preview_only:
        flags.confirm(f"Destroy all resources of {', '.join(names)}", yes=yes)
    shown = flags.display_options_of(given)
    code = flags.run_each(Operation.DESTROY, names, engine=engine, options=options, shown=shown)
    if remove and not code and not options.preview_only:
        for name in names:
            operations.remove(name, engine)
    return code
