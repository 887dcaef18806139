"""Parts that the verbs of `gigasite engine` share: the project of `--cwd`, its stack, its passphrase."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from infra.engine.backend import secrets
from infra.engine.backend.secrets import PassphraseCrypter
from infra.engine.workspace import home
from infra.engine.workspace.project import backend_url
from infra.engine.workspace.project_file import find_project, load_project
from infra.errors import UserError
from infra.stacks import operations, workspace
from infra.stacks.workspace import Workspace, working_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.engine.workspace.project import Project

Cwd = Annotated[Path, typer.Option("--cwd", "-C", help="Run as if started in this folder.")]
StackName = Annotated[
    str, typer.Option("--stack", "-s", help="The stack; else PULUMI_STACK, else the selected one.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config-file", help="Settings of the stack, instead of Pulumi.STACK.yaml.")
]
NonInteractive = Annotated[bool, typer.Option("--non-interactive", help="Never ask.")]
HERE = Path()


class StackNotFoundError(UserError):
    """There is no such stack."""

    exit_code = 6  # as the CLI (pkg/cmd/pulumi/cmd/exit_codes.go)


class InvocationError(UserError):
    """The command cannot be done as it was given."""

    exit_code = 2  # as the CLI, whose name for it is ExitConfigurationError


class PulumiCommand(TyperCommand):
    """A command whose flags may be written as the CLI's: `--diff=true`, `--protect=false`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write each flag as click knows it."""
        flags = {words: one for one in self.params for words in one.opts if getattr(one, "is_flag", False)}
        written = []
        for word in args:
            name, equals, value = word.partition("=")
            flag = flags.get(name)
            if not equals or flag is None or value.lower() not in {"true", "false", "1", "0", "t", "f"}:
                written.append(word)
            elif value.lower() in {"true", "1", "t"}:
                written.append(name)
            elif flag.secondary_opts:
                written.append(flag.secondary_opts[0])
        return super().parse_args(ctx, written)


def interactive(*, refused: bool = False) -> bool:
    """Whether there is a person to ask, as the CLI judges it."""
    return not refused and sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def original_url(project: Project) -> str:
    """The backend as it was given, by which the CLI keeps the selected stack."""
    return os.environ.get("PULUMI_BACKEND_URL") or project.backend_url or home.current_backend() or "file://~"


@contextmanager
def open_project(cwd: Path, config_file: Path | None = None) -> Iterator[Project]:
    """Have the verbs work on the project in a folder, or in one above it.

    Raises:
        EngineError: not found, or its file has mistakes.
    """
    if not cwd.is_dir():
        raise InvocationError(f"there is no folder {cwd}", hint="look at --cwd")
    project = load_project(find_project(cwd))
    file = cwd.absolute() / config_file if config_file else None
    with working_on(Workspace(project.folder, project.name, backend_url(project), file, foreign=True)):
        yield project


@contextmanager
def stack_in(cwd: Path, given: str, file: Path | None = None, *, unlocked: bool = False) -> Iterator[str]:
    """Have the verbs work on the project in a folder; yields the name of its stack that is meant.

    Args:
        cwd: the folder, or one below it.
        given: what `--stack` says.
        file: settings of the stack, instead of Pulumi.STACK.yaml.
        unlocked: have the stack's passphrase too.

    Raises:
        EngineError: there is no project, or its file has mistakes.
        StackNotFoundError: there is no such stack.
    """
    with open_project(cwd, file) as project:
        chosen = stack_of(project, given)
        if unlocked:
            unlock(chosen, ask=interactive())
        yield chosen


def stack_of(project: Project, given: str, *, offer_new: bool = False, ask: bool = False) -> str:
    """The stack that is meant: named, of PULUMI_STACK, or selected.

    Args:
        project: the project.
        given: what `--stack` says.
        offer_new: a person may make it now.
        ask: there is a person.

    Raises:
        StackNotFoundError: there is none of that name.
        UserError: none is meant.
    """
    chosen = given or os.environ.get("PULUMI_STACK")
    if not chosen:
        chosen = home.read_selected_stack(project.name, project.file, original_url(project))
    if not chosen:
        init = " or `gigasite engine stack init`" if offer_new else ""
        raise UserError("no stack selected", hint=f"use `gigasite engine stack select`{init}, or --stack")
    ref = operations.reference(chosen)
    if operations.backend().exists(ref):
        return ref.stack
    if offer_new and ask:
        print(f"The stack '{chosen}' does not exist.\n")
        input("If you would like to create this stack now, please press <ENTER>, otherwise press ^C: ")
        make_stack(project, ref.stack, ask=ask)
        return ref.stack
    raise StackNotFoundError(
        f"no stack named '{chosen}' found", hint=f"make it with `gigasite engine stack init {chosen}`"
    )


def make_stack(project: Project, stack: str, *, ask: bool, select: bool = True) -> None:
    """Make an empty stack under a passphrase, and choose it.

    Raises:
        EngineError: there is one of that name, or no passphrase.
    """
    ref = operations.reference(stack)
    settings = workspace.current().settings(ref.stack)
    if settings.encryption_salt:
        unlock(stack, ask=ask)
    elif ask and not secrets.is_given():
        secrets.use_passphrase(_new_passphrase())
    crypter = PassphraseCrypter(settings.encryption_salt)
    crypter.check()
    operations.backend().init(ref)
    if not settings.encryption_salt:
        settings.encryption_salt = crypter.salt
        settings.save()
    if select:
        home.select_stack(project.name, project.file, original_url(project), str(ref))
    print(f"Created stack '{ref.stack}'")


def remove_stack(
    project: Project,
    stack: str,
    *,
    force: bool = False,
    preserve_config: bool = False,
    remove_backups: bool = False,
) -> None:
    """Remove a stack, its history and its settings; its last states stay as backups unless those shall go.

    Raises:
        EngineError: it still has resources, unless forced.
    """
    ref = operations.reference(stack)
    operations.backend().remove(ref, force=force, backups=remove_backups)
    if not preserve_config:
        project.settings_path(ref.stack).unlink(missing_ok=True)
    url = original_url(project)
    chosen = home.read_selected_stack(project.name, project.file, url)
    if chosen and operations.reference(chosen) == ref:
        home.select_stack(project.name, project.file, url, "")
    print(f"Stack '{ref.stack}' has been removed!")


def unlock(stack: str, *, ask: bool) -> None:
    """Have the passphrase of a stack: ask for it where the environment has none and there is a person."""
    if secrets.is_given() or not ask:
        return
    salt = salt_of(stack)
    if not salt:
        secrets.use_passphrase(_new_passphrase())
        return
    while True:
        typed = _hidden(
            f"Enter your passphrase to unlock config/secrets for stack {stack}\n"
            "    (set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to remember)"
        )
        try:
            PassphraseCrypter(salt, lambda typed=typed: typed).check()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 (said, and asked again)
            print(f"error: {error}", file=sys.stderr)
        else:
            secrets.use_passphrase(typed)
            return


def salt_of(stack: str) -> str:
    """The salt of a stack's secrets: of its state, else of its settings; empty if it has none."""
    ref = operations.reference(stack)
    backend = operations.backend()
    provider = backend.read(ref).deployment.get("secrets_providers") if backend.exists(ref) else None
    salt = ((provider or {}).get("state") or {}).get("salt")
    return str(salt or workspace.current().settings(ref.stack).encryption_salt)


def _new_passphrase() -> str:
    while True:
        first = _hidden("Enter your passphrase to protect config/secrets")
        if first == _hidden("Re-enter your passphrase to confirm"):
            return first
        print("error: passphrases do not match", file=sys.stderr)


def _hidden(prompt: str) -> str:
    import getpass  # noqa: PLC0415 (only where a person is asked)

    return getpass.getpass(f"{prompt}: ")
