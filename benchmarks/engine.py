"""`gigasite bench engine`: the embedded engine, with the Pulumi CLI beside it where it is on PATH."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from infra.cli.arguments import Json


def command(
    counts: Annotated[list[int] | None, typer.Argument(help="Numbers of resources.")] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Also with program and provider as processes of their own.")
    ] = False,
    stock: Annotated[
        bool, typer.Option("--stock", help="Also the CLI's stock file backend: 100 s at 1,000 resources.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Time an up and a no-op: wall and processor time, memory, for each number of resources."""
    from benchmarks import engine_runs as bench  # noqa: PLC0415 (grpc is slow to import)

    left_out = {bench.Mode.PROCESSES: not processes, bench.Mode.CLI: not stock}
    which = [mode for mode in bench.modes() if not left_out.get(mode, False)]
    if not as_json:
        print(bench.table([])[0], flush=True)

    def told(one: bench.Measured) -> None:
        print(bench.table([one])[1], flush=True, file=sys.stderr if as_json else sys.stdout)

    found = bench.measure(counts or [1000, 3000], which, told)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=1))
    elif bench.Mode.CLI_SKIP not in which:
        print("the Pulumi CLI is not on PATH: nothing to compare with")
