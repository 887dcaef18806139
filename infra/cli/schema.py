"""`gigasite schema`: the JSON Schema of site.yaml."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    write: Annotated[
        bool,
        typer.Option("--write", help="Write what follows from types and data: schemas, references, READMEs."),
    ] = False,
) -> None:
    """Print the JSON Schema of site.yaml, or write it where the declarations refer to it."""
    from infra.spec import document, reference, schema  # noqa: PLC0415 (pydantic is slow to import)

    if write:
        from infra.roles.readme import write_readmes  # noqa: PLC0415

        pages = (reference.write(), reference.write_catalog())
        for path in (schema.write(), *schema.write_catalog(), *pages, *write_readmes()):
            print(f"wrote {document.display(path)}")
    else:
        print(schema.text(), end="")
