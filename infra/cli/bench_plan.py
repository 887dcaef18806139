"""`gigasite bench plan`: the plan's columnar tables beside the same rows as Python objects."""

from __future__ import annotations

import json
import resource
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from infra.cli.arguments import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

T = TypeVar("T")
TABLES = ("places", "racks", "nodes", "nics", "switches", "links", "ports", "addresses", "power", "cooling")


def command(
    site: Annotated[str, typer.Argument(help="The site to expand.")] = "reference",
    pod: Annotated[str, typer.Option("--pod", help="The pod whose slice is timed.")] = "pod-17",
    share: Annotated[
        float, typer.Option("--share", min=0.001, max=1, help="Share of the rows that is made into objects.")
    ] = 0.1,
    as_json: Json = False,
) -> None:
    """Time the plan of a site: reading, all tables, one pod's slice; and the same rows as objects."""
    from infra import plan, spec  # noqa: PLC0415 (polars is slow to import; that is not what is timed)

    declared, reading = _timed(lambda: spec.load_site(site))
    planned = plan.plan(declared)
    tables, seconds = {}, {}
    for name in TABLES:
        tables[name], seconds[name] = _timed(partial(getattr, planned, name))
    expansion = sum(seconds.values())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB → GiB
    _, slice_first = _timed(lambda: _slice(plan.plan(declared), pod))
    fresh = plan.plan(declared)
    _slice(fresh, next(name for name in fresh.pods if name != pod))
    _, slice_next = _timed(lambda: _slice(fresh, pod))
    dataclasses = sum(_objects(table, share, _as_dataclasses) for table in tables.values())
    models = sum(_objects(table, share, _as_models) for table in tables.values())
    found = {
        "site": site,
        "rows": {name: table.height for name, table in tables.items()},
        "read_s": reading,
        "expansion_s": expansion,
        "tables_s": seconds,
        "memory_gib": memory,
        "slice_first_ms": slice_first * 1e3,
        "slice_next_ms": slice_next * 1e3,
        "share": share,
        "dataclasses_s": dataclasses,
        "pydantic_s": models,
        "times_dataclasses": dataclasses / expansion,
        "times_pydantic": models / expansion,
    }
    print(json.dumps(found, indent=2) if as_json else _text(found))


def _text(found: dict[str, Any]) -> str:
    rows, took = found["rows"], found["tables_s"]
    lines = [f"{found['site']}: {sum(rows.values()):,} rows in {len(rows)} tables"]

    def line(what: str, value: float, unit: str, more: str = "") -> None:
        lines.append(f"  {what:40}{value:9.2f} {unit}{more}")

    line("reading and checking the declaration", found["read_s"], "s")
    line("all tables, columnar", found["expansion_s"], "s", f", {found['memory_gib']:.2f} GiB")
    for name in rows:
        line(f"  {name:12}{rows[name]:>12,} rows", took[name], "s")
    line("one pod's slice, the first", found["slice_first_ms"], "ms")
    line("one pod's slice, another", found["slice_next_ms"], "ms")
    line(
        "the same rows as dataclasses", found["dataclasses_s"], "s", f" = {found['times_dataclasses']:.0f} ×"
    )
    line("the same rows as pydantic models", found["pydantic_s"], "s", f" = {found['times_pydantic']:.0f} ×")
    lines.append(f"  Objects are only made, from finished rows ({found['share']:.0%} of them, scaled up);")
    lines.append("  working out what is in them would come on top.")
    return "\n".join(lines)


def _slice(planned: Any, pod: str) -> None:
    part = planned.pod(pod)
    for name in ("racks", "nodes", "nics", "switches", "links"):
        getattr(part, name)


def _objects(table: pl.DataFrame, share: float, make: Callable[[pl.DataFrame], object]) -> float:
    """Seconds for all rows of a table, from those of a share of them."""
    rows = min(table.height, max(1000, int(table.height * share)))
    if not rows:
        return 0.0
    _, seconds = _timed(lambda: make(table.head(rows)))
    return seconds * table.height / rows


def _as_dataclasses(table: pl.DataFrame) -> list[object]:
    from dataclasses import make_dataclass  # noqa: PLC0415 (only a benchmark)

    kind = make_dataclass("Row", table.columns, frozen=True, slots=True)
    return [kind(*row) for row in table.iter_rows()]


def _as_models(table: pl.DataFrame) -> list[object]:
    from pydantic import ConfigDict, create_model  # noqa: PLC0415 (only a benchmark)

    first = table.row(0)
    fields: dict[str, Any] = {
        name: ((type(value) | None) if value is not None else object, None)
        for name, value in zip(table.columns, first, strict=True)
    }
    kind = create_model("Row", __config__=ConfigDict(frozen=True, arbitrary_types_allowed=True), **fields)
    return [kind(**row) for row in table.iter_rows(named=True)]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
