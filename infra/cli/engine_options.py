"""Options that the verbs on stacks share: the CLI's flags, under their names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import stacks
from infra.cli.arguments import sites
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.cli.arguments import EngineName
    from infra.cli.stacks import Shown, StackRun
    from infra.engine import Operation, Options


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
Targets = Annotated[
    list[str] | None, typer.Option("--target", "-t", help="Only this resource (URN; `*` and `**` match).")
]
TargetDependents = Annotated[
    bool, typer.Option("--target-dependents", help="Also what depends on the targets.")
]
Excludes = Annotated[list[str] | None, typer.Option("--exclude", help="Not this resource (URN).")]
ExcludeDependents = Annotated[
    bool, typer.Option("--exclude-dependents", help="Nor what depends on what is excluded.")
]
Replace = Annotated[list[str] | None, typer.Option("--replace", help="Replace this resource (URN).")]
TargetReplace = Annotated[
    list[str] | None, typer.Option("--target-replace", help="As --target and --replace together.")
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Read the real resources first.")]
ExpectNoChanges = Annotated[
    bool, typer.Option("--expect-no-changes", help="Exit with 7 if anything changes.")
]
ContinueOnError = Annotated[
    bool, typer.Option("--continue-on-error", help="Go on with what does not depend on a failure.")
]
Parallel = Annotated[int, typer.Option("--parallel", "-p", help="Operations at once (default 4 per core).")]
Differences = Annotated[bool, typer.Option("--diff", help="Show each property that changes.")]
EventLog = Annotated[
    Path | None, typer.Option("--event-log", help="Append the event stream to this file, as JSON lines.")
]
PolicyPacks = Annotated[
    list[Path] | None, typer.Option("--policy-pack", help="A folder with a policy pack to enforce.")
]
PreviewOnly = Annotated[bool, typer.Option("--preview-only", help="Show what it would do, and stop.")]


def several(values: list[str] | None) -> tuple[str, ...]:
    """The values of an option that may be repeated."""
    return tuple(values or ())


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
    options: Callable[[str], Options],
    shown: Shown,
) -> int:
    """Do one operation on several stacks, one after another, and stop at the first that fails.

    Returns:
        the exit code for all of them.
    """
    runs: list[StackRun] = []
    for name in names:
        done = stacks.run_stack(operation, name, engine=engine, options=options(name), shown=shown)
        runs.append(done)
        if not done.succeeded and done.exit_code != 7:
            break
    if shown.as_json and operation == "preview":
        found = {done.stack: done.document for done in runs}
        print(json.dumps({"engine": runs[0].engine if runs else "", "stacks": found}, indent=4))
    return stacks.first_failure(runs)
