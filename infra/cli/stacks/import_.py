"""`gigasite import`: take resources that exist already into a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.arguments import Engine, EngineName, Json
from infra.cli.stacks import options as flags
from infra.engine import ImportSpec, Operation, Options
from infra.errors import UserError
from infra.stacks import operations

Type = Annotated[str | None, typer.Argument(metavar="[TYPE]", help="The resource's type.")]
ResourceName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The name to give it.")]
Identity = Annotated[str | None, typer.Argument(metavar="[ID]", help="The provider's id of it.")]
File = Annotated[
    Path | None, typer.Option("--file", "-f", help="Many, from a file of the CLI's import form.")
]


def command(
    stack: flags.Stack,
    type_: Type = None,
    name: ResourceName = None,
    identity: Identity = None,
    file: File = None,
    parent: Annotated[str, typer.Option("--parent", help="Its parent, as URN or NAME=URN.")] = "",
    provider: Annotated[str, typer.Option("--provider", help="Its provider, as URN or NAME=URN.")] = "",
    protect: Annotated[bool, typer.Option(help="Protect it.")] = True,
    preview_only: flags.PreviewOnly = False,
    engine: Engine = EngineName.EMBEDDED,
    as_json: Json = False,
) -> int:
    """Take existing resources into a stack."""
    specs = specs_of(
        stack, type_, name, identity, file=file, parent=parent, provider=provider, protect=protect
    )
    options = Options(imports=tuple(specs), preview_only=preview_only)
    shown = operations.Shown(as_json=as_json)
    return flags.run_each(Operation.IMPORT, [stack], engine=engine, options=options, shown=shown)


def specs_of(
    stack: str, type_: str | None, name: str | None, identity: str | None,
    *, file: Path | None, parent: str, provider: str, protect: bool,
) -> list[ImportSpec]:  # fmt: skip
    """Read the resources to import: one from the arguments, or those of a file.

    Raises:
        UserError: neither is named, or a URN is not valid.
        EngineError: the file cannot be understood.
    """
    if file:
        from infra.engine.workspace.import_file import read_imports  # noqa: PLC0415 (only where there is a file)

        return read_imports(file, operations.reference(stack), protect=protect)
    if not (type_ and name and identity):
        raise UserError("say what to import", hint="give TYPE, NAME and ID, or --file")
    parent, provider = _urn("parent", parent), _urn("provider", provider)
    return [ImportSpec(type_, name, identity, parent=parent, provider=provider, protect=protect)]


def _urn(what: str, text: str) -> str:
    """The URN of `URN` or `NAME=URN`, where the name is for code that the CLI would generate.

    Raises:
        UserError: it is not valid.
    """
    from infra.engine.resource.urn import is_urn  # noqa: PLC0415 (as above)

    urn = text if text.startswith("urn:") else text.partition("=")[2] or text
    if text and not is_urn(urn):
        raise UserError(f"the {what} {urn!r} is no URN", hint="`gigasite stack export` tells those there are")
    return urn
