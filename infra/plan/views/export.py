"""What leaves the plan: Parquet tables, the cabling sheet, and the bill of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError
from infra.plan.views.materials import bill

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
    """A table by name; `cabling` and `materials` are derived ones.

    Raises:
        UserError: there is no such table.
    """
    if name == "cabling":
        return cabling_sheet(plan)
    if name == "materials":
        return bill(plan)
    if name not in TABLES:
        raise UserError(
            f"there is no table `{name}`", hint=f"there are {', '.join((*TABLES, 'cabling', 'materials'))}"
        )
    frame = getattr(plan, name)
    assert isinstance(frame, pl.DataFrame)
    return frame


def csv(plan: Plan, name: str) -> str:
    """A table as CSV text."""
    return table(plan, name).write_csv()


def cabling_sheet(plan: Plan) -> pl.DataFrame:
    """Cables in the columns that installers use: both ends with rack, rack unit, name, type and port."""
    return plan.links.select(
        pl.col("a_rack").alias("A-Rack"), pl.col("a_unit").alias("A-U"), pl.col("a").alias("A-Node Name"),
        _type(plan, "a").alias("A-Type"), pl.col("a_port").alias("A-Port"),
        pl.col("z_rack").alias("Z-Rack"), pl.col("z_unit").alias("Z-RU"), pl.col("z").alias("Z-Node Name"),
        _type(plan, "z").alias("Z-Type"), pl.col("z_port").alias("Z-Port"),
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
    loop = plan.site.cooling
    if loop and loop.cooler:
        coolers = plan.cabinet_frame.filter(pl.col("kind") == "cdu")
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
        for name in ("cabling", "materials"):
            path = folder / f"{name}.csv"
            table(plan, name).write_csv(path)
            yield path
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError("is not a folder", where=str(folder), hint="name another one") from error
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot be written: {reason}", where=str(folder), hint="name another one") from error
