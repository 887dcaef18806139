"""`gigasite schema`: the JSON Schema of site.yaml."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/site.schema.json and docs/site.md.")
    ] = False,
) -> None:
    """Print the JSON Schema of site.yaml, or write it where the declarations refer to it."""
    from infra.spec import document, reference, schema  # noqa: PLC0415 (pydantic is slow to import)

    if write:
        for path in (schema.write(), reference.write()):
            print(f"wrote {document.display(path)}")
    else:
        print(schema.text(), end="")
