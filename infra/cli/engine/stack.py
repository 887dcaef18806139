"""`gigasite engine stack` and `cancel`: the stacks of any Pulumi project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.arguments import Yes
from infra.cli.engine import project as projects
from infra.cli.engine.project import PulumiCommand
from infra.cli.stacks import cancel as cancel_verb
from infra.cli.stacks import options as flags
from infra.cli.stacks import stack as verbs
from infra.engine.workspace import home
from infra.errors import UserError
from infra.stacks import operations

if TYPE_CHECKING:
    from infra.engine.workspace.project import Project

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Stacks and what they hold.")

Named = Annotated[str, typer.Argument(metavar="[STACK]", help="The stack.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Open secrets.")]
AsJson = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]
File = Annotated[Path | None, typer.Option("--file", help="A file; else standard input or output.")]


def _one_name(argument: str, option: str) -> str:
    if argument and option:
        raise UserError("only one of --stack or argument stack name may be specified, not both")
    return argument or option


@app.command("list", cls=PulumiCommand)
@app.command("ls", cls=PulumiCommand, hidden=True)
def list_(
    cwd: projects.Cwd = projects.HERE,
    every: Annotated[bool, typer.Option("--all", "-a", help="Of all projects in the backend.")] = False,
    as_json: AsJson = False,
) -> None:
    """List stacks."""
    with projects.open_project(cwd) as project:
        chosen = _select(project)
        found = operations.backend().stacks(None if every else project.name)
        verbs.show_list(found, chosen, as_json=as_json)


def _select(project: Project) -> str:
    name = home.read_selected_stack(project.name, project.file, projects.original_url(project))
    return operations.reference(name).stack if name else ""


@app.command("init", cls=PulumiCommand)
@app.command("new", cls=PulumiCommand, hidden=True)
def init(
    name: Named = "",
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    no_select: Annotated[bool, typer.Option("--no-select", help="Do not select it.")] = False,
    non_interactive: projects.NonInteractive = False,
) -> None:
    """Create an empty stack with the given name, ready for updates."""
    with projects.open_project(cwd) as project:
        chosen = _one_name(name, stack)
        if not chosen:
            raise UserError("missing stack name", hint="for example `gigasite engine stack init dev`")
        ask = projects.interactive(refused=non_interactive)
        projects.make_stack(project, chosen, ask=ask, select=not no_select)


@app.command(cls=PulumiCommand)
def select(
    name: Named = "",
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    create: Annotated[bool, typer.Option("--create", "-c", help="Make it if there is none.")] = False,
) -> None:
    """Switch the project to the given stack; the Pulumi CLI knows of it too."""
    with projects.open_project(cwd) as project:
        chosen = _one_name(name, stack)
        if create and chosen and not operations.backend().exists(operations.reference(chosen)):
            projects.make_stack(project, chosen, ask=projects.interactive())
            return
        ref = operations.reference(projects.stack_of(project, chosen))
        home.select_stack(project.name, project.file, projects.original_url(project), str(ref))


@app.command("remove", cls=PulumiCommand)
@app.command("rm", cls=PulumiCommand, hidden=True)
def remove(
    name: Named = "",
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    force: Annotated[bool, typer.Option("--force", "-f", help="Even if it still has resources.")] = False,
    preserve_config: verbs.PreserveConfig = False,
    remove_backups: verbs.RemoveBackups = False,
    yes: Yes = False,
) -> None:
    """Remove a stack and its configuration."""
    with projects.open_project(cwd) as project:
        chosen = projects.stack_of(project, _one_name(name, stack))
        flags.confirm(f"Remove the stack {chosen} with its history", yes=yes)
        projects.remove_stack(
            project, chosen, force=force, preserve_config=preserve_config, remove_backups=remove_backups
        )


@app.command(cls=PulumiCommand)
def rename(
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
) -> None:
    """Rename an existing stack."""
    with projects.open_project(cwd) as project:
        old = operations.reference(projects.stack_of(project, stack))
        ref = operations.reference(new)
        was_selected = _select(project) == old.stack
        operations.backend().rename(old, ref)
        settings = project.settings_path(old.stack)
        if settings.exists():
            settings.rename(project.settings_path(ref.stack))
        if was_selected:
            home.select_stack(project.name, project.file, projects.original_url(project), str(ref))
        print(f"Renamed {old.stack} to {ref.stack}")


@app.command(cls=PulumiCommand)
def output(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One output alone.")] = None,
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    as_json: AsJson = False,
    show_secrets: ShowSecrets = False,
) -> None:
    """Show a stack's output properties."""
    with projects.stack_in(cwd, stack, unlocked=show_secrets) as chosen:
        verbs.output(chosen, name, as_json=as_json, show_secrets=show_secrets)


@app.command(cls=PulumiCommand)
def history(
    stack: projects.StackName = "", cwd: projects.Cwd = projects.HERE, as_json: AsJson = False
) -> None:
    """Display history for a stack."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.history(chosen, as_json=as_json)


@app.command(cls=PulumiCommand)
def export(
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    file: File = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Export a stack's deployment to standard out."""
    with projects.stack_in(cwd, stack, unlocked=show_secrets) as chosen:
        verbs.export(chosen, file, show_secrets=show_secrets)


@app.command("import", cls=PulumiCommand)
def import_(
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    file: File = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Even of another stack.")] = False,
) -> None:
    """Import a deployment from standard in into an existing stack."""
    with projects.stack_in(cwd, stack) as chosen:
        verbs.import_(chosen, file, force=force)


def cancel(
    name: Named = "",
    stack: projects.StackName = "",
    cwd: projects.Cwd = projects.HERE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Clear a lock of another machine too: you know that it is gone.")
    ] = False,
) -> None:
    """Cancel a stack's currently running update, if any: clear what a dead one left."""
    with projects.stack_in(cwd, _one_name(name, stack)) as chosen:
        if projects.interactive():
            flags.confirm(f"Clear what the last update of {chosen} left", yes=yes)
        cancel_verb.command(chosen, force=force)
