"""`gigasite lab`: what is done to stand-ins by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.arguments import sites
from infra.lab.accelerator.faults import KINDS

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What is done to stand-ins by hand.")

Machine = Annotated[str, typer.Argument(metavar="MACHINE", help="Name of a stand-in that runs.")]
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="FAULT",
        help=f"`gpu N KIND [NUMBER]` with a KIND of {', '.join(KINDS)}; or `gpu N clear`, or `clear`.",
    ),
]


@app.command(no_args_is_help=True)
def fault(machine: Machine, words: Words) -> None:
    """Put a fault into a stand-in's accelerator, or undo what was put there."""
    from infra.rollout.faults import inject  # noqa: PLC0415 (polars is slow to import)

    print(f"{machine}: {inject(machine, words, sites()).words}")


@app.callback()
def _more() -> None:
    """Keep `fault` a word of its own."""
