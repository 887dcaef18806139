"""Racks that hold no compute: network racks, server racks, and CDUs in their rows, with watts and heat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables import switching
from infra.plan.tables.feeds import loops_of
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables
    from infra.spec.grid import Cooling

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "name": pl.String,
    "kind": pl.String,
    "above": pl.String,
    "parent": pl.String,
    "pod": pl.String,
    "su": pl.String,
    "index": pl.Int32,
    "own_w": pl.Float64,
    "cooling_w": pl.Float64,
    "liquid_w": pl.Float64,
    "flow_l_min": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
}


def cabinets(plan: Tables) -> pl.DataFrame:
    """Racks of the scope that hold no compute.

    Returns:
        name; kind (network, servers, cdu); above (level of the place that they stand in) and parent (its
        name); pod, su (names, or None); index of the first pod under the parent; own_w (IT watts of what is
        in it), cooling_w (watts of a CDU's pumps, which are no IT), liquid_w (heat into liquid), flow_l_min;
        x, y (metres).
    """
    return pl.concat([pl.DataFrame(schema=SCHEMA), *_network(plan), _servers(plan), _coolers(plan)])


def rack_switches(plan: Tables) -> pl.DataFrame:
    """Switches that stand in compute racks, for each row of the plan's rack frame.

    Returns:
        own_w, liquid_w (heat into liquid), flow_l_min.
    """
    rows = []
    for pod in range(plan.geometry.pods):
        own = liquid = flow = 0.0
        for tier in plan.geometry.every_tier:
            if tier.per == "rack" and pod in tier.pods:
                watts = tier.model.power * tier.per_block
                own += watts
                liquid += watts * tier.model.liquid_share
                flow += watts * tier.model.liquid_share / 1000 * tier.model.flow
        rows.append((own, liquid, flow))
    schema = dict.fromkeys(("own_w", "liquid_w", "flow_l_min"), pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row").select(
        pl.all().gather(plan.rack_frame["pod"].cast(pl.UInt32))
    )


def _network(plan: Tables) -> list[pl.DataFrame]:
    layout = plan.site.layout
    sizes = {"hall": layout.pods_per_hall, "building": layout.pods_per_hall * layout.halls_per_building}
    parts: dict[str, list[pl.DataFrame]] = {}
    for tier in plan.tier_frames:
        per, model = tier.tier.per, tier.tier.model
        if per == "rack" or not (plan.site_level or per in switching.INSIDE):
            continue
        liquid = model.power * model.liquid_share
        parts.setdefault(per, []).append(
            tier.frame.select(
                "rack_name", "block", "pod", "su", "x", "y",
                pl.lit(model.power).alias("own_w"),
                pl.lit(liquid).alias("liquid_w"),
                pl.lit(liquid / 1000 * model.flow).alias("flow_l_min"),
            )
        )  # fmt: skip
    result = []
    for per, frames in parts.items():
        racks = (
            pl.concat(frames)
            .group_by("rack_name", maintain_order=True)
            .agg(
                pl.col("block", "pod", "su", "x", "y").first(),
                pl.col("own_w", "liquid_w", "flow_l_min").sum(),
            )
        )
        size = sizes.get(per)
        parent = {
            "scalable-unit": switching.su_name(),
            "pod": switching.pod_name(),
            "site": pl.lit(plan.site.name),
        }.get(per, pl.format(per + "-{}", (pl.col("block") + 1).cast(pl.String).str.zfill(2)))
        index = pl.col("pod") if per in switching.INSIDE else pl.col("block") * size if size else pl.lit(0)
        result.append(
            racks.select(
                pl.col("rack_name").alias("name"), pl.lit("network").alias("kind"),
                pl.lit(per).alias("above"), parent.alias("parent"), switching.pod_name().alias("pod"),
                switching.su_name().alias("su"),
                index.cast(pl.Int32).alias("index"), "own_w", pl.lit(0.0).alias("cooling_w"), "liquid_w",
                "flow_l_min", "x", "y",
            )
        )  # fmt: skip
    return result


def _servers(plan: Tables) -> pl.DataFrame:
    frame = plan.servers_in_scope
    watts = {name: catalog.platform(name).node.power.total for name in frame["platform"].unique()}
    own = pl.col("platform").replace_strict(watts, return_dtype=pl.Float64).alias("own_w")
    racks = frame.select(
        "rack_name", "pod", "pod_name", "x", "y", own if watts else pl.lit(0.0).alias("own_w")
    )
    inside = pl.col("pod").is_not_null()
    return (
        racks.group_by("rack_name", maintain_order=True)
        .agg(pl.col("pod", "pod_name", "x", "y").first(), pl.col("own_w").sum())
        .select(
            pl.col("rack_name").alias("name"), pl.lit("servers").alias("kind"),
            pl.when(inside).then(pl.lit("pod")).otherwise(pl.lit("site")).alias("above"),
            pl.coalesce("pod_name", pl.lit(plan.site.name)).alias("parent"),
            pl.col("pod_name").alias("pod"), pl.lit(None, pl.String).alias("su"),
            pl.col("pod").fill_null(0).alias("index"), "own_w",
            *(pl.lit(0.0).alias(column) for column in ("cooling_w", "liquid_w", "flow_l_min")), "x", "y",
        )
    )  # fmt: skip


def _coolers(plan: Tables) -> pl.DataFrame:
    """CDUs stand at the end of their row, behind its racks of switches."""
    parts = [
        _coolers_of(plan, loop, own)
        for loop, _, own in loops_of(plan.site, pl.col("pod_name"))
        if loop.cooler
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])


def _coolers_of(plan: Tables, loop: Cooling, own: pl.Expr) -> pl.DataFrame:
    """CDUs of the rows of one coolant loop."""
    geometry = plan.geometry
    assert loop.cooler
    pitch = plan.site.layout.distances.rack_pitch
    switches = switching.racks_per_block(geometry, "scalable-unit")
    first = geometry.sizes.racks(pl.col("pod")) + switches
    numbers = pl.DataFrame({"number": range(loop.coolers_per_row)}, schema={"number": pl.Int32}).with_columns(
        (pl.col("number") + 1).cast(pl.String).str.zfill(2).alias("text")
    )
    rows = plan.rack_frame.filter((pl.col("rack") == 0) & own).select("pod", "row", "pod_name", "x", "y")
    return rows.join(numbers, how="cross", maintain_order="left_right").select(
        pl.format("{}-cdu-{}", "row", "text").alias("name"), pl.lit("cdu").alias("kind"),
        pl.lit("scalable-unit").alias("above"), pl.col("row").alias("parent"),
        pl.col("pod_name").alias("pod"), pl.col("row").alias("su"),
        pl.col("pod").cast(pl.Int32).alias("index"), pl.lit(0.0).alias("own_w"),
        pl.lit(catalog.cooler(loop.cooler).power).cast(pl.Float64).alias("cooling_w"),
        pl.lit(0.0).alias("liquid_w"), pl.lit(0.0).alias("flow_l_min"),
        pl.col("x") + (first + pl.col("number")) * pitch, "y",
    )  # fmt: skip
