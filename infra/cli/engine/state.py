"""`gigasite engine state`: repairs of the state of a stack of any Pulumi project."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.arguments import Yes
from infra.cli.engine import project as projects
from infra.cli.engine.project import PulumiCommand
from infra.cli.stacks import state as verbs

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Repairs of a stack's state.")


@app.command(cls=PulumiCommand)
def delete(
    urn: verbs.UrnArgument,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    force: verbs.Force = False,
    target_dependents: verbs.TargetDependents = False,
    yes: Yes = False,
) -> None:
    """Forget a resource; the real one stays."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.delete(chosen, urn, force=force, target_dependents=target_dependents, yes=yes)


@app.command(cls=PulumiCommand)
def unprotect(
    urn: Annotated[str | None, typer.Argument(metavar="[URN]", help="A resource's URN.")] = None,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    every: Annotated[bool, typer.Option("--all", help="All resources of the stack.")] = False,
    yes: Yes = False,
) -> None:
    """Take the protection from a resource."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.unprotect(chosen, urn, every=every, yes=yes)


@app.command(cls=PulumiCommand)
def rename(
    urn: verbs.UrnArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name, the last part of the URN.")],
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    yes: Yes = False,
) -> None:
    """Give a resource another name; all that refer to it follow."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.rename(chosen, urn, name, yes=yes)


@app.command(cls=PulumiCommand)
def repair(stack: projects.StackName = "", cwd: projects.Cwd = projects.HERE, yes: Yes = False) -> None:
    """Put a damaged state in order: the sequence, and references to what is gone."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.repair(chosen, yes=yes)
