"""`gigasite stack`: list, make, select and remove stacks; outputs; export and import of a deployment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra import paths
from infra.cli.arguments import Json, Yes
from infra.cli.stacks import options as flags
from infra.engine.resource import integrity
from infra.errors import UserError
from infra.stacks import operations, workspace
from infra.stacks.user_files import user_file
from infra.state_files import read_text

if TYPE_CHECKING:
    from infra.engine.backend.backend import StackSummary
    from infra.engine.resource.stack_ref import StackRef

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Stacks and what they hold.")

PreserveConfig = Annotated[
    bool, typer.Option("--preserve-config", help="Leave its settings file, Pulumi.STACK.yaml.")
]
RemoveBackups = Annotated[
    bool, typer.Option("--remove-backups", help="Also the states that were kept as backups.")
]

Optional = Annotated[
    str | None, typer.Argument(metavar="[STACK]", help="SITE or SITE.POD; else the selected.")
]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Open secrets.")]
File = Annotated[Path | None, typer.Option("--file", help="A file; else standard input or output.")]


def resolve_stack(name: str | None) -> str:
    """The stack that is named, or that `stack select` chose.

    Raises:
        UserError: neither.
    """
    if name:
        return name
    chosen = selection()
    if not chosen:
        raise UserError("no stack is named", hint="name one, or choose one with `gigasite stack select`")
    return chosen


def selection() -> str:
    """Return the stack that `stack select` chose; empty if none."""
    return (read_text(_selection(), "choose again with `gigasite stack select`") or "").strip()


def _selection() -> Path:
    return paths.state() / "selected-stack"


@app.command("ls")
def list_(as_json: Json = False) -> None:
    """List the stacks of this checkout."""
    show_list(operations.backend().stacks(operations.project_name()), selection(), as_json=as_json)


def show_list(found: list[StackSummary], current: str, *, as_json: bool) -> None:
    """Print stacks, the chosen one with a mark."""
    if as_json:
        rows = [
            {
                "name": one.ref.stack, "current": one.ref.stack == current,
                "lastUpdate": one.updated.isoformat() if one.updated else "",
                "updateInProgress": one.locked, "resourceCount": one.resource_count,
            }
            for one in found
        ]  # fmt: skip
        print(json.dumps(rows, indent=2))
        return
    width = max([len(one.ref.stack) for one in found], default=4) + 2
    print(f"{'NAME':<{width}} {'LAST UPDATE':<20} RESOURCES")
    for one in found:
        name = one.ref.stack + ("*" if one.ref.stack == current else "")
        when = one.updated.strftime("%Y-%m-%d %H:%M:%S") if one.updated else "n/a"
        print(f"{name:<{width}} {when:<20} {one.resource_count}{'  locked' if one.locked else ''}")


@app.command()
def init(stack: flags.Stack) -> None:
    """Make an empty stack."""
    operations.backend().init(operations.reference(stack))
    operations.passphrase_file(operations.site_of(stack))
    print(f"made the stack {stack}")


@app.command()
def select(stack: flags.Stack) -> None:
    """Choose the stack that commands mean when none is named."""
    if not operations.backend().exists(operations.reference(stack)):
        raise UserError(f"there is no stack {stack}", hint="see `gigasite stack ls`")
    _selection().write_text(stack + "\n")


@app.command()
def rm(
    stack: flags.Stack,
    force: Annotated[bool, typer.Option("--force", help="Even if it still has resources.")] = False,
    preserve_config: PreserveConfig = False,
    remove_backups: RemoveBackups = False,
    yes: Yes = False,
) -> None:
    """Remove a stack, its history and its settings; its last states stay as backups."""
    flags.confirm(f"Remove the stack {stack} with its history", yes=yes)
    ref = operations.reference(stack)
    operations.backend().remove(ref, force=force, backups=remove_backups)
    if not preserve_config:
        _settings(ref).unlink(missing_ok=True)
    if selection() == stack:
        _selection().unlink()
    print(f"removed the stack {stack}")


@app.command()
def rename(
    stack: flags.Stack, name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")]
) -> None:
    """Give a stack another name; its resources, history and settings follow."""
    old, new = operations.reference(stack), operations.reference(name)
    operations.share_passphrase(operations.site_of(stack), operations.site_of(name))
    operations.backend().rename(old, new)
    if _settings(old).exists():
        _settings(old).rename(_settings(new))
    if selection() == stack:
        _selection().write_text(name + "\n")
    print(f"{stack} is {name} now; the settings and declarations that name it are not changed")


def _settings(ref: StackRef) -> Path:
    return workspace.current().load().settings_path(ref.stack)


@app.command()
def output(
    stack: Optional = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One output alone.")] = None,
    as_json: Json = False,
    show_secrets: ShowSecrets = False,
) -> None:
    """Show a stack's outputs."""
    found = operations.stack_outputs(operations.reference(resolve_stack(stack)), show_secrets=show_secrets)
    if name is not None:
        if name not in found:
            raise UserError(f"the stack has no output {name!r}", hint=f"it has {', '.join(found) or 'none'}")
        print(json.dumps(found[name], indent=2) if as_json else _text(found[name]))
    elif as_json:
        print(json.dumps(found, indent=2))
    else:
        for key, value in sorted(found.items()):
            print(f"{key}: {_text(value)}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@app.command()
def history(stack: Optional = None, as_json: Json = False) -> None:
    """Show what was done to a stack, the latest first."""
    entries = operations.backend().history(operations.reference(resolve_stack(stack)))
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    for entry in entries:
        changes = ", ".join(f"{count} {op}" for op, count in (entry.get("resourceChanges") or {}).items())
        seconds = entry["endTime"] - entry["startTime"]
        print(f"{entry['kind']:<8} {entry['result']:<10} {seconds} s  {changes}")


@app.command()
def export(
    stack: Optional = None,
    file: File = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Write a stack's deployment as JSON, as `pulumi stack export` does."""
    from infra.stacks.deployment import export_deployment  # noqa: PLC0415

    text = json.dumps(
        export_deployment(operations.reference(resolve_stack(stack)), show_secrets=show_secrets), indent=4
    )
    if file:
        with user_file(file, "write"):
            file.touch(mode=0o600)
            file.write_text(text + "\n")
            file.chmod(0o600)
    else:
        print(text)


@app.command("import")
def import_(
    stack: Optional = None,
    file: File = None,
    force: Annotated[bool, typer.Option("--force", help="Even of another stack.")] = False,
) -> None:
    """Put a deployment that `export` wrote in the place of a stack's own."""
    from infra.stacks.deployment import import_deployment  # noqa: PLC0415

    with user_file(file or Path("standard input"), "read"):
        text = file.read_text() if file else sys.stdin.read()
    ref = operations.reference(resolve_stack(stack))
    count = import_deployment(ref, text, force=force)
    print(f"{ref.stack} has {count} resources now; the state before is in its .bak file")


@app.command()
def check(stack: Optional = None) -> None:
    """Check that a stack's state holds together."""
    ref = operations.reference(resolve_stack(stack))
    resources = operations.backend().read(ref).resources
    integrity.check(resources, f"the state of {ref.stack}")
    print(f"{ref.stack}: {len(resources)} resources, consistent")
