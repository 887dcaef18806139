"""`gigasite engine up|preview|refresh|destroy|import`: operations on a stack of any Pulumi project."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from infra.cli.arguments import Yes
from infra.cli.engine import project as projects
from infra.cli.stacks import import_ as import_verb
from infra.cli.stacks import options as flags
from infra.cli.stacks.config import set_ as set_config
from infra.engine import EngineError, Operation, Options
from infra.engine.workspace.toolchain import ambient
from infra.errors import UserError
from infra.stacks import operations, workspace

WORDS: Final = {
    Operation.UP: "update",
    Operation.REFRESH: "refresh",
    Operation.DESTROY: "destroy",
    Operation.IMPORT: "import",
}
"""What the CLI calls each when it asks."""

SHARED: Final[dict[str, tuple[Any, Any]]] = {
    "cwd": (projects.Cwd, projects.HERE),
    "stack": (projects.StackName, ""),
    "config_file": (projects.ConfigFile, None),
    "message": (Annotated[str, typer.Option("--message", "-m", help="Kept in the stack's history.")], ""),
    "non_interactive": (projects.NonInteractive, False),
}
CONFIGURED: Final[dict[str, tuple[Any, Any]]] = {
    "config": (
        Annotated[
            list[str] | None,
            typer.Option("--config", "-c", metavar="KEY=VALUE", help="Set in the stack's settings first."),
        ],
        None,
    ),
    "config_path": (
        Annotated[bool, typer.Option("--config-path", help="The keys of --config are paths into objects.")],
        False,
    ),
}
NOTHING_TO_DO: Final[dict[str, tuple[Any, Any]]] = {
    # Taken for scripts: there are no dots, no links and no downloads here.
    name: (Annotated[bool, typer.Option(f"--{name.replace('_', '-')}", hidden=True)], False)
    for name in ("suppress_progress", "suppress_permalink", "skip_plugin_pre_install")
}
ASKED: Final[dict[str, tuple[Any, Any]]] = {"yes": (Yes, False)}
SKIPPED: Final[dict[str, tuple[Any, Any]]] = {
    "skip_preview": (
        Annotated[bool, typer.Option("--skip-preview", "-f", help="Do it without a preview first.")],
        False,
    )
}
_OF_ALL = ("targets", "target_dependents", "excludes", "run_program", "skip_config_validation", "parallel")
_OF_PROGRAM = (
    "exclude_dependents", "replace", "target_replace", "policy_packs", "policy_pack_configs", "refresh",
    "expect_no_changes",
)  # fmt: skip


@flags.with_options(
    *_OF_ALL,
    *_OF_PROGRAM,
    "continue_on_error",
    "ignore_protect",
    more=SHARED | NOTHING_TO_DO | CONFIGURED | ASKED | SKIPPED,
)
def up(**given: Any) -> int:
    """Create or update the resources in a stack."""
    return _run(Operation.UP, given)


@flags.with_options(*_OF_ALL, *_OF_PROGRAM, more=SHARED | NOTHING_TO_DO | CONFIGURED)
def preview(**given: Any) -> int:
    """Show a preview of updates to a stack's resources."""
    return _run(Operation.PREVIEW, given)


@flags.with_options(
    *_OF_ALL, "exclude_dependents", "expect_no_changes", "preview_only", "clear_pending_creates",
    "import_pending_creates", more=SHARED | NOTHING_TO_DO | CONFIGURED | ASKED | SKIPPED,
)  # fmt: skip
def refresh(**given: Any) -> int:
    """Refresh the resources in a stack."""
    return _run(Operation.REFRESH, given)


@flags.with_options(
    *_OF_ALL, "exclude_protected", "ignore_protect", "refresh", "continue_on_error", "preview_only",
    more=SHARED | NOTHING_TO_DO | CONFIGURED | ASKED | SKIPPED,
)  # fmt: skip
def destroy(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the stack and its settings file as well.")
    ] = False,
    **given: Any,
) -> int:
    """Destroy all existing resources in a stack."""
    code = _run(Operation.DESTROY, given)
    if remove and not code and not given["preview_only"]:
        with projects.open_project(given["cwd"], given["config_file"]) as project:
            name = projects.stack_of(project, given["stack"])
            projects.remove_stack(project, name)
    return code


@flags.with_options("preview_only", "parallel", more=SHARED | NOTHING_TO_DO | ASKED)
def import_(
    type_: import_verb.Type = None,
    name: import_verb.ResourceName = None,
    identity: import_verb.Identity = None,
    file: import_verb.File = None,
    parent: Annotated[str, typer.Option("--parent", help="Its parent: NAME=URN.")] = "",
    provider: Annotated[str, typer.Option("--provider", help="Its provider: NAME=URN.")] = "",
    protect: Annotated[bool, typer.Option("--protect/--no-protect", help="Protect them.")] = True,
    generate_code: Annotated[
        bool,
        typer.Option("--generate-code/--no-generate-code", help="Say that code is made by the CLI alone."),
    ] = True,
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", help="Do it without a preview first.")
    ] = False,
    **given: Any,
) -> int:
    """Import resources into a stack."""

    def specs(stack: str) -> dict[str, Any]:
        found = import_verb.specs_of(
            stack, type_, name, identity, file=file, parent=parent, provider=provider, protect=protect
        )
        return {"imports": tuple(found)}

    code = _run(Operation.IMPORT, given | {"skip_preview": skip_preview}, specs)
    if generate_code and not code and not given["as_json"] and not given["preview_only"]:
        print("Declare them in the program next; code for that is made by the Pulumi CLI alone.")
    return code


def _run(operation: Operation, given: dict[str, Any], more: Any = lambda _: {}) -> int:
    """Open the project, find the stack, and do it."""
    ask = projects.interactive(refused=given["non_interactive"])
    agreed = (
        given.get("yes")
        or given.get("skip_preview")
        or os.environ.get("PULUMI_SKIP_CONFIRMATIONS", "").lower() in {"1", "true"}
    )
    new = operation in {Operation.UP, Operation.PREVIEW}
    with projects.open_project(given["cwd"], given["config_file"]) as project:
        if operation is not Operation.PREVIEW and not (agreed or ask or given.get("preview_only")):
            raise projects.InvocationError(
                "--yes or --skip-preview or --preview-only must be passed in to proceed when running in "
                "non-interactive mode"
            )
        stack = projects.stack_of(project, given["stack"], offer_new=new, ask=ask)
        for one, other in (("targets", "excludes"), ("exclude_protected", "ignore_protect")):
            if given.get(one) and given.get(other):
                words = " and ".join(part.replace("_", " ") for part in (one, other))
                raise projects.InvocationError(f"{words} exclude each other")
        projects.unlock(stack, ask=ask)
        _set(stack, given)
        options = dataclasses.replace(
            flags.options_of(given), message=given["message"], python=_python(),
            settings_file=workspace.current().settings_file, **more(stack),
        )  # fmt: skip
        shown = flags.display_options_of(given)
        if operation is Operation.PREVIEW or options.preview_only:
            return _once(operation, stack, options, shown)
        # Nobody reads the preview of a script that takes JSON.
        if not given["skip_preview"] and not (shown.as_json and agreed):
            planned = dataclasses.replace(
                options, preview_only=operation is not Operation.UP, expect_no_changes=False
            )
            first = Operation.PREVIEW if operation is Operation.UP else operation
            code = _once(first, stack, planned, dataclasses.replace(shown, event_log=None))
            if code:
                return code
        if not agreed and not _ask(WORDS[operation]):
            raise UserError(f"confirmation declined, not proceeding with the {WORDS[operation]}")
        return _once(operation, stack, options, shown)


def _set(stack: str, given: dict[str, Any]) -> None:
    """Save the configuration that was given."""
    for one in given.get("config") or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise projects.InvocationError(f"--config {one} is not KEY=VALUE")
        set_config(stack, key, value, path=given["config_path"])


def _python() -> str:
    with suppress(EngineError):  # a virtual environment may make it needless; without one the run says so
        return ambient().path
    return ""


def _ask(what: str) -> bool:
    while True:
        answer = input(f"Do you want to perform this {what}? [yes/no] ").strip().lower()
        if answer in {"yes", "y", "no", "n", ""}:
            return answer in {"yes", "y"}


def _once(operation: Operation, stack: str, options: Options, shown: operations.Shown) -> int:
    from infra.stacks import embedded  # noqa: PLC0415 (grpc is slow to import)

    done = embedded.run(operation, operations.reference(stack), options, shown, on_event=None, say=None)
    if done.document is not None:
        print(json.dumps(done.document, indent=4))
    return done.exit_code
