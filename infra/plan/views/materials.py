"""The bill of materials: systems, switches, racks, feeds, coolers, cables, harnesses and optics; spares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.feeds import feeds_of, loops_of
from infra.plan.views.wiring import fittings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "item": pl.String,
    "cage": pl.String,
    "metres": pl.Float32,
    "use": pl.String,
    "count": pl.Int64,
    "spare": pl.Int64,
}

Row = tuple[str, str, str | None, float | None, str, int]


def bill(plan: Plan) -> pl.DataFrame:
    """The bill of materials.

    Returns:
        kind (system, server, switch, rack, pdu, busway, cdu, cable, harness, optic), item, cage (optics and
        harnesses: its speed and split), metres (cables), use, count, spare (pieces in store beside them, by
        the declaration's `spares`).
    """
    rows = [*_devices(plan), *_rooms(plan)]
    rows += [(*item, count) for item, count in fittings(plan.geometry, plan.links).items()]
    shares = {str(kind): share for kind, share in plan.site.spares.items()}
    return pl.DataFrame(
        [(*row, math.ceil(row[-1] * shares.get(row[0], 0.0) - 1e-9)) for row in rows],
        schema=SCHEMA,
        orient="row",
    )


def _devices(plan: Plan) -> Iterator[Row]:
    for (platform,), part in plan.node_frame.group_by("platform", maintain_order=True):
        yield "system", str(platform), None, None, "tray", part.height
    for (kind,), part in plan.companion_frame.group_by("kind", maintain_order=True):
        yield "system", str(kind), None, None, "rack", part.height
    for (platform, role), part in plan.servers_in_scope.group_by("platform", "role", maintain_order=True):
        yield "server", str(platform), None, None, str(role), part.height
    if plan.switches.height:
        for (model, tier), part in plan.switches.group_by("model", "tier", maintain_order=True):
            yield "switch", str(model), None, None, str(tier), part.height


def _rooms(plan: Plan) -> Iterator[Row]:
    """Racks, and what feeds and cools them: a PDU at each feed of a rack, busways and CDUs of each row."""
    racks = plan.racks
    for (kind, platform), part in racks.filter(pl.col("kind") != "cdu").group_by(
        "kind", "platform", maintain_order=True
    ):
        item = str(platform or f"{plan.site.layout.rack_height} U")
        yield "rack", item, None, None, str(kind), part.height
    units = {name: plan.geometry.sizes.of(pod).units for name, pod in zip(plan.pods, plan.scope, strict=True)}
    pods = pl.DataFrame({"pod": [*units], "units": [*units.values()]}, {"pod": pl.String, "units": pl.Int64})
    for feeds, _, own in feeds_of(plan.site):
        fed = racks.filter(own & (pl.col("kind") != "cdu")).height
        rows = int(pods.filter(own)["units"].sum())
        if feeds.rack is not None and fed:
            yield "pdu", f"{feeds.rack / 1e3:g} kW", None, None, "rack", fed * feeds.feeds_per_rack
        if feeds.busway is not None and rows:
            yield "busway", f"{feeds.busway / 1e3:g} kW", None, None, "row", rows * feeds.busways_per_row
    coolers: dict[str, int] = {}
    for loop, _, own in loops_of(plan.site):
        count = racks.filter(own & (pl.col("kind") == "cdu")).height
        if count and loop.cooler:
            coolers[loop.cooler] = coolers.get(loop.cooler, 0) + count
    for model, count in coolers.items():
        yield "cdu", model, None, None, "row", count
