"""Switches of some pods and of the levels above them: names, models, places in network racks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.positions import origin, two
from infra.spec.fabric import BLOCKS

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.spec.tiers import ResolvedTier


@dataclass(frozen=True, slots=True)
class TierFrame:
    """Switches of one tier whose blocks the scope touches, block by block.

    Attributes:
        tier: what they are.
        frame: block (global index), local (index of the block in the scope), ordinal, plane, set, index,
        name,
            rack_name, unit, x, y and pod, su (indices; None above).
    """

    tier: ResolvedTier
    frame: pl.DataFrame


@lru_cache(maxsize=64)
def _places(heights: tuple[tuple[int, int], ...], usable: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Pack switches (height, how many; by tier) into racks from the bottom: per tier (rack, unit) of each."""
    rack, unit = 0, 1
    result = []
    for height, count in heights:
        places = []
        for _ in range(count):
            if unit + height - 1 > usable:
                rack, unit = rack + 1, 1
            places.append((rack, unit))
            unit += height
        result.append(tuple(places))
    return tuple(result)


def tier_frames(geometry: Geometry, rack_frame: pl.DataFrame, pods: range, above: range) -> list[TierFrame]:
    """All tiers of all fabrics, in order, for these pods.

    Args:
        geometry: of the site.
        rack_frame: compute racks of the pods.
        pods: the scope.
        above: pods whose halls, buildings and site are meant by tiers above pods.
    """
    by_level = peers(geometry)
    blocks: dict[tuple[str, range], pl.DataFrame] = {}
    result = []
    for tier in geometry.every_tier:
        if tier.per not in INSIDE:
            result.append(upper_frame(geometry, tier, intersect(above, tier.pods)))
            continue
        own = intersect(pods, tier.pods)
        if (tier.per, own) not in blocks:
            blocks[tier.per, own] = _blocks(geometry, rack_frame, own, tier.per)
        result.append(TierFrame(tier, _tier(geometry, tier, by_level[tier.per], blocks[tier.per, own])))
    return result


def intersect(pods: range, others: range) -> range:
    """Return the pods that are in both ranges."""
    start = max(pods.start, others.start)
    return range(start, max(min(pods.stop, others.stop), start))


INSIDE = ("rack", "scalable-unit", "pod")
"""Levels of tiers that lie in a pod."""


def peers(geometry: Geometry) -> dict[str, list[ResolvedTier]]:
    """Tiers by level: those of a level share its network racks."""
    by_level: dict[str, list[ResolvedTier]] = {}
    for tier in geometry.every_tier:
        by_level.setdefault(tier.per, []).append(tier)
    return by_level


def upper_frame(geometry: Geometry, tier: ResolvedTier, pods: range) -> TierFrame:
    """A tier above pods: the blocks that these pods are in. Kept, because every slice asks for them."""
    if not pods:
        return TierFrame(
            tier,
            _tier(
                geometry, tier, peers(geometry)[tier.per], _blocks(geometry, pl.DataFrame(), pods, tier.per)
            ),
        )
    size = geometry.blocks_per(tier.per)
    key = f"tier {tier.name} {pods.start // size} {(pods.stop - 1) // size}"
    known = geometry.memo.get(key)
    if not isinstance(known, TierFrame):
        blocks = _blocks(geometry, pl.DataFrame(), pods, tier.per)
        known = TierFrame(tier, _tier(geometry, tier, peers(geometry)[tier.per], blocks))
        geometry.memo[key] = known
    return known


def _blocks(geometry: Geometry, rack_frame: pl.DataFrame, pods: range, per: str) -> pl.DataFrame:
    """Blocks of a level: block, local, pod, su, rack_name (of a compute rack), base (name), x, y, top."""
    far, layout = geometry.site.layout.distances, geometry.site.layout
    if per == "rack":
        tops = pl.DataFrame(
            {"form": range(len(geometry.forms)), "top": [form.top for form in geometry.forms]},
            schema={"form": pl.Int16, "top": pl.Int32},
        )
        frame = rack_frame.filter(pl.col("pod").is_between(pods.start, pods.stop, closed="left"))
        frame = frame.join(tops, on="form", how="left", maintain_order="left")
        return frame.select(
            ((pl.col("pod") * geometry.sus + pl.col("su")) * geometry.racks + pl.col("rack")).alias("block"),
            pl.int_range(0, pl.len(), dtype=pl.Int32).alias("local"),
            "pod", "su", pl.col("name").alias("base"), pl.col("name").alias("rack_name"), "x", "y", "top",
        )  # fmt: skip
    east, north = origin(geometry)
    if per in {"scalable-unit", "pod"}:
        sizes, pod = geometry.sizes, pl.col("pod")
        each = geometry.sus if per == "scalable-unit" else 1
        index = pl.int_range(0, len(pods) * each, dtype=pl.Int32, eager=True).alias("local").to_frame()
        frame = index.with_columns((pl.col("local") // each + pods.start).alias("pod"))
        frame = frame.with_columns((pl.col("local") % each).alias("su"))
        if per == "scalable-unit" and not sizes.uniform:
            frame = frame.filter(sizes.standing(pod, pl.col("su")) > 0)
            frame = frame.with_columns(pl.int_range(0, pl.len(), dtype=pl.Int32).alias("local"))
        base = pl.format("pod-{}", two("pod"))
        if per == "scalable-unit":
            x, y = east + sizes.racks(pod) * far.rack_pitch, north + pl.col("su") * far.row_pitch
            base, su = pl.format("{}-su-{}", base, two("su")), pl.col("su")
        else:
            x, y = east, north + sizes.units(pod) * far.row_pitch
            su = pl.lit(None, pl.Int32)
        frame = frame.with_columns((pl.col("pod") * each + pl.col("su")).alias("block"), base.alias("base"),
                                   x.cast(pl.Float64).alias("x"), y.cast(pl.Float64).alias("y"))  # fmt: skip
        frame = frame.with_columns(su.alias("su"))
    else:
        size = geometry.blocks_per(per)
        first, last = pods.start // size, (pods.stop - 1) // size
        rows = []
        for local, block in enumerate(range(first, last + 1) if pods else ()):
            # Above pods: a row of its own before the first pod's rows, at the block's corner.
            hall = block if per == "hall" else block * layout.halls_per_building
            x = hall // layout.halls_per_building * far.building_pitch
            x += hall % layout.halls_per_building * far.hall_pitch
            y = -far.row_pitch * (BLOCKS.index(per) - 1)
            base_name = geometry.site.name if per == "site" else f"{per}-{block + 1:02d}"
            rows.append((local, None, None, block, base_name, x, y))
        schema = {"local": pl.Int32, "pod": pl.Int32, "su": pl.Int32, "block": pl.Int32, "base": pl.String,
                  "x": pl.Float64, "y": pl.Float64}  # fmt: skip
        frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.select(
        "block", "local", "pod", "su", "base", pl.format("{}-net-", "base").alias("rack_name"), "x", "y",
        pl.lit(1, pl.Int32).alias("top"),
    )  # fmt: skip


def racks_per_block(geometry: Geometry, per: str) -> int:
    """Network racks that a block of a level has."""
    tiers = peers(geometry).get(per, [])
    heights = tuple((tier.model.height, tier.per_block) for tier in tiers)
    placed = _places(heights, geometry.site.layout.rack_height)
    return max((rack + 1 for places in placed for rack, _ in places), default=0)


def pod_name() -> pl.Expr:
    """Name of the pod at an index column `pod`; None above pods."""
    return pl.when(pl.col("pod").is_not_null()).then(pl.format("pod-{}", two("pod")))


def su_name() -> pl.Expr:
    """Name of the scalable unit at index columns `pod` and `su`; None above it."""
    text = pl.format("pod-{}-su-{}", two("pod"), two("su"))
    return pl.when(pl.col("su").is_not_null()).then(text)


def _tier(
    geometry: Geometry, tier: ResolvedTier, peers: list[ResolvedTier], blocks: pl.DataFrame
) -> pl.DataFrame:
    layout = geometry.site.layout
    heights = tuple((peer.model.height, peer.per_block) for peer in peers)
    usable = 10_000 if tier.per == "rack" else layout.rack_height
    places = _places(heights, usable)[peers.index(tier)]
    ordinal = pl.DataFrame(
        {
            "ordinal": range(tier.per_block),
            "plane": [o // (tier.sets * tier.count) for o in range(tier.per_block)],
            "set": [o // tier.count % tier.sets for o in range(tier.per_block)],
            "index": [o % tier.count for o in range(tier.per_block)],
            "net": [rack for rack, _ in places],
            "unit": [unit for _, unit in places],
            "text": [f"{tier.name}-{o + 1:02d}" for o in range(tier.per_block)],
            "net_text": [f"{rack + 1:02d}" for rack, _ in places],
        },
        schema={"ordinal": pl.Int32, "plane": pl.Int32, "set": pl.Int32, "index": pl.Int32, "net": pl.Int32,
                "unit": pl.Int32, "text": pl.String, "net_text": pl.String},
    )  # fmt: skip
    frame = blocks.join(ordinal, how="cross", maintain_order="left_right")
    own = tier.per == "rack"
    far = layout.distances
    return frame.select(
        "block", "local", "ordinal", "plane", "set", "index", "pod", "su",
        pl.format("{}-{}", "base", "text").alias("name"),
        (pl.col("rack_name") if own else pl.col("rack_name") + pl.col("net_text")).alias("rack_name"),
        (pl.col("top") + pl.col("unit") - 1).cast(pl.Int16).alias("unit"),
        (pl.col("x") if own else pl.col("x") + pl.col("net") * far.rack_pitch).cast(pl.Float64).alias("x"),
        "y",
    )  # fmt: skip
