"""`gigasite bench checkpoint`: what refreshing the checkpoint costs, and what a crash still loses."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.compared import show
from infra.cli.arguments import Json


def command(
    counts: Annotated[list[int] | None, typer.Argument(help="Numbers of resources.")] = None,
    rounds: Annotated[int, typer.Option(help="Runs of each side, in turns.", min=1)] = 3,
    seconds: Annotated[int, typer.Option(help="Length of the run that is looked at; 0: none.", min=0)] = 60,
    as_json: Json = False,
) -> None:
    """Time an up with and without refreshes; count what a recovery without the journal would not know."""
    from benchmarks import checkpoint_runs as bench  # noqa: PLC0415 (grpc is slow to import)

    show(bench.measure(counts or [1000, 3000], rounds, seconds), as_json=as_json)
