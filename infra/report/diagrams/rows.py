"""Cable plan of a pod by row: its racks to scale, and how many cables stay in each row or leave it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from infra.report.diagrams.svg import CHARACTER, Drawing, shorten

if TYPE_CHECKING:
    from infra.plan import Plan

_METRE = 20.0
"""Pixels of a metre along a row."""
_ROW, _TOP, _NAME, _BAR = 46, 78, 150, 200
BEYOND = "outside the pod"


def draw_rows(plan: Plan, pod: str) -> Drawing:
    """Draw a pod's rows from the lowest coordinate up, and the cables of each.

    Args:
        plan: of the site.
        pod: name of a pod.

    Raises:
        UserError: the plan has no such pod.
    """
    scope = plan.pod(pod)
    racks = scope.racks
    rows = row_names(racks)
    place = racks.select("name", pl.col("y").replace_strict(rows, return_dtype=pl.String).alias("row"))
    cables = cables_by_row(pl.concat([scope.links, scope.crossing()]), place)
    left, right = racks.select(pl.col("x").min().alias("left"), pl.col("x").max().alias("right")).row(0)
    wide = (right - left + 0.6) * _METRE
    drawing = Drawing(f"Cable plan of {pod} by row", plan.geometry.kinds)
    drawing.text(0, 16, f"Cable plan of {pod} by row", "head")
    drawing.text(0, 36, f"{cables['count'].sum():,} cables of what stands in it; racks to scale, "
                 f"{wide / _METRE:.1f} m along a row", "dim")  # fmt: skip
    bars = _NAME + wide + 30
    text = bars + 2 * (_BAR + 250)
    drawing.text(0, 64, "row", "name")
    drawing.text(bars, 64, "cables inside the row", "name")
    drawing.text(bars + _BAR + 250, 64, "cables that leave it upwards", "name")
    sums = cables.group_by("row", "leaves").agg(pl.col("count").sum())["count"].to_list()
    scale = _BAR / max([1, *sums])
    y = float(_TOP)
    for at, row in rows.items():
        drawing.text(0, y + 20, shorten(row, _NAME - 8))
        for rack in racks.filter(pl.col("y") == at).iter_rows(named=True):
            x = _NAME + (rack["x"] - left) * _METRE
            kind = {"compute": "tray", "network": "switch", "cdu": "shelf"}.get(rack["kind"], "storage")
            drawing.box(x, y + 4, 0.6 * _METRE - 2, 24, f"box {kind}", about=rack["name"], round_=1)
        for leaves, start in ((False, bars), (True, bars + _BAR + 250)):
            _bar(
                drawing, cables.filter((pl.col("row") == row) & (pl.col("leaves") == leaves)), start, y, scale
            )
        drawing.line(0, y + _ROW - 6, text, y + _ROW - 6)
        y += _ROW
    x = 0.0
    for fabric in cables["fabric"].cast(pl.String).unique(maintain_order=True):
        drawing.box(x, y + 8, 12, 12, f"band {fabric}", round_=0)
        drawing.text(x + 18, y + 18, fabric, "dim")
        x += 40 + len(fabric) * CHARACTER
    return drawing


def _bar(drawing: Drawing, cables: pl.DataFrame, x: float, y: float, scale: float) -> None:
    """Draw counts by fabric, side by side, then the total with the lengths and where they go."""
    if not cables.height:
        drawing.text(x, y + 20, "none", "dim")
        return
    start = x
    for (fabric,), part in cables.group_by("fabric", maintain_order=True):
        count = int(part["count"].sum())
        width = max(count * scale, 3)
        drawing.box(start, y + 6, width, 20, f"band {fabric}", about=f"{count:,} of {fabric}", round_=0)
        if width > len(f"{count:,}") * CHARACTER:
            drawing.text(start + 4, y + 20, f"{count:,}", "small")
        start += width
    total, low, high = cables.select(
        pl.col("count").sum(), pl.col("least").min().round(), pl.col("most").max().round()
    ).row(0)
    spread = f"{low:.0f} m" if low == high else f"{low:.0f}–{high:.0f} m"
    drawing.text(start + 8, y + 16, f"{total:,}, {spread}", "small")
    targets = cables.filter(pl.col("target") != pl.col("row"))["target"].unique(maintain_order=True)
    if targets.len():
        drawing.text(start + 8, y + 29, shorten("to " + ", ".join(targets), 220, start=True), "dim small")


def row_names(racks: pl.DataFrame) -> dict[float, str]:
    """Name of each row, by the metres that it is at: its scalable unit, or what its racks have in common."""
    names: dict[float, str] = {}
    for (at,), part in racks.sort("y", "x").group_by("y", maintain_order=True):
        units = part.filter(pl.col("kind") == "compute")["su"].drop_nulls().unique(maintain_order=True)
        # A pod's switches give their row its name, wherever its servers stand in it.
        first = part.sort(part["kind"] != "network", maintain_order=True)
        stems = [re.sub(r"-\d+$", "", name) for name in first["name"]]
        name = units[0] if units.len() == 1 else stems[0]
        if name in names.values():
            name = f"{name}, {at:g} m"
        names[float(str(at))] = name
    return names


def cables_by_row(links: pl.DataFrame, place: pl.DataFrame) -> pl.DataFrame:
    """Count cables by the row of their lower end.

    Args:
        links: see `Plan.links`.
        place: name of each rack and its row.

    Returns:
        row, target (row of the upper end), leaves, fabric, count, least, most (metres).
    """
    links = links.join(place.rename({"name": "a_rack"}), on="a_rack", how="inner", maintain_order="left")
    links = links.join(place.rename({"name": "z_rack", "row": "target"}), on="z_rack", how="left",
                       maintain_order="left")  # fmt: skip
    return (
        links.with_columns(pl.col("target").fill_null(BEYOND))
        .with_columns((pl.col("row") != pl.col("target")).alias("leaves"))
        .group_by("row", "target", "leaves", "fabric", maintain_order=True)
        .agg(
            pl.len().alias("count"),
            pl.col("length").min().alias("least"),
            pl.col("length").max().alias("most"),
        )
    )
