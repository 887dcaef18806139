"""`gigasite bench inventory`: the inventory plugin beside the same machines as YAML."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from benchmarks.compared import show
from infra.cli.arguments import Json


def command(
    site: Annotated[str, typer.Argument(help="The site whose machines are read.")] = "reference",
    listing: Annotated[
        bool, typer.Option("--list", help="Also list all machines with their variables: minutes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Time Ansible's start on a site's machines: all of them read, and a play on one pod."""
    from benchmarks.inventory_runs import measure  # noqa: PLC0415 (not for --help)

    show(measure(site, listing=listing, say=lambda text: print(text, file=sys.stderr)), as_json=as_json)
