"""Files made from a plan: Parquet tables, the cabling sheet, and the bill of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError
from infra.plan.tables.feeds import loops_of
from infra.plan.tables.names import called_names, look_up_names, names, port_label
from infra.plan.views.materials import bill
from infra.plan.views.wiring import cable_types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.plan.plan import Plan

TABLES = (
    "places",
    "racks",
    "nodes",
    "companions",
    "nics",
    "switches",
    "ports",
    "links",
    "addresses",
    "power",
    "cooling",
    "storage",
)
"""Tables that are exported, by the names that they have on a plan."""


def table(plan: Plan, name: str) -> pl.DataFrame:
    """A table by name; `cabling`, `materials` and `names` are derived ones.

    Raises:
        UserError: there is no such table.
    """
    if name == "cabling":
        return cabling_sheet(plan)
    if name == "materials":
        return bill(plan)
    if name == "names":
        return names(plan)
    if name not in TABLES:
        raise UserError(
            f"there is no table `{name}`",
            hint=f"there are {', '.join((*TABLES, 'cabling', 'materials', 'names'))}",
        )
    frame = getattr(plan, name)
    assert isinstance(frame, pl.DataFrame)
    return frame


def csv(plan: Plan, name: str) -> str:
    """A table as CSV text."""
    return table(plan, name).write_csv()


def cabling_sheet(plan: Plan) -> pl.DataFrame:
    """Cables in the columns that installers use.

    Both ends with rack, rack unit, name, type and port; then the cable's id (its upper end, which has one
    cable), stocked length, type, and the label of each end: near end / far end.
    """
    types, links = cable_types(plan.geometry, plan.links), plan.links
    known = called_names(plan)
    own = {name: look_up_names(known, links[name]) for name in ("a_rack", "a", "z_rack", "z")}
    a, z = (port_label(plan, own[end], links[f"{end}_port"]) for end in ("a", "z"))
    labels = pl.DataFrame({"a": a, "z": z})
    return links.select(
        pl.lit(own["a_rack"]).alias("A-Rack"), pl.col("a_unit").alias("A-U"),
        pl.lit(own["a"]).alias("A-Node Name"), _type(plan, "a").alias("A-Type"),
        pl.col("a_port").alias("A-Port"),
        pl.lit(own["z_rack"]).alias("Z-Rack"), pl.col("z_unit").alias("Z-RU"),
        pl.lit(own["z"]).alias("Z-Node Name"), _type(plan, "z").alias("Z-Type"),
        pl.col("z_port").alias("Z-Port"),
        pl.format("{}:{}", "z", "z_port").alias("Cable ID"), pl.lit(types["metres"]).alias("Length m"),
        pl.lit(types["type"]).alias("Cable"),
        pl.lit(labels.select(pl.format("{} / {}", "a", "z")).to_series()).alias("A-Label"),
        pl.lit(labels.select(pl.format("{} / {}", "z", "a")).to_series()).alias("Z-Label"),
    )  # fmt: skip


def _type(plan: Plan, end: str) -> pl.Expr:
    """Platform, model or kind of the device at one end."""
    frames = [
        plan.node_frame.select("name", pl.col("platform").alias("type")),
        plan.companion_frame.select("name", pl.col("kind").alias("type")),
        plan.server_frame.select("name", pl.col("platform").alias("type")),
    ]
    frames += [
        tier.frame.select("name", pl.lit(tier.tier.model.name).alias("type")) for tier in plan.tier_frames
    ]
    for loop, _, own in loops_of(plan.site):
        coolers = plan.cabinet_frame.filter(own & (pl.col("kind") == "cdu"))
        frames.append(coolers.select("name", pl.lit(loop.cooler).alias("type")))
    types = pl.concat(frames)
    found = plan.links.select(pl.col(end).alias("name")).join(
        types, on="name", how="left", maintain_order="left"
    )
    return pl.lit(found["type"])


def write(plan: Plan, folder: Path) -> Iterator[Path]:
    """Write everything to a folder: TABLE.parquet, cabling.csv, materials.csv.

    Raises:
        UserError: the folder or a file in it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            path = folder / f"{name}.parquet"
            table(plan, name).write_parquet(path)
            yield path
        for name in ("cabling", "materials", *(("names",) if plan.site.names else ())):
            path = folder / f"{name}.csv"
            table(plan, name).write_csv(path)
            yield path
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError("is not a folder", where=str(folder), hint="name another one") from error
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot be written: {reason}", where=str(folder), hint="name another one") from error
