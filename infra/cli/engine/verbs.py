"""`gigasite engine`: the embedded engine for any Pulumi project in Python, by the CLI's verbs and flags."""

from __future__ import annotations

from collections.abc import Callable

import typer

from infra.cli.engine import config, runs, stack, state
from infra.cli.engine.project import PulumiCommand

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Any Pulumi project, on the embedded engine."
)

_VERBS: dict[str, Callable[..., int | None]] = {
    "up": runs.up,
    "preview": runs.preview,
    "refresh": runs.refresh,
    "destroy": runs.destroy,
    "import": runs.import_,
    "cancel": stack.cancel,
}
for _name, _verb in _VERBS.items():
    app.command(_name, cls=PulumiCommand)(_verb)
app.command("update", cls=PulumiCommand, hidden=True)(runs.up)
app.command("pre", cls=PulumiCommand, hidden=True)(runs.preview)
app.add_typer(stack.app, name="stack")
app.add_typer(config.app, name="config")
app.add_typer(state.app, name="state")
