"""`gigasite engine config`: the settings of a stack of any Pulumi project."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.engine import project as projects
from infra.cli.engine.project import PulumiCommand
from infra.cli.stacks import config as verbs

app = typer.Typer(add_completion=False, help="A stack's configuration.")

AsJson = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]
AsPath = Annotated[bool, typer.Option("--path", help="The key is a path into an object: `a.b[0]`.")]


@app.callback(invoke_without_command=True)
def list_(
    ctx: typer.Context,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    config_file: projects.ConfigFile = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Open secrets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show all values of a stack, or do what the verb says."""
    if ctx.invoked_subcommand is None:
        with projects.stack_in(cwd, stack, config_file, unlocked=show_secrets) as chosen:
            verbs.list_(chosen, show_secrets=show_secrets, as_json=as_json)


@app.command(cls=PulumiCommand)
def get(
    key: verbs.Key,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    config_file: projects.ConfigFile = None,
    path: AsPath = False,
    as_json: AsJson = False,
) -> None:
    """Get a single configuration value."""
    with projects.stack_in(cwd, stack, config_file, unlocked=True) as chosen:
        verbs.get(chosen, key, path=path, as_json=as_json)


@app.command("set", cls=PulumiCommand)
def set_(
    key: verbs.Key,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="Else from standard input.")] = None,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    config_file: projects.ConfigFile = None,
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt it.")] = False,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="Do not encrypt it.")] = False,
    path: AsPath = False,
) -> None:
    """Set a configuration value."""
    with projects.stack_in(cwd, stack, config_file, unlocked=secret) as chosen:
        verbs.set_(chosen, key, value, secret=secret, plaintext=plaintext, path=path)


@app.command("remove", cls=PulumiCommand)
@app.command("rm", cls=PulumiCommand, hidden=True)
def remove(
    key: verbs.Key,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    config_file: projects.ConfigFile = None,
    path: AsPath = False,
) -> None:
    """Remove a configuration value."""
    with projects.stack_in(cwd, stack, config_file) as chosen:
        verbs.rm(chosen, key, path=path)


@app.command(cls=PulumiCommand)
def refresh(
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    config_file: projects.ConfigFile = None,
) -> None:
    """Set all values as they were in the last operation; the file before is kept beside it, as `.bak`."""
    with projects.stack_in(cwd, stack, config_file) as chosen:
        verbs.refresh(chosen)
