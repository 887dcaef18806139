"""Racks that come, go or change between two plans, and the power of halls and rows that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.power import rack_nodes, rack_watts
from infra.plan.views.change import Change, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def _rack_frame(plan: Plan) -> pl.DataFrame:
    """Racks with what can change in them."""
    forms = pl.Series([form.platform for form in plan.geometry.forms], dtype=pl.String)
    flow = plan.cooling.filter(pl.col("kind") == "compute")["flow_l_min"]
    return plan.rack_frame.select(
        "name",
        forms.gather(plan.rack_frame["form"]).alias("platform"),
        rack_nodes(plan),
        (rack_watts(plan) / 1e3).round(3).alias("kW"),
        flow.round(2).alias("L/min"),
        pl.col("pool").fill_null(""),
        pl.lit(True).alias("is"),
    )


_RACK_COLUMNS = ("platform", "nodes", "kW", "L/min", "pool")


def racks(before: Plan, after: Plan) -> Iterator[Change]:
    """Racks that come, go or change; equal changes of many racks are one line."""
    one, two = _rack_frame(before), _rack_frame(after)
    both = one.join(two, on="name", how="full", coalesce=True, suffix=" after", maintain_order="left_right")
    for column in _RACK_COLUMNS:
        far = f"{column} after"
        rows = both.filter(
            pl.col("is").is_not_null()
            & pl.col("is after").is_not_null()
            & pl.col(column).ne_missing(pl.col(far))
        )
        groups = rows.group_by(column, far, maintain_order=True).agg(
            pl.len().alias("count"),
            pl.col("name").first().alias("first"),
            pl.col("name").last().alias("last"),
        )
        for row in groups.iter_rows(named=True):
            unit = column if column in {"kW", "L/min"} else ""
            item = {"kW": "power of a rack", "L/min": "coolant of a rack", "nodes": "nodes of a rack",
                    "platform": "platform of a rack", "pool": "pool of a rack"}[column]  # fmt: skip
            yield Change("racks", item, row[column] or ("none" if column == "pool" else row[column]),
                         row[far] or ("none" if column == "pool" else row[far]), row["count"],
                         span(row["first"], row["last"]), unit)  # fmt: skip
    for missing, word, side in (
        ("is", "new rack", "platform after"),
        ("is after", "removed rack", "platform"),
    ):
        rows = both.filter(pl.col(missing).is_null())
        for row in (
            rows.group_by(side, maintain_order=True)
            .agg(
                pl.len().alias("count"),
                pl.col("name").first().alias("first"),
                pl.col("name").last().alias("last"),
            )
            .iter_rows(named=True)
        ):
            old, new = (None, row[side]) if missing == "is" else (row[side], None)
            yield Change("racks", word, old, new, row["count"], span(row["first"], row["last"]))


def feeds(before: Plan, after: Plan) -> Iterator[Change]:
    """Megawatts of halls and kilowatts of rows whose racks change."""
    one, two = before.power, after.power
    for level, item, unit, scale in (("hall", "hall", "MW", 1e6), ("scalable-unit", "row", "kW", 1e3)):
        both = (
            one.filter(pl.col("level") == level)
            .join(
                two.filter(pl.col("level") == level),
                on="name",
                how="inner",
                suffix=" after",
                maintain_order="left",
            )
            .select(
                "name",
                (pl.col("it_w") / scale).round(4).alias("a"),
                (pl.col("it_w after") / scale).round(4).alias("z"),
            )
        )
        groups = (
            both.filter(pl.col("a") != pl.col("z"))
            .group_by("a", "z", maintain_order=True)
            .agg(
                pl.len().alias("count"),
                pl.col("name").first().alias("first"),
                pl.col("name").last().alias("last"),
            )
        )
        for row in groups.iter_rows(named=True):
            where = span(row["first"], row["last"])
            yield Change("power", f"IT power of a {item}", row["a"], row["z"], row["count"], where, unit)
