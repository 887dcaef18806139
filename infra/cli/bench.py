"""`gigasite bench`: benchmarks, each side by side with what it is compared to, in one run."""

from __future__ import annotations

from importlib import import_module, util

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)

# Name → module with `command`. A benchmark tells a person; it is never a timed test.
BENCHES = {
    "plan": "infra.cli.bench_plan",
    "engine": "infra.cli.bench_engine",
    "inventory": "infra.cli.bench_inventory",
}


@app.callback()
def _group() -> None:
    """Benchmarks: what takes how long here, beside what it is compared to."""


for _name, _module in BENCHES.items():
    if util.find_spec(_module):
        app.command(_name)(import_module(_module).command)
