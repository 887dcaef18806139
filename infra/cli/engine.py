"""`gigasite engine`: the embedded engine for any Pulumi project in Python, by the CLI's verbs and flags."""

from __future__ import annotations

from collections.abc import Callable

import typer

from infra.cli import engine_config, engine_runs, engine_stack, engine_state
from infra.cli.engine_project import PulumiCommand

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Any Pulumi project, on the embedded engine."
)

_VERBS: dict[str, Callable[..., int | None]] = {
    "up": engine_runs.up,
    "preview": engine_runs.preview,
    "refresh": engine_runs.refresh,
    "destroy": engine_runs.destroy,
    "import": engine_runs.import_,
    "cancel": engine_stack.cancel,
}
for _name, _verb in _VERBS.items():
    app.command(_name, cls=PulumiCommand)(_verb)
app.command("update", cls=PulumiCommand, hidden=True)(engine_runs.up)
app.command("pre", cls=PulumiCommand, hidden=True)(engine_runs.preview)
app.add_typer(engine_stack.app, name="stack")
app.add_typer(engine_config.app, name="config")
app.add_typer(engine_state.app, name="state")
