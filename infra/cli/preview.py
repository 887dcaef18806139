"""`gigasite preview`: what `up` would change, on the site's stack and on each pod's."""

from __future__ import annotations

from typing import Any

from infra.cli import engine_options as flags
from infra.cli.arguments import Engine, EngineName
from infra.engine import Operation
from infra.rollout import grid
from infra.stacks import operations


@flags.with_options(
    "targets", "target_dependents", "excludes", "exclude_dependents", "replace", "target_replace",
    "refresh", "expect_no_changes", "policy_packs", "policy_pack_configs", "parallel",
)  # fmt: skip
def command(
    target: flags.Target, engine: Engine = EngineName.EMBEDDED, only: flags.Only = False, **given: Any
) -> int:
    """Show what `up` would change."""
    options, shown = flags.options_of(given), flags.shown_of(given)
    names = operations.stacks_of(target)[: 1 if only else None]
    if not shown.as_json:
        for gate in grid.gates_of(operations.site_of(target)):
            print(grid.words(gate))
    return flags.run_each(Operation.PREVIEW, names, engine=engine, options=options, shown=shown)
