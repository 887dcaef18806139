"""Heat and coolant: what liquid takes away in each rack, and the flow that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.cabinets import rack_switches
from infra.plan.tables.feeds import loops_of
from infra.plan.tables.power import rack_watts
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables


def cooling(plan: Tables) -> pl.DataFrame:
    """Heat and flow of racks, scalable units, pods and (for a whole plan) the site.

    Returns:
        level, name, kind (of racks), pod, liquid_w (heat into liquid), flow_l_min, air_w (into the room).
    """
    platforms = [catalog.platform(form.platform).rack for form in plan.geometry.forms]
    form = plan.rack_frame["form"]
    share = pl.Series([entry.liquid_share for entry in platforms], dtype=pl.Float64).gather(form)
    flow = pl.Series([entry.flow for entry in platforms], dtype=pl.Float64).gather(form)
    watts = rack_watts(plan)
    own, heat, litres = rack_switches(plan).get_columns()
    racks = plan.rack_frame.select(
        pl.lit("rack").alias("level"), "name", pl.lit("compute").alias("kind"),
        pl.col("pod_name").alias("pod"), pl.col("row").alias("su"),
        (watts * share + heat).alias("liquid_w"),
        (watts * share / 1000 * flow + litres).alias("flow_l_min"),
        (watts * (1 - share) + own - heat).alias("air_w"),
    )  # fmt: skip
    others = plan.cabinet_frame.select(
        pl.lit("rack").alias("level"), "name", "kind", "pod", "su", "liquid_w", "flow_l_min",
        (pl.col("own_w") - pl.col("liquid_w")).alias("air_w"),
    )  # fmt: skip
    every, none = pl.concat([racks, others]), pl.lit(None, pl.String)

    def rise(level: str, name: str) -> pl.DataFrame:
        return every.filter(pl.col(name).is_not_null()).group_by(name, maintain_order=True).agg(
            pl.col("liquid_w", "flow_l_min", "air_w").sum(), pl.col("pod").first().alias("own")
        ).select(pl.lit(level).alias("level"), pl.col(name).alias("name"), none.alias("kind"),
                 pl.col("own").alias("pod"), "liquid_w", "flow_l_min", "air_w")  # fmt: skip

    frames = [rise("pod", "pod"), rise("scalable-unit", "su"), every.drop("su")]
    if plan.site_level:
        total = every.select(
            pl.lit("site").alias("level"), pl.lit(plan.site.name).alias("name"), none.alias("kind"),
            none.alias("pod"), pl.col("liquid_w", "flow_l_min", "air_w").sum(),
        )  # fmt: skip
        frames.insert(0, total)
    return pl.concat(frames)


def rise_k(liquid_w: float, flow_l_min: float, specific_heat: float, density: float) -> float:
    """Kelvin that coolant warms up: heat over mass flow and specific heat (kJ/(kg K), kg/L)."""
    if not flow_l_min:
        return 0.0
    return liquid_w / 1000 / (flow_l_min / 60 * density * specific_heat)


def return_c(plan: Tables) -> float | None:
    """Celsius of the coolant that comes back, mixed by flow; None where no loop is declared."""
    table = plan.cooling.filter(pl.col("level") == "rack")
    parts: list[tuple[float, float]] = []
    for loop, _, own in loops_of(plan.site):
        heat, flow = table.filter(own).select(pl.col("liquid_w", "flow_l_min").sum()).row(0)
        parts.append((flow, loop.supply + rise_k(heat, flow, loop.specific_heat, loop.density)))
    total = sum(flow for flow, _ in parts)
    if len(parts) < 2 or not total:
        return parts[0][1] if parts else None
    return sum(flow * back for flow, back in parts) / total


def flow_m3_s_at_rise(
    liquid_w: float, rise: float, specific_heat: float = 4.186, density: float = 1.0
) -> float:
    """Flow in m3/s at which coolant warms up by `rise` kelvin; water by default."""
    return liquid_w / 1000 / (specific_heat * density * rise) / 1000
