"""Options that the verbs on stacks share: the CLI's flags, under their names."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.cli.arguments import Json, sites
from infra.engine import Options
from infra.errors import UserError
from infra.stacks import operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.cli.arguments import EngineName
    from infra.engine import Operation
    from infra.stacks.operations import Shown, StackRun


def _complete(incomplete: str) -> list[str]:
    return [name for name in sites() if name.startswith(incomplete)]


Target = Annotated[
    str,
    typer.Argument(
        metavar="SITE[.POD]", help="A site with all its pods, or one pod's stack.", autocompletion=_complete
    ),
]
Stack = Annotated[str, typer.Argument(metavar="STACK", help="SITE or SITE.POD.", autocompletion=_complete)]
Only = Annotated[bool, typer.Option("--only", help="Of a site, its own stack without the pods'.")]
PreviewOnly = Annotated[bool, typer.Option("--preview-only", help="Show what it would do, and stop.")]


def _flag(words: str, help_: str) -> tuple[Any, Any]:
    return Annotated[bool, typer.Option(*words.split(), help=help_)], False


def _many(words: str, help_: str, kind: type = str) -> tuple[Any, Any]:
    return Annotated[list[kind] | None, typer.Option(*words.split(), help=help_)], None  # type: ignore[valid-type]


OPTIONS: Final = {
    "targets": _many("--target -t", "Only this resource (URN; `*` and `**` match)."),
    "target_dependents": _flag("--target-dependents", "Also what depends on the targets."),
    "excludes": _many("--exclude -x", "Not this resource (URN)."),
    "exclude_dependents": _flag("--exclude-dependents", "Nor what depends on what is excluded."),
    "exclude_protected": _flag("--exclude-protected", "Leave protected resources as they are."),
    "ignore_protect": _flag("--ignore-protect", "Remove protected resources too."),
    "replace": _many("--replace", "Replace this resource (URN)."),
    "target_replace": _many("--target-replace", "As --target and --replace together."),
    "refresh": _flag("--refresh -r", "Read the real resources first."),
    "run_program": _flag("--run-program", "Run the program, so that providers are as it has them now."),
    "skip_config_validation": _flag("--skip-config-validation", "Do not compare values with the project's."),
    "expect_no_changes": _flag("--expect-no-changes", "Exit with 7 if anything changes."),
    "continue_on_error": _flag("--continue-on-error", "Go on with what does not depend on a failure."),
    "preview_only": _flag("--preview-only", "Show what it would do, and stop."),
    "clear_pending_creates": _flag("--clear-pending-creates", "Forget creates whose outcome is not known."),
    "import_pending_creates": _many(
        "--import-pending-creates", "URN, then ID (give it twice): a create that did happen."
    ),
    "policy_packs": _many("--policy-pack", "A folder with a policy pack to enforce.", Path),
    "policy_pack_configs": _many(
        "--policy-pack-config", "The JSON file with a pack's settings, in the order of the packs.", Path
    ),
    "parallel": (
        Annotated[int, typer.Option("--parallel", "-p", help="Operations at once (default 4 per core).")],
        0,
    ),
}
"""Options of a run by their field in `Options`: how they are declared, and what they are if not given."""

SHOWN: Final = {
    "as_json": (Json, False),
    "differences": _flag("--diff", "Show each property that changes."),
    "same": _flag("--show-sames", "Show unchanged resources too."),
    "event_log": (
        Annotated[
            Path | None,
            typer.Option("--event-log", help="Append the event stream to this file, as JSON lines."),
        ],
        None,
    ),
}
"""How a run is shown, by the fields of `Shown`."""


def with_options(
    *names: str, more: Mapping[str, tuple[Any, Any]] | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb that takes `**given` some of OPTIONS and all of SHOWN (see `options_of`, `shown_of`).

    Args:
        names: of the OPTIONS.
        more: further ones, in the same form.
    """

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        own = [
            parameter
            for parameter in inspect.signature(verb, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in (
                {**(more or {})} | {name: OPTIONS[name] for name in names} | SHOWN
            ).items()
        ]
        parameters = [*own, *shared]
        verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        verb.__annotations__ = {one.name: one.annotation for one in parameters}
        return verb

    return decorate


def options_of(given: dict[str, Any]) -> Options:
    """Collect the given options of OPTIONS.

    Raises:
        UserError: half of a pair is missing.
    """
    found = {name: value for name, value in given.items() if name in OPTIONS and value}
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    pending = found.get("import_pending_creates", ())
    if len(pending) % 2:
        raise UserError("--import-pending-creates takes a URN and an ID, each given with the option")
    found["import_pending_creates"] = tuple(zip(pending[::2], pending[1::2], strict=True))
    return Options(**found)


def display_options_of(given: dict[str, Any]) -> Shown:
    """Collect the given options of SHOWN."""
    return operations.Shown(**{name: given[name] for name in SHOWN})


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless told not to.

    Raises:
        UserError: the answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} needs an answer", hint="give it with --yes")
    if input(f"{question}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("not confirmed", done="Nothing was changed.")


def run_each(
    operation: Operation,
    names: Sequence[str],
    *,
    engine: EngineName,
    options: Options,
    shown: Shown,
) -> int:
    """Do one operation on several stacks, one after another, and stop at the first that fails.

    Returns:
        the exit code for all of them.
    """
    code, document = run_all(operation, names, engine=engine, options=options, shown=shown)
    if shown.as_json and operation == "preview":
        print(json.dumps(document, indent=4))
    return code


def run_all(
    operation: Operation,
    names: Sequence[str],
    *,
    engine: EngineName,
    options: Options,
    shown: Shown,
) -> tuple[int, dict[str, Any]]:
    """As `run_each`; returns a preview's digests as one document, too, instead of printing it."""
    runs: list[StackRun] = []
    for name in names:
        done = operations.run_stack(operation, name, engine=engine, options=options, shown=shown)
        runs.append(done)
        if not done.succeeded and done.exit_code != 7:
            break
    found = {done.stack: done.document for done in runs}
    return operations.first_failure(runs), {"engine": runs[0].engine if runs else "", "stacks": found}
