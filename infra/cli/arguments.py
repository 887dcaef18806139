"""Arguments that several verbs share, with their shell completion."""

from __future__ import annotations

from typing import Annotated

import typer

from infra import paths
from infra.stacks.stack_runs import EngineName


def sites() -> list[str]:
    """Names of the sites declared in this checkout."""
    return sorted(file.parent.name for file in (paths.ROOT / "inventories").glob("*/site.yaml"))


def _matching(incomplete: str) -> list[str]:
    return [name for name in sites() if name.startswith(incomplete)]


__all__ = ["Engine", "EngineName", "Json", "Site", "Yes", "sites"]

Site = Annotated[
    str,
    typer.Argument(
        metavar="SITE", help="A site's name: inventories/SITE/site.yaml.", autocompletion=_matching
    ),
]
Engine = Annotated[
    EngineName, typer.Option("--engine", help="Run the program on our own engine, or on the Pulumi CLI.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing anything.")]
