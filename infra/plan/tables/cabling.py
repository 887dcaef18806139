"""Links: which port of which device is cabled to which port of which switch, by arithmetic on indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.positions import RACK_UNIT_M
from infra.plan.tables.positions import nic_frame as nic_frame_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.tables.geometry import Geometry, Unit
    from infra.plan.tables.switching import TierFrame
    from infra.spec.tiers import ResolvedTier


def host_links(geometry: Geometry, tier: TierFrame, ends: pl.DataFrame, pods: range) -> pl.DataFrame:
    """Cables from hosts to the first tier.

    Args:
        geometry: of the site.
        tier: the first tier.
        ends: pod, su, rack (indices), position (in its rack for rack tiers, else in its scalable unit,
        counted in
            ports of one rail), rail, nic, gbit, a (device row), a_port.
        pods: those of the scope that the fabric is in.

    Returns:
        a, a_port, z (switch row), z_index (port index), pod, rail, plane, gbit; ends that find no port are
        left out (admission says so).
    """
    spec = tier.tier
    block = {
        "rack": ((pl.col("pod") - pods.start) * geometry.sus + pl.col("su")) * geometry.racks
        + pl.col("rack"),
        "scalable-unit": (pl.col("pod") - pods.start) * geometry.sus + pl.col("su"),
        "pod": pl.col("pod") - pods.start,
    }[spec.per]
    ranks = geometry.sizes.ranks(spec.per, pods)
    if ranks is not None:
        block = pl.lit(ranks).gather(block.cast(pl.UInt32))
    if spec.planes > 1:
        planes = pl.DataFrame({"plane": range(spec.planes)}, schema={"plane": pl.Int32})
        ends = ends.join(planes, how="cross", maintain_order="left_right")
        ends = ends.with_columns(pl.format("{}p{}", "a_port", "plane").alias("a_port"))
    else:
        ends = ends.with_columns(pl.lit(0, pl.Int32).alias("plane"))
    index = pl.col("position") // spec.down
    ordinal = (pl.col("plane") * spec.sets + pl.col("rail")) * spec.count + index
    result = ends.select(
        "a", "a_port",
        (block * spec.per_block + ordinal).cast(pl.Int32).alias("z"),
        (pl.col("position") % spec.down).cast(pl.Int32).alias("z_index"),
        "pod", "rail", "plane",
        (pl.col("gbit") / spec.planes).cast(pl.Float32).alias("gbit"),
        ((index < spec.count) & (pl.col("position") % spec.down < spec.ports)).alias("fits"),
    )  # fmt: skip
    if not result["fits"].all():
        result = result.filter("fits")
    return result.drop("fits")


def uplinks(geometry: Geometry, lower: TierFrame, upper: TierFrame, pods: range) -> pl.DataFrame:
    """Cables from one tier's switches to the next tier's; columns as `host_links`, with a_index for a_port.

    The lower switches that reach one set of upper ones are numbered L = 0, 1, …; their uplinks w = L × up +
    u are dealt to the set's n switches in turn: switch w mod n, port w div n. So each pair has an equal
    number of links, ports fill without gaps, and a pod's ports follow from its own index alone.
    """
    below, above = lower.tier, upper.tier
    if not below.up:
        return pl.DataFrame(schema=UPLINK_SCHEMA)
    spread = -(-below.count // above.sets)
    if above.by_rail:
        target, within, each = pl.col("set"), pl.col("index"), below.count
    elif above.sets > 1:
        target = pl.col("index") % above.sets
        within, each = pl.col("set") * spread + pl.col("index") // above.sets, below.sets * spread
    else:
        target = pl.lit(0, pl.Int32)
        within, each = pl.col("set") * below.count + pl.col("index"), below.sets * below.count
    position, block = _block(geometry, below, above, pods)
    frame = lower.frame.select(
        pl.int_range(0, pl.len(), dtype=pl.Int32).alias("a"),
        "pod", "plane",
        (block * above.per_block + (pl.col("plane") * above.sets + target) * above.count)
        .cast(pl.Int32).alias("first"),
        ((position * each + within) * below.up).cast(pl.Int32).alias("w"),
        (pl.col("set") if below.level == 0 else pl.lit(None, pl.Int32)).cast(pl.Int32).alias("rail"),
    )  # fmt: skip
    # Ports that the model does not have are not cabled; admission says that they are missing.
    up = pl.DataFrame({"u": range(min(below.up, below.up_most))}, schema={"u": pl.Int32})
    frame = frame.join(up, how="cross", maintain_order="left_right")
    w = pl.col("w") + pl.col("u")
    frame = frame.select(
        "a", (pl.col("u") + below.up_first).alias("a_index"),
        (pl.col("first") + w % above.count).alias("z"),
        (w // above.count).cast(pl.Int32).alias("z_index"),
        "pod", "rail", "plane",
        pl.lit(below.up_speed, pl.Float32).alias("gbit"),
    )  # fmt: skip
    if below.servers:
        # From the last port that faces down backwards; of a plan that is refused, as far as trays leave some.
        frame = frame.with_columns((above.down - 1 - pl.col("z_index")).cast(pl.Int32).alias("z_index"))
        frame = frame.filter(pl.col("z_index") >= above.trays)
    over = frame["z_index"].max()
    if isinstance(over, int) and over >= above.ports:
        frame = frame.filter(pl.col("z_index") < above.ports)
    return frame


UPLINK_SCHEMA = {
    "a": pl.Int32, "a_index": pl.Int32, "z": pl.Int32, "z_index": pl.Int32, "pod": pl.Int32, "rail": pl.Int32,
    "plane": pl.Int32, "gbit": pl.Float32,
}  # fmt: skip


def _block(
    geometry: Geometry, below: ResolvedTier, above: ResolvedTier, pods: range
) -> tuple[pl.Expr, pl.Expr]:
    """Index of the lower block in its upper block, and of the upper block in the scope."""
    if below.per == above.per:
        return pl.lit(0, pl.Int32), pl.col("local")
    first = below.pods.start
    if below.per in {"hall", "building"}:
        block = pl.col("block") - first // geometry.blocks_per(below.per)
        ratio = geometry.blocks_per(above.per) // geometry.blocks_per(below.per)
        return block % ratio, block // ratio - (pods.start - first) // geometry.blocks_per(above.per)
    rack = pl.col("block") % geometry.racks
    if above.per == "scalable-unit":
        upper = (pl.col("pod") - pods.start) * geometry.sus + pl.col("su")
        ranks = geometry.sizes.ranks("scalable-unit", pods)
        return rack, upper if ranks is None else pl.lit(ranks).gather(upper.cast(pl.UInt32))
    within = {
        "rack": pl.col("su") * geometry.sizes.racks(pl.col("pod")) + rack,
        "scalable-unit": pl.col("su"),
        "pod": pl.lit(0, pl.Int32),
    }[below.per]
    if above.per == "pod":
        return within, pl.col("pod") - pods.start
    size = geometry.blocks_per(above.per)
    before = geometry.sizes.places(below.per, first, size, pl.col("pod"))
    return before + within, (pl.col("pod") - first) // size - (pods.start - first) // size


def nic_ends(geometry: Geometry, tier: ResolvedTier, node_frame: pl.DataFrame, pods: range) -> pl.DataFrame:
    """Host ends of a data fabric, for `host_links`; `a` is the node's row."""
    platforms = {slot.platform for form in geometry.forms for slot in form.slots}
    rails = tier.sets
    interfaces = nic_frame_of(platforms).filter(pl.col("kind") == tier.kind).select(
        "platform", "nic", pl.col("interface").alias("a_port"), "gbit",
        (pl.col("nic") % rails).alias("rail"), (pl.col("nic") // rails).alias("lane"),
    )  # fmt: skip
    lanes = dict(geometry.unit.lanes).get(tier.fabric, 0)
    units = geometry.units(pods)
    frame = node_frame.select(
        "pod", "su", "rack", "slot", "platform",
        pl.int_range(0, pl.len(), dtype=pl.Int32).alias("a"),
        pl.lit(lanes, pl.Int32).alias("lanes"),
        (pl.col("su") * geometry.sizes.racks(pl.col("pod")) * geometry.unit.width(tier.fabric, 1))
        .cast(pl.Int32).alias("base"),
        (pl.col("rack") * geometry.unit.width(tier.fabric, 1)).cast(pl.Int32).alias("before"),
    )  # fmt: skip
    if tier.pods != range(geometry.pods):
        frame = frame.filter(pl.col("pod").is_between(pods.start, pods.stop, closed="left"))
    if units:
        keys = ["pod", "su", "rack"]
        other = _mixed(geometry, tier.fabric, units)
        frame = frame.join(other, on=keys, how="left", maintain_order="left").with_columns(
            pl.coalesce(f"{name}_", name).alias(name) for name in ("lanes", "base", "before")
        )
    frame = frame.join(interfaces, on="platform", how="inner", maintain_order="left_right")
    position = {
        "rack": pl.col("slot") * pl.col("lanes") + pl.col("lane"),
        "scalable-unit": pl.col("before") + pl.col("slot") * pl.col("lanes") + pl.col("lane"),
        "pod": pl.col("base") + pl.col("before") + pl.col("slot") * pl.col("lanes") + pl.col("lane"),
    }[tier.per]
    return frame.select("pod", "su", "rack", position.alias("position"), "rail", "nic", "gbit", "a", "a_port")


def _mixed(geometry: Geometry, fabric: str, units: Mapping[tuple[int, int], Unit]) -> pl.DataFrame:
    """Racks of pods with units of other sizes: lanes_, base_ (of its unit), before_ (in its unit)."""
    rows = []
    for pod in sorted({pod for pod, _ in units}):
        changed = geometry.overrides(range(pod, pod + 1))
        base = 0
        for su in range(geometry.sizes.of(pod).units):
            rule = dict(geometry.unit.lanes).get(fabric, 0)
            widths, before = geometry.rack_widths(pod, su, fabric), 0
            for rack, width in enumerate(widths):
                form = changed.get((pod, su, rack), geometry.default_form(rack))
                lanes = geometry.lanes_of(form, fabric) if (pod, su) in units else rule
                rows.append((pod, su, rack, lanes, base, before))
                before += width
            base += before
    names = ("pod", "su", "rack", "lanes_", "base_", "before_")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int32), orient="row")


def management_ends(tier: ResolvedTier, ports: pl.DataFrame, pods: range) -> pl.DataFrame:
    """Ends of the out-of-band fabric, for `host_links`.

    Args:
        tier: the out-of-band fabric's first tier.
        ports: see `positions.management`.
        pods: those of the scope that the fabric is in.
    """
    ports = ports.filter(pl.col("pod").is_between(pods.start, pods.stop, closed="left"))
    position = {
        "rack": pl.col("position"),
        "scalable-unit": pl.col("rack") * pl.col("ports") + pl.col("position"),
        "pod": pl.col("first_port") + pl.col("position"),
    }[tier.per]
    zero = pl.lit(0, pl.Int32)
    return ports.select(
        "pod", "su", "rack", position.alias("position"), zero.alias("rail"), zero.alias("nic"),
        pl.lit(1.0).alias("gbit"), "a", pl.col("interface").alias("a_port"),
    )  # fmt: skip


def lengths(a: pl.DataFrame, z: pl.DataFrame, geometry: Geometry) -> pl.Series:
    """Cable lengths in metres: within a rack by units, else up, along, across and down."""
    far = geometry.site.layout.distances
    frame = pl.DataFrame(
        {
            "ax": a["x"],
            "zx": z["x"],
            "ay": a["y"],
            "zy": z["y"],
            "au": a["unit"],
            "zu": z["unit"],
        }
    )
    within = (pl.col("au") - pl.col("zu")).abs() * RACK_UNIT_M + far.slack
    across = (
        (pl.col("ax") - pl.col("zx")).abs()
        + (pl.col("ay") - pl.col("zy")).abs()
        + 2 * far.overhead
        + far.slack
    )
    return frame.select(
        pl.when((pl.col("ax") == pl.col("zx")) & (pl.col("ay") == pl.col("zy")))
        .then(within)
        .otherwise(across)
        .round(3)
        .cast(pl.Float32)
        .alias("length")
    )["length"]
