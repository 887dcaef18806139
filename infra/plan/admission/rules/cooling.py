"""Coolant and heat: racks, rows, CDUs, buyers, and the law on waste heat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.admission.limits import Limit, cases, distinct, facility_w, megawatts, number
from infra.plan.tables.cooling import return_c
from infra.plan.tables.feeds import loops_of
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def rack_flow(plan: Plan) -> Iterator[Limit]:
    """Coolant of each rack against its manifold."""
    table = plan.cooling.filter(pl.col("level") == "rack")
    for loop, path, own in loops_of(plan.site):
        if loop.rack_flow is not None:
            for name, flow, count in distinct(table.filter(own), "flow_l_min"):
                yield Limit(name, "N", flow, loop.rack_flow, "L/min", f"{path}.rack_flow",
                            "the rack manifold", f"{number(loop.rack_flow)} L/min fit",
                            count=count)  # fmt: skip


def row_flow(plan: Plan) -> Iterator[Limit]:
    """Coolant of each row against its pipes."""
    table = plan.cooling.filter(pl.col("level") == "scalable-unit")
    for loop, path, own in loops_of(plan.site):
        if loop.row_flow is not None:
            for name, flow, count in distinct(table.filter(own), "flow_l_min"):
                racks = plan.geometry.racks_in_row(name)
                fits = math.floor(loop.row_flow / (flow / racks)) if flow else racks
                yield Limit(name, "N", flow, loop.row_flow, "L/min", f"{path}.row_flow", "the row's pipes",
                            f"{fits} racks fit in a row", count=count)  # fmt: skip


def cdu_heat(plan: Plan) -> Iterator[Limit]:
    """Heat of each row against its CDUs."""
    yield from _cdu(plan, "liquid_w", 1e3, "kW", "capacity")


def cdu_flow(plan: Plan) -> Iterator[Limit]:
    """Coolant of each row against its CDUs' pumps."""
    yield from _cdu(plan, "flow_l_min", 1.0, "L/min", "flow")


def _cdu(plan: Plan, column: str, scale: float, unit: str, field: str) -> Iterator[Limit]:
    table = plan.cooling.filter(pl.col("level") == "scalable-unit")
    for loop, path, own in loops_of(plan.site):
        if not loop.cooler:
            continue
        each = float(getattr(catalog.cooler(loop.cooler), field))
        rows = distinct(table.filter(own), column)
        for case, left in cases(loop.coolers_per_row, loop.spare_coolers):
            for name, value, count in rows:
                needed = math.ceil(value / each) + loop.spare_coolers
                yield Limit(name, case, value / scale, each * left / scale, unit, f"{path}.coolers_per_row",
                            f"catalog: {loop.cooler}, {field}", f"{needed} CDUs a row fit",
                            count=count)  # fmt: skip


def heat(plan: Plan) -> Iterator[Limit]:
    """Sold heat against the captured heat of each month; capture follows the declared load."""
    site = plan.site
    if not site.heat or not plan.scope:
        return
    load = site.energy.load if site.energy else 1.0
    captured = plan.cooling.item(0, "liquid_w") * load
    for month in range(1, 13):
        sold = sum(entry.power for entry in site.heat if month in entry.months)
        yield Limit(
            f"month {month}",
            "N",
            megawatts(sold),
            megawatts(captured),
            "MW thermal",
            "$.heat",
            f"heat into liquid at {load:.0%} load",
            f"{number(megawatts(captured))} MW can be sold",
        )


def heat_temperature(plan: Plan) -> Iterator[Limit]:
    """Temperature of heat sold against the coolant's return."""
    back = return_c(plan) if plan.scope else None
    if back is None:
        return
    for index, entry in enumerate(plan.site.heat):
        if not entry.heat_pump:
            yield Limit(
                f"buyer {entry.buyer}",
                "N",
                entry.temperature,
                back,
                "°C",
                f"$.heat[{index}].temperature",
                "the coolant's return temperature",
                f"{back:.1f} °C fit without a heat pump",
            )


WASTE_HEAT_LAW_W = 1e6
"""France, law 2025-391 of 30 April 2025, article 25: waste heat of data centres of 1 MW and more."""


def waste_heat_law(plan: Plan) -> Iterator[Limit]:
    """Power of a site that uses none of its heat against the law's threshold."""
    if plan.site.heat or not plan.site.grid:
        return
    yield Limit(
        plan.site.name,
        "N",
        megawatts(facility_w(plan)),
        megawatts(WASTE_HEAT_LAW_W),
        "MW" if plan.site.energy else "MW of IT",
        "$.heat",
        "France, law 2025-391, article 25",
        "declare a buyer under `heat`",
    )
