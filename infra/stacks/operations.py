"""Runs operations on the stacks of a site, on the embedded engine or on the Pulumi CLI.

`run_stack` does one operation on one stack and is what `up`, `preview`, `refresh` and `destroy` share. State,
passphrase and names are the same for both engines, so either goes on where the other stopped.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.engine import EngineError, Operation, Options
from infra.engine.backend.backend import FileBackend
from infra.engine.resource.stack_ref import StackRef
from infra.errors import UserError
from infra.stacks import workspace
from infra.stacks.stack_runs import EngineName, Shown, StackRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from infra.engine.events import Event

__all__ = ["Operation", "Options", "Shown", "StackRun", "run_stack"]


def backend() -> FileBackend:
    """Where the state of the project's stacks is; both engines use it."""
    return FileBackend(backend_url())


def backend_url() -> str:
    """The checkout's own folder, unless the environment names another backend."""
    return workspace.current().url


def project_name() -> str:
    """The name of the project that is worked on."""
    return workspace.current().project


def passphrase_file(site: str) -> Path:
    """The file with the passphrase of a site's secrets; made with a random one when it is first asked for."""
    file = paths.state(site) / "passphrase"
    if not file.exists():
        fresh = file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)  # whoever comes first wins; nobody replaces a passphrase
        fresh.unlink()
    return file


def share_passphrase(old: str, new: str) -> None:
    """Have the stacks of one site open with the passphrase of another, whose stack becomes one of it.

    Raises:
        UserError: the new site has secrets of its own already.
    """
    if old == new or _passphrase_given():
        return
    theirs = passphrase_file(old)
    file = paths.state(new) / "passphrase"
    if not file.exists():
        os.link(theirs, file)
    elif file.read_text() != theirs.read_text():
        raise UserError(
            f"the stacks of {new} are under another passphrase than those of {old}",
            hint=f"if {new} has no stacks yet, move {file} away",
        )


def _passphrase_given() -> bool:
    return any(name in os.environ for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"))


@contextlib.contextmanager
def environment(site: str) -> Iterator[dict[str, str]]:
    """Have backend and passphrase in the environment, where the engine, the program and providers look."""
    if workspace.current().foreign:
        yield dict(os.environ)
        return
    ours = {"PULUMI_BACKEND_URL": backend_url(), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    if not _passphrase_given():
        ours["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file(site))
    with variables(ours):
        yield dict(os.environ)


@contextlib.contextmanager
def variables(ours: Mapping[str, str]) -> Iterator[None]:
    """Have variables in the environment, and put back what was there before."""
    before = {name: os.environ.get(name) for name in ours}
    os.environ |= ours
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def site_of(stack: str) -> str:
    """The site that a stack belongs to: `lab` of `lab.pod-01`."""
    return stack.partition(".")[0]


def stacks_of(target: str) -> tuple[str, ...]:
    """The stacks that a name means: all of a site, or the one of a pod (`SITE.POD`); the site's own first.

    Raises:
        UserError: there is no such site or pod.
    """
    from infra import plan, spec  # noqa: PLC0415 (polars and pydantic are slow to import)

    site = site_of(target)
    every = (site, *(f"{site}.{pod}" for pod in plan.plan(spec.load_site(site)).pods))
    if target == site:
        return every
    if target not in every:
        raise UserError(f"site {site} has no pod {target.partition('.')[2]}", hint="see `gigasite plan`")
    return (target,)


def existing_stacks(target: str, engine: EngineName = EngineName.EMBEDDED) -> tuple[str, ...]:
    """As `stacks_of`, but those that have a state; also of a site whose declaration is gone."""
    if of_the_cli(engine):
        names = pulumi_cli().names(project_name())
    else:
        names = [summary.ref.stack for summary in backend().stacks(project_name())]
    return tuple(sorted(name for name in names if name == target or name.startswith(f"{target}.")))


def of_the_cli(engine: EngineName) -> bool:
    """Whether the stacks are in a backend that only the CLI can reach, and it is the CLI that shall."""
    return engine is EngineName.PULUMI and not backend_url().startswith("file://")


def exists(stack: str, engine: EngineName = EngineName.EMBEDDED) -> bool:
    """Whether there is such a stack."""
    if of_the_cli(engine):
        return stack in pulumi_cli().names(project_name())
    return backend().exists(reference(stack))


def remove(stack: str, engine: EngineName = EngineName.EMBEDDED, *, backups: bool = False) -> None:
    """Remove a stack that holds nothing any more; its settings stay.

    Args:
        stack: its name.
        engine: whose backend it is in.
        backups: remove its last states too.
    """
    if of_the_cli(engine):
        pulumi_cli().remove(reference(stack))
    else:
        backend().remove(reference(stack), backups=backups)


def pulumi_cli() -> ModuleType:
    """The module that runs the CLI, which mostly is not needed."""
    return importlib.import_module("infra.stacks.pulumi_cli")


def reference(stack: str) -> StackRef:
    """A stack's full name.

    Raises:
        EngineError: it is no stack's name.
    """
    return StackRef.parse(stack, project_name())


def run_stack(
    operation: Operation,
    stack: str,
    *,
    engine: EngineName = EngineName.EMBEDDED,
    options: Options | None = None,
    shown: Shown | None = None,
    on_event: Callable[[Event], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> StackRun:
    """Do one operation on one stack; it is made if there is none of that name (for a preview, only for now).

    Args:
        operation: preview, up, refresh, destroy or import.
        stack: `SITE` or `SITE.POD`.
        engine: what runs the program.
        options: targets and the like.
        shown: how it is shown on standard output.
        on_event: told every event (embedded engine).
        say: told every line that is printed, instead of standard output.

    Raises:
        UserError: the CLI is asked for and not there.
        EngineError: it could not start (locked, wrong passphrase, damaged state, ...).
    """
    shown, options = shown or Shown(), options or Options()
    ref = reference(stack)
    with environment(site_of(stack)) as variables, _make_stack(stack, engine, for_now=operation == "preview"):
        if engine is EngineName.PULUMI:
            done: StackRun = pulumi_cli().run(operation, ref, options, shown, variables=variables, say=say)
            return done
        from infra.stacks import embedded  # noqa: PLC0415 (not both are needed)

        return embedded.run(operation, ref, options, shown, on_event=on_event, say=say)


@contextlib.contextmanager
def _make_stack(stack: str, engine: EngineName, *, for_now: bool) -> Iterator[None]:
    """Have an empty stack of a name if there is none; for a preview, which changes nothing, only for now."""
    with contextlib.ExitStack() as afterwards:
        # A pod refers to its site's stack.
        for name in dict.fromkeys((site_of(stack), stack) if for_now else (stack,)):
            if exists(name, engine):
                continue
            if engine is EngineName.PULUMI:
                pulumi_cli().init(reference(name))
            else:
                backend().init(reference(name))
            if for_now:
                afterwards.callback(_unmade, name, engine)
        yield


def _unmade(stack: str, engine: EngineName) -> None:
    with contextlib.suppress(EngineError, UserError):  # whoever brought something into it meanwhile keeps it
        remove(stack, engine, backups=True)


def settings_salt(ref: StackRef) -> str:
    """The salt in a stack's settings file, which counts where its state has none; empty without one."""
    return workspace.current().settings(ref.stack).encryption_salt


def stack_outputs(ref: StackRef, *, show_secrets: bool = False) -> dict[str, Any]:
    """The outputs of a stack; secrets as `[secret]`, or opened.

    Raises:
        EngineError: no such stack; or secrets are asked for and the passphrase is wrong.
    """
    from infra.engine.backend.secrets import NoSecrets, crypter_for  # noqa: PLC0415
    from infra.engine.display.event_json import mask_secrets  # noqa: PLC0415
    from infra.engine.resource import value_json, values  # noqa: PLC0415
    from infra.engine.resource.urn import STACK_TYPE  # noqa: PLC0415

    deployment = backend().read(ref).deployment
    none: dict[str, Any] = {}
    root = next((one for one in deployment.get("resources") or () if one["type"] == STACK_TYPE), none)
    outputs = root.get("outputs") or {}
    if not show_secrets:
        shown = {
            key: mask_secrets(value) for key, value in value_json.from_json(outputs, NoSecrets()).items()
        }
        return {key: value_json.value_to_json(value, None) for key, value in shown.items()}
    with environment(site_of(ref.stack)):
        crypter = crypter_for(deployment.get("secrets_providers"), settings_salt(ref))
        opened = value_json.from_json(outputs, crypter)
        return {key: value_json.value_to_json(values.unwrap(value), None) for key, value in opened.items()}


def first_failure(runs: Sequence[StackRun]) -> int:
    """The exit code of several runs together."""
    return next((one.exit_code for one in runs if one.exit_code), 0)
