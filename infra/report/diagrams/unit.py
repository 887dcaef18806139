"""Wiring of a scalable unit: a line for each first-tier switch, a column for each rack, cables counted."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError
from infra.report.diagrams.svg import Drawing, shorten

if TYPE_CHECKING:
    from infra.plan import Plan

_LEFT, _TOP, _ROW = 290, 96, 30
_WIDE, _NARROW, _ALL = 104, 72, 1290
"""Widest and narrowest column, and what all share."""
MOST_LINES = 40
MOST_COLUMNS = 18
"""Beyond these, switches of a rail are one line, and racks further on are one column."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Cables between a line and a column."""

    count: int
    first: str
    last: str


def draw_unit(plan: Plan, unit: str) -> Drawing:
    """Draw how the hosts of a scalable unit are cabled to their first switches.

    Args:
        plan: of the unit's pod, or of more.
        unit: its name, `pod-01-su-01`.

    Raises:
        UserError: the plan has no such unit.
    """
    racks = plan.racks.filter((pl.col("su") == unit) & (pl.col("kind") == "compute"))["name"].to_list()
    if not racks:
        raise UserError(f"the plan of {plan.site.name} has no scalable unit `{unit}`")
    # Management ports of what stands outside compute racks are not the hosts'.
    others = (pl.col("a_port") == "mgmt0") & pl.col("a").is_in(plan.managed_frame["name"].implode())
    mine = plan.links.filter((pl.col("tier") == "host_leaf") & ~others)
    switches = mine.filter(pl.col("a_rack").is_in(racks))["z"].unique(maintain_order=True)
    cables = mine.filter(pl.col("z").is_in(switches.implode())).with_columns(
        pl.when(pl.col("a_rack").is_in(racks)).then("a_rack").otherwise(pl.lit("elsewhere")).alias("column")
    )
    columns = racks[:MOST_COLUMNS]
    if len(racks) > MOST_COLUMNS:
        more = f"{len(racks) - MOST_COLUMNS} more racks"
        cables = cables.with_columns(
            pl.when(pl.col("column").is_in(racks[MOST_COLUMNS:])).then(pl.lit(more)).otherwise("column")
            .alias("column")
        )  # fmt: skip
        columns.append(more)
    if cables.filter(pl.col("column") == "elsewhere").height:
        columns.append("elsewhere")
    # A rack's own management switches would be a staircase: each is seen from its rack alone.
    cables = cables.with_columns(
        pl.when(pl.col("z_rack") == pl.col("a_rack"))
        .then(pl.lit("in each rack"))
        .otherwise("z")
        .alias("line")
    )
    if cables["line"].n_unique() > MOST_LINES:
        cables = cables.with_columns(
            pl.when(pl.col("line") == pl.col("z"))
            .then(pl.format("all of rail {}", pl.col("rail") + 1)).otherwise("line").alias("line")
        )  # fmt: skip
    return _draw(plan, unit, columns, cables)


def _draw(plan: Plan, unit: str, columns: list[str], cables: pl.DataFrame) -> Drawing:
    drawing = Drawing(f"Wiring of scalable unit {unit}", plan.geometry.kinds)
    hosts = cables.filter(pl.col("column") != "elsewhere")["a"].n_unique()
    drawing.text(0, 16, f"Wiring of {unit}", "head")
    drawing.text(0, 36, f"{cables.height:,} cables of {hosts:,} hosts; in each crossing: cables and the "
                 "switch's ports", "dim")  # fmt: skip
    wide = column_width(columns)
    for index, column in enumerate(columns):
        x = _LEFT + index * wide
        drawing.box(x, 52, wide - 8, 26, "box tray", about=column)
        name = column.removeprefix(f"{unit}-")
        drawing.text(x + (wide - 8) / 2, 69, shorten(name, wide - 12), middle=True)
    uplinks = {row[0]: row[1] for row in plan.links.group_by("a").len().iter_rows()}
    y = float(_TOP)
    order = cables.sort(pl.col("fabric").to_physical(), maintain_order=True)
    for (fabric,), own in order.group_by("fabric", maintain_order=True):
        drawing.text(0, y + 10, f"{fabric}, {own['gbit'][0]:g} Gbit/s", "name")
        y += 20
        for _, part in own.group_by("line", maintain_order=True):
            y = _draw_line(drawing, unit, columns, y, part=part, uplinks=uplinks)
        y += 10
    return drawing


def _draw_line(
    drawing: Drawing, unit: str, columns: list[str], y: float, *, part: pl.DataFrame, uplinks: dict[str, int]
) -> float:
    """Draw one line; returns where the next begins."""
    fabric, line = str(part["fabric"][0]), str(part["line"][0])
    middle, wide = y + _ROW / 2, column_width(columns)
    rails = part["rail"].drop_nulls().unique().sort().to_list()
    rail = f"rail {rails[0] + 1}" if len(rails) == 1 else f"rails {rails[0] + 1}–{rails[-1] + 1}"
    switches = part["z"].n_unique()
    single = switches == 1
    called = line.removeprefix(f"{unit}-") if single else f"{switches} switches {line}"
    drawing.box(0, y + 3, 186, _ROW - 8, "box switch", about=line)
    drawing.text(6, y + 18, shorten(called, 178))
    words = rail if not single or line not in uplinks else f"{rail}, {uplinks[line]} up"
    drawing.text(194, y + 18, words, "dim")
    drawing.line(_LEFT - 4, middle, _LEFT + len(columns) * wide - 8, middle, f"cable {fabric}")
    for column, crossing in _crossings(part).items():
        x = _LEFT + columns.index(column) * wide
        ports = f"{crossing.first}–{crossing.last}" if crossing.count > 1 else crossing.first
        about = f"{crossing.count} cables of {column} in {line}" + (f", ports {ports}" if single else "")
        drawing.box(x, y + 3, wide - 8, _ROW - 8, "box", about=about)
        text = f"{crossing.count:,}"
        if single:
            first, last = (port.lstrip(string.ascii_letters) for port in (crossing.first, crossing.last))
            text += f" · {first}–{last}" if crossing.count > 1 else f" · {first}"
        kind = "dim" if wide == _WIDE else "dim small"
        drawing.text(x + (wide - 8) / 2, y + 18, text, kind, middle=True)
    return y + _ROW


def column_width(columns: list[str]) -> float:
    """Pixels from one rack to the next."""
    return max(_NARROW, min(_WIDE, _ALL / len(columns)))


def _crossings(part: pl.DataFrame) -> dict[str, Crossing]:
    rows = part.group_by("column", maintain_order=True).agg(
        pl.len(), pl.col("z_port").first().alias("first"), pl.col("z_port").last().alias("last")
    )
    return {row[0]: Crossing(*row[1:]) for row in rows.iter_rows()}
