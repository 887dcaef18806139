"""Cables and the ports they end at, with names: the tables that `cabling` works out by index."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables import cabling, positions, reach, switching
from infra.plan.tables.counts import step_name
from infra.spec import hosts, rooms, tiers
from infra.spec.fabric import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.switching import TierFrame
    from infra.plan.tables.tables import Tables
    from infra.spec.tiers import ResolvedTier

STEPS = pl.Enum([step_name(level) for level in range(8)])

LINK_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tier": STEPS,
    "pod": pl.String,
    "rail": pl.Int16,
    "plane": pl.Int16,
    "gbit": pl.Float32,
    "a": pl.String,
    "a_port": pl.String,
    "a_rack": pl.String,
    "a_unit": pl.Int16,
    "z": pl.String,
    "z_port": pl.String,
    "z_rack": pl.String,
    "z_unit": pl.Int16,
    "length": pl.Float32,
}


def links(plan: Tables) -> pl.DataFrame:
    """See `Plan.links`."""
    if plan.template:
        return plan.template.links(plan)
    frames = [part for _, _, part in link_parts(plan)]
    return pl.concat(frames) if frames else no_links(plan.geometry)


def fabrics(geometry: Geometry) -> pl.Enum:
    """Names of a site's fabrics, as the column type of tables with a row for each cable."""
    return pl.Enum(list(dict.fromkeys((*KINDS, *geometry.tiers))))


def no_links(geometry: Geometry) -> pl.DataFrame:
    """The cables of a site without fabrics."""
    return pl.DataFrame(schema={"fabric": fabrics(geometry), **LINK_SCHEMA})


def link_parts(plan: Tables) -> Iterator[tuple[ResolvedTier | None, ResolvedTier, pl.DataFrame]]:
    """Cables by the tier that they go up from (None for hosts) and up to."""
    frames = {frame.tier.name: frame for frame in plan.tier_frames}
    for name, fabric in plan.geometry.tiers.items():
        tiers = [frames[tier.name] for tier in fabric]
        pods = switching.intersect(plan.scope, fabric[0].pods)
        if not pods and plan.scope:
            continue
        host = cabling.host_links(plan.geometry, tiers[0], _ends(plan, tiers[0], pods), pods)
        yield None, fabric[0], name_ends(plan, host, tiers[0], None)
        leaves = [frames[leaf.name] for leaf in plan.geometry.leaves[name]]
        for leaf in leaves:
            host = cabling.host_links(plan.geometry, leaf, _server_ends(plan, leaf, None, pods), pods)
            yield None, leaf.tier, name_ends(plan, host, leaf, None)
        for lower, upper in (*pairwise(tiers), *((leaf, tiers[1]) for leaf in leaves)):
            if plan.site_level or lower.tier.per in switching.INSIDE:
                cables = cabling.uplinks(plan.geometry, lower, upper, pods)
                yield lower.tier, upper.tier, name_ends(plan, cables, upper, lower)


def crossing(plan: Tables) -> pl.DataFrame:
    """Cables from the scope's pods to the switches above them."""
    frames = {frame.tier.name: frame for frame in plan.tier_frames}
    parts = [no_links(plan.geometry)]
    for name, fabric in plan.geometry.tiers.items():
        for below, above in (*pairwise(fabric), *((leaf, fabric[1]) for leaf in plan.geometry.leaves[name])):
            if below.per in switching.INSIDE and above.per not in switching.INSIDE:
                lower, upper = frames[below.name], frames[above.name]
                pods = switching.intersect(plan.scope, below.pods)
                cables = cabling.uplinks(plan.geometry, lower, upper, pods)
                parts.append(name_ends(plan, cables, upper, lower))
    return pl.concat(parts)


def _ends(plan: Tables, tier: TierFrame, pods: range) -> pl.DataFrame:
    if tier.tier.kind == "out-of-band":
        rule = cabling.management_ends(tier.tier, plan.management_frame, pods)
        hosts = plan.node_frame.height + plan.companion_frame.height + plan.server_frame.height
        others = reach.ends(plan, tier.tier, pods, hosts)
        return pl.concat([rule, others.cast(rule.schema)]) if others.height else rule
    ends = cabling.nic_ends(plan.geometry, tier.tier, plan.node_frame, pods)
    servers = _server_ends(plan, tier, ends, pods)
    return pl.concat([ends, servers.cast(ends.schema)]) if servers.height else ends


def _server_ends(plan: Tables, tier: TierFrame, trays: pl.DataFrame | None, pods: range) -> pl.DataFrame:
    """Ports of servers on a first tier.

    On leaves of their own they are counted from the first port. On those of trays they follow the ports that
    the pod's first block has room for, each group with its own room; where the block has no more, a server
    takes the ports that a missing tray leaves free, in the order in which the declaration has its exceptions:
    a tray that goes missing later moves no server.

    Args:
        plan: the tables.
        tier: the first tier, or leaves for servers.
        trays: ends of trays there; None on leaves of servers' own.
        pods: those of the scope that the fabric is in.
    """
    spec = tier.tier
    elsewhere = {name for leaf in plan.geometry.leaves[spec.fabric] for name in leaf.servers}
    frame = plan.server_frame.with_row_index("row").filter(
        pl.col("attach").is_between(pods.start, pods.stop, closed="left")
        & (pl.col("group").is_in(spec.servers) if trays is None else ~pl.col("group").is_in(elsewhere))
    )
    first, rails = (
        plan.node_frame.height + plan.companion_frame.height,
        plan.geometry.tiers[spec.fabric][0].sets,
    )
    interfaces = {
        name: list(positions.nic_frame({name}).filter(pl.col("kind") == spec.kind).iter_rows(named=True))
        for name in frame["platform"].unique()
    }
    rows = []
    for (pod,), own in frame.group_by("attach", maintain_order=True):
        assert isinstance(pod, int)
        # Groups that are gone keep their room.
        groups = [
            (server.name, server.count, hosts.ports_of(server.platform, spec.kind, rails))
            for server in plan.site.servers
            if (server.per == "pod" or server.attach == f"pod-{pod + 1:02d}")
            and (server.name in spec.servers if trays is None else server.name not in elsewhere)
        ]
        starts = rooms.starts([(count, each) for _, count, each in groups])
        places = {name: (start, each) for (name, _, each), start in zip(groups, starts, strict=True)}
        width = 0 if trays is None else plan.geometry.width(spec, pod, 0)
        gone = None if trays is None else missing_ends(plan.geometry, spec, pod)
        gaps = [_gaps(plan.geometry, spec, (trays, gone), (pod, rail)) for rail in range(spec.sets)]
        seen: dict[str, int] = {}
        for row, group, platform in own.select("row", "group", "platform").iter_rows():
            start, each = places[group]
            index = seen[group] = seen.get(group, -1) + 1
            for nic in interfaces[platform]:
                lane, rail = divmod(nic["nic"], rails)
                place = width + start + index * each + lane
                if place >= spec.count * spec.down:
                    place = next(gaps[rail], place)
                rows.append((pod, 0, 0, place, rail, nic["nic"], nic["gbit"], first + row, nic["interface"]))
    schema = {"pod": pl.Int32, "su": pl.Int32, "rack": pl.Int32, "position": pl.Int32, "rail": pl.Int32,
              "nic": pl.Int32, "gbit": pl.Float64, "a": pl.Int32, "a_port": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def missing_ends(geometry: Geometry, tier: ResolvedTier, pod: int) -> pl.DataFrame:
    """Ends that a pod's missing trays would have, as `cabling.nic_ends`, in the order of the declaration."""
    changed = geometry.overrides(range(pod, pod + 1))
    rows = []
    for area, exception, _ in geometry.areas_in(range(pod, pod + 1)):
        if exception.missing:
            for place in geometry.racks_of(area):
                form = geometry.forms[changed.get(place, geometry.default_form(place[2]))]
                platforms = {slot.number: slot.platform for slot in form.slots}
                rows += [(*place, n - 1, platforms[n]) for n in exception.missing if n in platforms]
    schema = {**dict.fromkeys(("pod", "su", "rack", "slot"), pl.Int32), "platform": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return cabling.nic_ends(geometry, tier, frame, range(pod, pod + 1))


def _gaps(
    geometry: Geometry,
    tier: ResolvedTier,
    ends: tuple[pl.DataFrame | None, pl.DataFrame | None],
    at: tuple[int, int],
) -> Iterator[int]:
    """Ports of a rail of a pod's first block that no tray has: those that none ever had come first."""
    trays, gone = ends
    if trays is None or gone is None:
        return iter(())
    pod, rail = at
    inside = (pl.col("pod") == pod) & (pl.col("rail") == rail)
    if tier.per != "pod":
        inside &= pl.col("su") == 0
    if tier.per == "rack":
        inside &= pl.col("rack") == 0
    taken = set(trays.filter(inside)["position"])
    most = min(geometry.width(tier, pod, 0), tier.count * tier.down)
    missing = [place for place in dict.fromkeys(gone.filter(inside)["position"]) if place not in taken]
    ever = taken | set(missing)
    return chain((n for n in range(most) if n not in ever), (n for n in missing if n < most))


def name_ends(plan: Tables, cables: pl.DataFrame, upper: TierFrame, lower: TierFrame | None) -> pl.DataFrame:
    """Return links that are given by index with names, places and lengths."""
    ends = ["name", "rack_name", "unit", "x", "y"]
    below = plan.host_frame if lower is None else lower.frame.select(ends)
    a = below.select(pl.all().gather(cables["a"]))
    z = upper.frame.select(ends).select(pl.all().gather(cables["z"]))
    a_port = cables["a_port"] if lower is None else _ports(lower, cables["a_index"])
    pods = pl.Series(plan.geometry.pod_names, dtype=pl.String)
    return cables.select(
        pl.lit(upper.tier.fabric).cast(fabrics(plan.geometry)).alias("fabric"),
        pl.lit(step_name(upper.tier.level)).cast(STEPS).alias("tier"),
        pods.gather(cables["pod"].cast(pl.UInt32)).alias("pod"),
        pl.col("rail").cast(pl.Int16),
        pl.col("plane").cast(pl.Int16),
        "gbit",
        a["name"].alias("a"),
        a_port.alias("a_port"),
        a["rack_name"].alias("a_rack"),
        a["unit"].alias("a_unit"),
        z["name"].alias("z"),
        _ports(upper, cables["z_index"]).alias("z_port"),
        z["rack_name"].alias("z_rack"),
        z["unit"].alias("z_unit"),
        cabling.lengths(a, z, plan.geometry).alias("length"),
    )


def ports(cables: pl.DataFrame) -> pl.DataFrame:
    """See `Plan.ports`."""
    # Both ends of a cable between switches are ports. Cables come step by step, so the parts are slices
    # of the links' own columns: two and a half million rows cost no copy.
    up, down = [cables.clear().select(_port("z", "a"))], []
    start = 0
    for run in cables.select(pl.col("tier").rle()).unnest("tier").iter_rows(named=True):
        part = cables.slice(start, run["len"])
        up.append(part.select(_port("z", "a")))
        if run["value"] != "host_leaf":
            down.append(part.select(_port("a", "z")))
        start += run["len"]
    return pl.concat([*up, *down], rechunk=False)


def _port(end: str, other: str) -> list[pl.Expr]:
    """Columns of a switch port from one end of a cable."""
    return [
        pl.col(end).alias("switch"), pl.col(f"{end}_port").alias("port"), pl.col("fabric"), pl.col("pod"),
        pl.col(other).alias("peer"), pl.col(f"{other}_port").alias("peer_port"),
    ]  # fmt: skip


def port_names(tier: TierFrame) -> pl.Series:
    """Names of a switch's logical ports by index."""
    return pl.Series(tiers.port_names(tier.tier.model, tier.tier.breakout))


def _ports(tier: TierFrame, index: pl.Series) -> pl.Series:
    return port_names(tier).gather(index)
