"""The typer application whose verbs are imported only when they are called."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from infra.cli.verbs import available
from infra.errors import UserError


class LazyVerbs(TyperGroup):
    """Shows every verb by its line in the table; imports a verb's module when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, verb in available().items():
            self.add_command(TyperCommand(name, help=verb.help, rich_help_panel=verb.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb (the table knows its name), then the real command behind it."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder and load(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Call the verb; a whole number that it returns is the exit code."""
        result = super().invoke(ctx)
        if isinstance(result, int) and result:
            raise typer.Exit(int(result))
        return result


def load(name: str) -> Any:
    """Import a verb's module and make its command.

    Raises:
        UserError: the module is not there.
    """
    verb = available()[name]
    module = importlib.import_module(verb.module)
    inner = getattr(module, "app", None)
    if inner is None:
        inner = typer.Typer(add_completion=False, rich_markup_mode=None)
        inner.command()(module.command)  # a Typer with a single command is that command, not a group
    command = typer.main.get_command(inner)
    command.name = name
    return command


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 (slow to import, rarely asked)

        print(f"gigasite {version('gigasite')}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 (its callback does the work)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One declaration of an AI site, one preview, one gated rollout, one proof."""
    if ctx.invoked_subcommand is None:
        raise UserError("no verb given", hint="see `gigasite --help`")


def application() -> Any:
    """The whole command line, as one command object."""
    app = typer.Typer(
        cls=LazyVerbs,
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # the boundary owns what an error looks like
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return typer.main.get_command(app)
