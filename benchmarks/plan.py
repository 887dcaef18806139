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

T = TypeVar("T")
TABLES = ("places", "racks", "nodes", "nics", "switches", "links", "ports", "addresses", "power", "cooling")
REPEATS = 3
COMPARED = ("nodes", "nics", "switches", "links", "ports", "addresses")


def command(
    site: Annotated[str, typer.Argument(help="The site to expand.")] = "reference",
    pod: Annotated[str, typer.Option("--pod", help="The pod whose slice is timed.")] = "pod-17",
    pods: Annotated[
        int, typer.Option("--pods", min=1, help="Pods whose rows are worked out as objects, then scaled up.")
    ] = 1,
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
    columns = min(_columns(plan.plan(declared)) for _ in range(REPEATS))
    dataclasses, models = (
        min(_objects(planned, pods, kind) for _ in range(REPEATS)) for kind in ("dataclasses", "models")
    )
    found = {
        "site": site,
        "rows": {name: table.height for name, table in tables.items()},
        "read_s": reading,
        "expansion_s": expansion,
        "tables_s": seconds,
        "memory_gib": memory,
        "slice_first_ms": slice_first * 1e3,
        "slice_next_ms": slice_next * 1e3,
        "compared_s": columns,
        "object_pods": pods,
        "dataclasses_s": dataclasses,
        "pydantic_s": models,
        "times_dataclasses": dataclasses / columns,
        "times_pydantic": models / columns,
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
    line("the tables that are compared, again", found["compared_s"], "s")
    line(
        "the same rows as dataclasses", found["dataclasses_s"], "s", f" = {found['times_dataclasses']:.0f} ×"
    )
    line("the same rows as pydantic models", found["pydantic_s"], "s", f" = {found['times_pydantic']:.0f} ×")
    lines.append(f"  Compared: {', '.join(COMPARED)}; the best of {REPEATS} runs of each form.")
    lines.append(f"  Objects: worked out in loops for {found['object_pods']} of the pods, scaled up to all.")
    return "\n".join(lines)


def _slice(planned: Any, pod: str) -> None:
    part = planned.pod(pod)
    for name in ("racks", "nodes", "nics", "switches", "links"):
        getattr(part, name)


def _columns(planned: Any) -> float:
    """Seconds for all pods' rows as columns, in a process that has made some before."""
    return sum(_timed(partial(getattr, planned, name))[1] for name in COMPARED)


def _objects(planned: Any, pods: int, kind: str) -> float:
    """Seconds for all pods' rows as objects, from those of some pods."""
    from benchmarks import plan_objects as objects  # noqa: PLC0415 (only a benchmark)

    makers = getattr(objects, kind)()
    some = planned.scope[: min(pods, len(planned.scope))]
    _, seconds = _timed(lambda: objects.Expansion(planned.geometry, some, makers))
    return seconds * len(planned.scope) / len(some)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
