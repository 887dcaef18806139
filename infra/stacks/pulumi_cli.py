"""One operation on one stack, on the Pulumi CLI: the same state, passphrase and names."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import paths, process
from infra.engine import Operation, Options
from infra.engine.resource import urn as urns
from infra.errors import UserError
from infra.stacks import operations
from infra.stacks.stack_runs import EngineName, Shown, StackRun
from infra.stacks.user_files import user_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.engine.resource.stack_ref import StackRef

INTERRUPTED = 130


def require_cli() -> str:
    """The CLI's version.

    Raises:
        UserError: it is not on PATH.
    """
    if shutil.which("pulumi") is None:
        raise UserError(
            "`--engine pulumi` needs the Pulumi CLI, which is not on PATH",
            hint="install it, or leave the option out: the embedded engine needs none",
        )
    return process.run(["pulumi", "version"]).stdout.strip()


def cli_arguments(operation: Operation, ref: StackRef, options: Options, folder: Path) -> list[str]:
    """The CLI's command line for the same run.

    Args:
        operation: what to do.
        ref: the stack.
        options: how.
        folder: where a file may be put that the CLI shall read.
    """
    words = ["pulumi", str(operation), "--stack", str(ref), "--non-interactive"]
    if operation is not Operation.PREVIEW:
        words += ["--preview-only"] if options.preview_only else ["--yes", "--skip-preview"]
        words += ["--message", options.message] if options.message else []
    if operation is Operation.IMPORT:
        words += _import_arguments(options, ref, folder)
    for flag, values in {
        "--target": options.targets,
        "--exclude": options.excludes,
        "--replace": options.replace,
        "--target-replace": options.target_replace,
        "--policy-pack": options.policy_packs,
        "--policy-pack-config": options.policy_pack_configs,
        "--import-pending-creates": [part for pair in options.import_pending_creates for part in pair],
    }.items():
        for value in values:
            words += [flag, str(value)]
    for flag, wanted in {
        "--target-dependents": options.target_dependents,
        "--exclude-dependents": options.exclude_dependents,
        "--refresh": options.refresh,
        "--run-program": options.run_program,
        "--expect-no-changes": options.expect_no_changes,
        "--continue-on-error": options.continue_on_error,
        "--exclude-protected": options.exclude_protected,
        "--ignore-protect": options.ignore_protect,
        "--clear-pending-creates": options.clear_pending_creates,
        f"--parallel={options.parallel}": options.parallel,
    }.items():
        words += [flag] if wanted else []
    return words


def _import_arguments(options: Options, ref: StackRef, folder: Path) -> list[str]:
    """Write the resources to import as the file that the CLI takes."""
    specs = options.imports
    own = [urns.make(ref.stack, ref.project, one.parent, one.type, one.name) for one in specs]
    # One that is imported too is named by its entry: the name table is for what is there already.
    names = {urn: f"resource-{index}" for index, urn in enumerate(own)}
    table: dict[str, str] = {}
    resources = []
    for index, one in enumerate(specs):
        entry: dict[str, Any] = {"type": one.type, "name": f"resource-{index}", "logicalName": one.name}
        for key, urn in (("parent", one.parent), ("provider", one.provider)):
            if urn:
                entry[key] = names.setdefault(urn, f"known-{len(names)}")
                table |= {} if urn in own else {names[urn]: urn}
        given: dict[str, object] = {"id": one.id, "version": one.version, "component": one.component}
        given["properties"] = list(one.properties)
        resources.append(entry | {key: value for key, value in given.items() if value})
    file = folder / "import.json"
    file.write_text(json.dumps({"nameTable": table, "resources": resources}))
    protect = all(one.protect for one in specs)
    return ["--generate-code=false", f"--protect={str(protect).lower()}", "--file", str(file)]


def run(
    operation: Operation,
    ref: StackRef,
    options: Options,
    shown: Shown,
    *,
    variables: dict[str, str],
    say: Callable[[str], None] | None,
) -> StackRun:
    """Do it; the CLI's own output is what is shown.

    Raises:
        UserError: the CLI is not on PATH.
    """
    words = f"Pulumi CLI {require_cli()}".strip()
    tell: Callable[[str], None] = (lambda _line: None) if shown.quiet else say or print
    if not shown.quiet:
        print(f"engine: {words}", file=sys.stderr) if shown.as_json else tell(f"engine: {words}")
    with tempfile.TemporaryDirectory(prefix="gigasite-") as folder:
        log = Path(folder) / "events"
        command = [*cli_arguments(operation, ref, options, Path(folder)), "--event-log", str(log)]
        command += ["--diff"] if shown.differences else []
        command += ["--show-sames"] if shown.same else []
        command += ["--json"] if shown.as_json else []
        lines: list[str] = []
        collect = shown.as_json and operation is Operation.PREVIEW

        def take(line: str) -> None:
            lines.append(line)
            if not collect:
                tell(line)

        # It has the option for its event log only then.
        environment = {**variables, "PULUMI_DEBUG_COMMANDS": "true"}
        with _interrupts_left_to_it() as interrupts:
            code = process.stream(command, take, cwd=paths.ROOT, env=environment)
        if interrupts:
            code = INTERRUPTED  # a destroy that was cut off ends with 0
        changes, errors = _read_events(log)
        if shown.event_log and log.exists():
            with (
                user_file(shown.event_log, "write"),
                shown.event_log.open("a") as out,
            ):  # the CLI would begin the file anew for each stack
                out.write(log.read_text())
        if code and not errors:
            errors = lines[-1:]  # it did not come as far as to tell events
    document = None
    if collect:
        with contextlib.suppress(ValueError):
            document = json.loads("\n".join(lines))
    return StackRun(ref.stack, words, code, changes, _outputs(ref, variables), tuple(errors), document)


@contextlib.contextmanager
def _interrupts_left_to_it() -> Iterator[list[int]]:
    """Let the CLI, which the terminal interrupts too, finish what is in flight, or stop at the second.

    Ending it as well would be the second: it would leave its lock, and operations of unknown outcome.
    """
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def names(project: str) -> list[str]:
    """The stacks of a project, in whatever backend."""
    found = json.loads(_last_words("stack", "ls", "--json", "--project", project) or "[]")
    return [str(one["name"]).rpartition("/")[2] for one in found]


def init(ref: StackRef) -> None:
    """Make an empty stack, in whatever backend."""
    _last_words("stack", "init", str(ref), "--no-select")


def remove(ref: StackRef) -> None:
    """Remove a stack without resources; its settings file stays."""
    _last_words("stack", "rm", "--stack", str(ref), "--yes", "--preserve-config")


def _outputs(ref: StackRef, variables: Mapping[str, str]) -> dict[str, Any]:
    if operations.of_the_cli(EngineName.PULUMI):
        found = _last_words("stack", "output", "--json", "--stack", str(ref), variables=variables)
        return dict(json.loads(found or "{}"))
    return operations.stack_outputs(ref) if operations.backend().exists(ref) else {}


def _last_words(*words: str, variables: Mapping[str, str] | None = None) -> str:
    require_cli()
    environment = variables or os.environ | {"PULUMI_BACKEND_URL": operations.backend_url()}
    command = ["pulumi", *words, "--non-interactive"]
    hint = "see what the Pulumi CLI says above"
    return process.run(command, cwd=paths.ROOT, env=environment, hint=hint).stdout.strip()


def _read_events(log: Path) -> tuple[dict[str, int], list[str]]:
    """Step counts and errors out of the CLI's event log."""
    changes: dict[str, int] = {}
    errors: list[str] = []
    for line in log.read_text().splitlines() if log.exists() else ():
        event = json.loads(line)
        if "summaryEvent" in event:
            changes = event["summaryEvent"].get("resourceChanges") or {}
        said = event.get("diagnosticEvent", {})
        if said.get("severity") == "error":
            where = f"{said['urn']}: " if said.get("urn") else ""
            errors.append(where + said["message"].strip())
    return changes, errors
