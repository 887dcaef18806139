"""Management ports outside the rule of compute racks: switches, servers and CDUs, on free out-of-band ports.

What stands in a row is cabled to the free ports of the row's own management switches; a pod's switches to
those of all its rows in turn; what stands above pods to the first pod under it, and servers to the pod that
they are attached to (else the first of the site). A seat follows from the device's own place, so none moves
another. Out-of-band switches are reached over their own uplinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.feeds import loops_of
from infra.spec import rooms

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.tables import Tables
    from infra.spec.tiers import ResolvedTier

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "name": pl.String,
    "kind": pl.String,
    "rack_name": pl.String,
    "unit": pl.Int16,
    "x": pl.Float64,
    "y": pl.Float64,
    "pod": pl.Int32,
    "su": pl.Int32,
    "seat": pl.Int32,
}
ABOVE = ("hall", "building", "site")


def find_managed(plan: Tables) -> pl.DataFrame:
    """Find devices that have a management address and stand in no slot of a compute rack, with their seats.

    Returns:
        name, kind (switch, server, cdu), rack_name, unit, x, y; pod, su (indices of the row whose management
        switches they are cabled to), seat (number among the row's free ports). Of the scope's pods alone.
    """
    geometry = plan.geometry
    places = _places(geometry)
    frames = [pl.DataFrame(schema=SCHEMA)]
    for tier in plan.tier_frames:
        spec = tier.tier
        if spec.kind == "out-of-band" or not tier.frame.height:
            continue
        frames.append(_seated(geometry, places, spec, tier.frame))
    servers = plan.server_frame
    if servers.height:
        above = places["pod"] + places["servers"] + places["hall"] + places["building"]
        inside = pl.col("pod").is_not_null()
        order = pl.when(inside).then(places["pod"] + pl.col("number")).otherwise(above + pl.col("place"))
        pod = pl.coalesce("pod", "attach", pl.lit(0)).cast(pl.Int32)
        frames.append(
            servers.select(
                "name", pl.lit("server").alias("kind"), "rack_name", "unit", "x", "y", pod.alias("pod"),
                *_dealt(geometry, order, pod),
            )
        )  # fmt: skip
    frames.append(_coolers(plan))
    found = pl.concat([frame.cast(SCHEMA) for frame in frames])  # type: ignore[arg-type]
    return found.filter(pl.col("pod").is_between(plan.scope.start, plan.scope.stop, closed="left"))


def homes(geometry: Geometry) -> set[int]:
    """Pods to whose management switches something is cabled that stands above pods."""
    if not geometry.management_fabrics:
        return set()
    found = {
        int(server.attach[4:]) - 1 if server.attach else 0
        for server in rooms.own(geometry.site.servers, "site")
    }
    for tier in geometry.every_tier:
        if tier.per in ABOVE and tier.kind != "out-of-band":
            size = geometry.blocks_per(tier.per)
            found |= set(range(0, geometry.pods, size))
    return found


def ends(plan: Tables, tier: ResolvedTier, pods: range, first: int) -> pl.DataFrame:
    """Ends of the out-of-band fabric for `cabling.host_links`; those for whom no port is free are left out.

    Args:
        plan: the tables.
        tier: the out-of-band fabric's first tier.
        pods: that it is in.
        first: row of the first managed device among the hosts.
    """
    geometry, frame = plan.geometry, plan.managed_frame
    frame = frame.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.Int32).alias("a"))
    frame = frame.filter(pl.col("pod").is_between(pods.start, pods.stop, closed="left"))
    free = _free(geometry, tier, pods)
    frame = frame.join(free, on=["pod", "su"], how="inner", maintain_order="left")
    room = pl.col("room")
    if tier.per == "rack":
        each = pl.col("most") - room
        frame = frame.filter(each > 0).with_columns(
            (pl.col("seat") // each).alias("rack"), (room + pl.col("seat") % each).alias("position")
        )
        frame = frame.filter(pl.col("rack") < geometry.sizes.standing(pl.col("pod"), pl.col("su")))
    else:
        seat = pl.col("seat")
        if tier.per == "pod":
            # Rows share the pod's block: seats of each in turn.
            seat = seat * geometry.sizes.units(pl.col("pod")) + pl.col("su")
        frame = frame.with_columns(pl.lit(0, pl.Int32).alias("rack"), (room + seat).alias("position"))
        frame = frame.filter(pl.col("position") < pl.col("most"))
    zero = pl.lit(0, pl.Int32)
    return frame.select(
        "pod", "su", pl.col("rack").cast(pl.Int32), pl.col("position").cast(pl.Int32), zero.alias("rail"),
        zero.alias("nic"), pl.lit(1.0).alias("gbit"), "a", pl.lit("mgmt0").alias("a_port"),
    )  # fmt: skip


def _free(geometry: Geometry, tier: ResolvedTier, pods: range) -> pl.DataFrame:
    """Of each row: ports taken by the rule (`room`) and ports there are (`most`) in a block of the tier."""
    touched, most = {pod for pod, _ in geometry.units(pods)} | set(geometry.sizes.own), tier.count * tier.down
    rule = next((pod for pod in pods if pod not in touched), None)
    usual = range(geometry.sizes.rule.units)
    plain = [] if rule is None else [geometry.width(tier, rule, su) for su in usual]
    rows = [
        (pod, su, geometry.width(tier, pod, su) if pod in touched else plain[su], most)
        for pod in pods
        for su in range(geometry.sizes.of(pod).units if tier.per == "pod" else len(geometry.sizes.rows(pod)))
    ]
    schema = dict.fromkeys(("pod", "su", "room", "most"), pl.Int32)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _places(geometry: Geometry) -> dict[str, int]:
    """Seats that a pod has, and what stands above it: one for each switch and server."""
    result = dict.fromkeys(("pod", *ABOVE), 0)
    result["servers"] = _room(geometry, "pod")
    for tier in geometry.every_tier:
        if tier.kind != "out-of-band" and tier.per not in ROW:
            result[tier.per] += tier.per_block
    return result


ROW = ("rack", "scalable-unit")
"""Levels of tiers that stand in a row."""


def _row_seats(geometry: Geometry, pod: pl.Expr) -> pl.Expr:
    """Seats that a row of the pod at an index column has: one for each switch and CDU."""
    return _first(geometry, None, pod) + _coolers_per_row(geometry, pod)


def _coolers_per_row(geometry: Geometry, pod: pl.Expr) -> pl.Expr:
    count: pl.Expr = pl.lit(0, pl.Int32)
    name = pl.lit(pl.Series(geometry.pod_names, dtype=pl.String)).gather(pod.cast(pl.UInt32))
    for loop, _, own in loops_of(geometry.site, name):
        if loop.cooler:
            count = pl.when(own).then(pl.lit(loop.coolers_per_row, pl.Int32)).otherwise(count)
    return count


def _room(geometry: Geometry, per: str) -> int:
    """Seats of the servers of the site or of a pod, with room for more."""
    own = rooms.own(geometry.site.servers, per)
    return rooms.room(rooms.end([(server.count, 1) for server in own])) if own else 0


def _first(geometry: Geometry, tier: ResolvedTier | None, pod: pl.Expr) -> pl.Expr:
    """Seats of the tiers before this one at its level; of None, of all that stand in a row."""
    before: pl.Expr = pl.lit(0, pl.Int32)
    for other in geometry.every_tier:
        if other is tier:
            break
        same = other.per in ROW if tier is None else other.per == tier.per or {other.per, tier.per} <= {*ROW}
        if other.kind != "out-of-band" and same:
            before += other.per_block * (geometry.sizes.racks(pod) if other.per == "rack" else 1)
    return before


def _seated(
    geometry: Geometry, places: dict[str, int], tier: ResolvedTier, frame: pl.DataFrame
) -> pl.DataFrame:
    pod: pl.Expr = pl.col("pod")
    order = pl.col("ordinal") + _first(geometry, tier, pod)
    if tier.per in {"rack", "scalable-unit"}:
        if tier.per == "rack":
            order += pl.col("block") % geometry.racks * tier.per_block
        seats = [pl.col("su").cast(pl.Int32), order.cast(pl.Int32).alias("seat")]
    else:
        if tier.per in ABOVE:
            pod = pl.col("block") * (0 if tier.per == "site" else geometry.blocks_per(tier.per))
            order += places["pod"] + places["servers"]
            order += places["hall"] if tier.per in {"building", "site"} else 0
        if tier.per == "site":
            order += places["building"] + _room(geometry, "site")
        seats = list(_dealt(geometry, order, pod))
    return frame.select(
        "name", pl.lit("switch").alias("kind"), "rack_name", "unit", "x", "y",
        pod.cast(pl.Int32).alias("pod"), *seats,
    )  # fmt: skip


def _dealt(geometry: Geometry, order: pl.Expr, pod: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Row and seat of what stands in no row: the rows of its pod take them in turn."""
    units = geometry.sizes.units(pod)
    return (
        (order % units).cast(pl.Int32).alias("su"),
        (order // units + _row_seats(geometry, pod)).cast(pl.Int32).alias("seat"),
    )


def _coolers(plan: Tables) -> pl.DataFrame:
    """CDUs have the last seats of their row."""
    frame = plan.cabinet_frame.filter(pl.col("kind") == "cdu")
    if not frame.height:
        return pl.DataFrame(schema=SCHEMA)
    geometry, pod = plan.geometry, pl.col("index").cast(pl.Int32)
    su, number = (pl.col("name").str.extract(form).cast(pl.Int32) - 1 for form in (r"-su-(\d+)", r"(\d+)$"))
    return frame.select(
        "name", "kind", pl.col("name").alias("rack_name"), pl.lit(1, pl.Int16).alias("unit"), "x", "y",
        pod.alias("pod"), su.alias("su"), (_first(geometry, None, pod) + number).cast(pl.Int32).alias("seat"),
    )  # fmt: skip
