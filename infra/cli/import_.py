"""`gigasite import`: take resources that exist already into a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli import engine_options as flags
from infra.cli import stacks
from infra.cli.arguments import Engine, EngineName, Json
from infra.cli.user_files import user_file
from infra.engine import ImportSpec, Operation, Options
from infra.errors import UserError


def command(
    stack: flags.Stack,
    type_: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="The resource's type.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The name to give it.")] = None,
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="The provider's id of it.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Many, from a file of the CLI's import form.")
    ] = None,
    parent: Annotated[str, typer.Option("--parent", help="Its parent's URN.")] = "",
    provider: Annotated[str, typer.Option("--provider", help="Its provider's URN.")] = "",
    protect: Annotated[bool, typer.Option(help="Protect it.")] = True,
    preview_only: flags.PreviewOnly = False,
    engine: Engine = EngineName.EMBEDDED,
    as_json: Json = False,
) -> int:
    """Take existing resources into a stack."""
    if file:
        specs = _read(file, protect=protect)
    elif type_ and name and identity:
        specs = [ImportSpec(type_, name, identity, parent=parent, provider=provider, protect=protect)]
    else:
        raise UserError("say what to import", hint="give TYPE, NAME and ID, or --file")
    options = Options(imports=tuple(specs), preview_only=preview_only)
    shown = stacks.Shown(as_json=as_json)
    return flags.run_each(Operation.IMPORT, [stack], engine=engine, options=options, shown=shown)


def _read(file: Path, *, protect: bool) -> list[ImportSpec]:
    with user_file(file, "read"):
        text = file.read_text()
    try:
        content: dict[str, Any] = json.loads(text)
        names = content.get("nameTable") or {}
        return [
            ImportSpec(
                one["type"], one["name"], one["id"],
                parent=names.get(one.get("parent"), ""), provider=names.get(one.get("provider"), ""),
                version=one.get("version", ""), protect=protect,
                properties=tuple(one.get("properties") or ()),
            )
            for one in content["resources"]
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no import file ({error})", hint="see `pulumi import --help`") from error
