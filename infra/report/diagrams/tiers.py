"""Tiers of a fabric: a band as wide as its capacity between each two, with counts and oversubscription.

A fabric of few switches also shows each of them with its cables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.counts import step_name
from infra.plan.tables.paths import fabric_paths
from infra.plan.views.paths import sentence, speed
from infra.report.diagrams.svg import Drawing, shorten

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.plan.tables.paths import FabricPaths, TierPaths

MOST_SWITCHES = 40
MOST_BESIDE = 14
"""Of a fabric whose switches are drawn one by one: all, and those (or racks) of one tier."""
MOST_WORDS = 12
"""Cables between two switches that are labelled."""
_ACROSS = 1500
_WIDE, _BOX, _GAP, _TOP = 460, 52, 84, 56
_LOW = 40
"""Narrowest band: text fits on it."""


def draw_tiers(plan: Plan, fabric: str) -> Drawing:
    """Draw one fabric of the whole site.

    Args:
        plan: of the site.
        fabric: its name.
    """
    judged = fabric_paths(plan.geometry, fabric)
    drawing = Drawing(f"Tiers of {fabric}", plan.geometry.kinds)
    count = sum(tier.switches for tier in judged.tiers)
    drawing.text(0, 16, f"{fabric}: {count:,} switch{'' if count == 1 else 'es'}", "head")
    title = plan.site.fabrics.named()[fabric].title
    words = [*([title] if title else []), *sentence(judged).split("; ")]
    for index, line in enumerate(_lines(words, 105)):
        drawing.text(0, 36 + 16 * index, line, "dim")
    top = _TOP + 16 * len(_lines(words, 105))
    rows = _each(plan, fabric)
    if sum(map(len, rows)) <= MOST_SWITCHES and max(map(len, rows)) <= MOST_BESIDE:
        _draw_each(drawing, plan, fabric, rows, top)
    else:
        _draw_bands(drawing, plan, judged, top)
    return drawing


def _lines(words: list[str], wide: int) -> list[str]:
    lines: list[str] = [""]
    for word in words:
        joined = f"{lines[-1]}; {word}" if lines[-1] else word
        if len(joined) > wide and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines


def _cables(plan: Plan, fabric: str) -> dict[str, int]:
    return {
        str(row[0]): row[1]
        for row in plan.links.filter(pl.col("fabric") == fabric).group_by("tier").len().iter_rows()
    }


def _draw_bands(drawing: Drawing, plan: Plan, judged: FabricPaths, top: float) -> None:
    """Tiers from the top down to the hosts."""
    cables = _cables(plan, judged.fabric)
    own = plan.geometry.tiers[judged.fabric]
    models = {tier.name: tier.model.title for tier in own}
    pers = {tier.name: f"{tier.per_block} in each {tier.per}" for tier in own}
    if own[0].sets > 1:
        pers[own[0].name] += f", {own[0].sets} rails"
    # Capacity of a whole step on the site, in Gbit/s: what the bands are as wide as.
    steps = [step_name(tier.level) for tier in own]
    gbits = {
        str(row[0]): row[1]
        for row in plan.links.filter(pl.col("fabric") == judged.fabric)
        .group_by("tier").agg(pl.col("gbit").cast(pl.Float64).sum()).iter_rows()
    }  # fmt: skip
    most = max(gbits.values(), default=1.0)
    middle = _WIDE / 2
    y = top
    for level in reversed(range(len(own))):
        tier = judged.tiers[level]
        drawing.box(0, y, _WIDE, _BOX, "box switch", about=tier.name, round_=5)
        drawing.text(14, y + 21, f"{tier.switches:,} × {tier.name}", "name")
        drawing.text(
            14, y + 39, shorten(f"{models[tier.name]}; {pers[tier.name]}", _WIDE + 40, start=True), "dim"
        )
        _beside(drawing, tier, y)
        step = steps[level]
        gbit = gbits.get(step, 0.0)
        half = max(_LOW, _WIDE * gbit / most) / 2
        corners = [
            (middle - half, y + _BOX), (middle + half, y + _BOX),
            (middle + half, y + _BOX + _GAP), (middle - half, y + _BOX + _GAP),
        ]  # fmt: skip
        about = f"{cables.get(step, 0):,} cables, {speed(gbit)}"
        drawing.shape(corners, f"band {judged.fabric}", about=about)
        below = judged.tiers[level - 1] if level else None
        ratio = below.oversubscription if below else None
        drawing.text(middle, y + _BOX + 38, f"{cables.get(step, 0):,} cables", "name", middle=True)
        drawing.text(middle, y + _BOX + 56, speed(gbit), middle=True)
        if ratio is not None:
            drawing.text(
                _WIDE + 20, y + _BOX + 47, f"{ratio:.3g}:1 above {below.name if below else ''}", "name"
            )
        y += _BOX + _GAP
    hosts = plan.links.filter(
        (pl.col("fabric") == judged.fabric) & (pl.col("tier") == "host_leaf")
    )["a"].n_unique()  # fmt: skip
    drawing.box(0, y, _WIDE, 34, "box tray", round_=5)
    drawing.text(14, y + 22, f"{hosts:,} hosts", "name")


def _beside(drawing: Drawing, tier: TierPaths, y: float) -> None:
    """Describe the load of one switch, and the cost of its loss."""
    x = _WIDE + 20
    drawing.text(x, y + 21, f"a switch: {speed(tier.down_gbit)} from below"
                 + (f", {speed(tier.up_gbit)} up" if tier.up_gbit else ""), "dim")  # fmt: skip
    if tier.survives is None:
        loss = f"without one: {tier.lost_ports} host ports dark"
    else:
        loss = f"without one: {tier.lost_share:.2%} of a lower switch's uplinks"
        loss += "" if tier.survives else "; some leaves have no path left"
    drawing.text(x, y + 39, loss, "dim")


def _each(plan: Plan, fabric: str) -> list[list[str]]:
    """Names of switches by tier, highest first, then of the racks with hosts."""
    own = plan.switches.filter(pl.col("fabric") == fabric).sort("level", descending=True, maintain_order=True)
    hosts = plan.links.filter((pl.col("fabric") == fabric) & (pl.col("tier") == "host_leaf"))
    rows = [part["name"].to_list() for _, part in own.group_by("level", maintain_order=True)]
    return [*rows, hosts["a_rack"].unique(maintain_order=True).to_list()]


def _draw_each(drawing: Drawing, plan: Plan, fabric: str, rows: list[list[str]], top: float) -> None:
    """Each switch, and a line for all cables between two of them; hosts by rack."""
    links = plan.links.filter(pl.col("fabric") == fabric)
    own = plan.switches.filter(pl.col("fabric") == fabric)
    hosts = links.filter(pl.col("tier") == "host_leaf")
    beside = max(map(len, rows))
    wide = min(150.0, _ACROSS / beside - 16)
    across = beside * (wide + 16)
    place: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        start = (across - len(row) * (wide + 16)) / 2
        for index, name in enumerate(row):
            place[name] = (start + index * (wide + 16), top + level * 130)
    ends = pl.when(pl.col("tier") == "host_leaf").then("a_rack").otherwise("a")
    pairs = links.group_by(ends.alias("low"), "z", maintain_order=True).agg(pl.len(), pl.col("gbit").sum())
    for low, high, count, gbit in pairs.iter_rows():
        (x1, y1), (x2, y2) = place[low], place[high]
        drawing.line(x2 + wide / 2, y2 + 44, x1 + wide / 2, y1, f"cable {fabric}", wide=1 + min(count, 8) / 2)
        if pairs.height <= MOST_WORDS:
            near = (x1 + (x2 - x1) * 0.2 + wide / 2 + 6, y1 + (y2 + 44 - y1) * 0.2)
            drawing.text(*near, f"{count} × {gbit / count:g} Gbit/s", "dim")
    judged = fabric_paths(plan.geometry, fabric)
    ratios = {tier.name: tier.oversubscription for tier in judged.tiers}
    shown = dict(own.select("name", "tier").iter_rows())
    counts = dict(hosts.group_by("a_rack").agg(pl.col("a").n_unique()).iter_rows())
    pods = {"-".join(name.split("-")[:2]) for name in place}
    common = pods.pop() if len(pods) == 1 else ""
    for name, (x, y) in place.items():
        drawing.box(x, y, wide, 44, f"box {'switch' if name in shown else 'tray'}", about=name, round_=5)
        drawing.text(x + 8, y + 18, shorten(name.removeprefix(f"{common}-"), wide - 12))
        ratio = ratios.get(shown.get(name, ""))
        words = f"{counts[name]} hosts" if name in counts else shown[name]
        words += f", {ratio:.3g}:1 up" if ratio is not None else ""
        drawing.text(x + 8, y + 35, shorten(words, wide - 4, start=True), "dim")
