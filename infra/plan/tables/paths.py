"""Figures of a fabric's paths: oversubscription, bisection, even dealing, and the loss of one switch.

All in closed form from the tiers: no cable is made to be counted.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from infra.plan.tables.clos import Graph, leaf_name
from infra.spec import catalog, forms, hosts, tiers

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.spec.tiers import ResolvedTier


@dataclass(frozen=True, slots=True)
class TierPaths:
    """One tier.

    Attributes:
        name, level: of the tier.
        switches: on the whole site.
        down_gbit: what comes into the fullest of its switches from below.
        up_gbit: what its uplinks carry.
        oversubscription: one over the other; None for the top tier.
        least, most: cables between a switch and each one above that it reaches, at the fewest and the most; 0
            where some pairs have none. Equal where dealing is even.
        idle: switches of the next tier's sets that none of its uplinks go to, in one block.
        lost_ports: host ports that go dark with one switch (first tier).
        lost_share: part of a lower switch's uplinks that goes with one switch, at the most.
        lost_tier_share: part of its block's switches that one is.
        survives: whether any two leaves keep a path without it; None for the first tier.
    """

    name: str
    level: int
    switches: int
    down_gbit: float
    up_gbit: float
    oversubscription: float | None
    least: int
    most: int
    idle: int
    lost_ports: int
    lost_share: float
    lost_tier_share: float
    survives: bool | None


@dataclass(frozen=True, slots=True)
class FabricPaths:
    """One fabric; its planes are alike, and each block of its top tier stands alone.

    Attributes:
        fabric: name.
        block: level of the top tier's blocks; leaves of different blocks are not joined by this fabric.
        blocks: how many there are.
        planes: separate networks that each host is in.
        rails_meet: whether leaves of different rails have paths.
        islands: leaves of one plane, rail and block of which no two have a path; 1 is a whole fabric.
        apart: names of two leaves without a path.
        paths_near: fewest shortest paths of two leaves under one second-tier block; None without such a pair.
        paths_far: the same of leaves further apart.
        hosts_gbit: bandwidth of all host ports of a block, all planes.
        bisection_gbit: what crosses between two equal halves of a block's hosts, each way, at the least.
        bisection_share: of what the hosts could send across.
        tiers: from the hosts up.
    """

    fabric: str
    block: str
    blocks: int
    planes: int
    rails_meet: bool
    islands: int
    apart: tuple[str, str] | None
    paths_near: int | None
    paths_far: int | None
    hosts_gbit: float
    bisection_gbit: float
    bisection_share: float
    tiers: tuple[TierPaths, ...]

    def data(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def fabric_paths(geometry: Geometry, fabric: str) -> FabricPaths:
    """Judge one fabric; computed once for a site."""
    key = f"paths of {fabric}"
    known = geometry.memo.get(key)
    if not isinstance(known, FabricPaths):
        known = geometry.memo[key] = _judge(geometry, fabric)
    return known


def _judge(geometry: Geometry, fabric: str) -> FabricPaths:
    own = geometry.tiers[fabric]
    graph = Graph(geometry, own)
    near, far = graph.fewest_paths()
    hosts = _hosts(geometry, own[0]) * graph.blocks(own[0])
    if geometry.sizes.own:
        hosts = _all_hosts(geometry, own)
    host_gbit = host_speed(geometry, fabric) / own[0].planes
    total = hosts * own[0].sets * own[0].planes * host_gbit
    islands = graph.islands()
    least = 0.0 if islands > 1 else min([total, *_levels(graph, own)]) / 2
    top = own[-1].per
    apart = graph.apart
    names = (leaf_name(geometry, own[0], apart[0]), leaf_name(geometry, own[0], apart[1])) if apart else None
    return FabricPaths(
        fabric=fabric, block=top, blocks=blocks_on_site(geometry, own[-1]), planes=own[0].planes,
        rails_meet=not graph.by_rail, islands=islands,
        apart=names,
        paths_near=near, paths_far=far, hosts_gbit=total, bisection_gbit=least,
        bisection_share=least / (total / 2) if total else 0.0,
        tiers=tuple(_tier(geometry, graph, level, host_gbit) for level in range(len(own))),
    )  # fmt: skip


def blocks_on_site(geometry: Geometry, tier: ResolvedTier) -> int:
    """Blocks of a tier on the whole site."""
    if tier.per == "site":
        return 1
    if tier.per == "building":
        return math.ceil(len(tier.pods) / geometry.blocks_per("building"))
    if tier.per in {"rack", "scalable-unit"} and not geometry.sizes.uniform:
        return sum(geometry.sizes.blocks(tier.per, pod) for pod in tier.pods)
    return tiers.blocks_within(geometry.layout_of(tier), tier.per, "site")


def _levels(graph: Graph, own: tuple[ResolvedTier, ...]) -> list[float]:
    """Gbit/s of all uplinks of each tier in a block of the top tier."""
    return [
        graph.blocks(tier) * tier.per_block * tier.up * tier.up_speed
        for tier in own[:-1]
        if graph.blocks(tier) * tier.sets * tier.count > 1
    ]


def host_speed(geometry: Geometry, fabric: str) -> float:
    """Gbit/s of the fastest host interface of the layout's rule on a fabric."""
    declared, kind = geometry.site.fabrics.named()[fabric], geometry.kinds[fabric]
    if kind == "out-of-band":
        return 1.0
    return max(
        (
            group.speed
            for slot in forms.form_of(hosts.rack_of(geometry.site, declared)).slots
            for group in catalog.platform(slot.platform).node.nics
            if group.fabric == kind
        ),
        default=0.0,
    )


def _hosts(geometry: Geometry, tier: ResolvedTier) -> int:
    """Host ports of one rail and plane in a block of the first tier, by the layout's rule."""
    return hosts.endpoints(geometry.site, tier.fabric, geometry.site.fabrics.named()[tier.fabric])


def _all_hosts(geometry: Geometry, own: tuple[ResolvedTier, ...]) -> int:
    """Host ports of one rail and plane in the fullest block of the top tier, of pods of several sizes."""
    site, first, pods = geometry.site, own[0], own[0].pods
    per = own[-1].per
    if per in {"rack", "scalable-unit"}:
        return _hosts(geometry, first) * tiers.blocks_within(geometry.layout_of(first), first.per, per)
    every = hosts.hosts_of(site, first.fabric, site.fabrics.named()[first.fabric])
    step = 1 if per == "pod" else geometry.blocks_per(per)
    return max(sum(every[start : start + step]) for start in range(0, len(pods), step))


def _tier(geometry: Geometry, graph: Graph, level: int, host_gbit: float) -> TierPaths:
    own = graph.tiers
    tier = own[level]
    above = own[level + 1] if level + 1 < len(own) else None
    below = own[level - 1] if level else None
    hosts = min(_hosts(geometry, tier), tier.down) if below is None else 0
    down = hosts * host_gbit if below is None else min(tier.needed, tier.down) * below.up_speed
    up = tier.up * tier.up_speed if above else 0.0
    least, most = dealt(tier, above) if above else (0, 0)
    lost = math.ceil(below.up / tier.count) / below.up if below and below.up else 0.0
    return TierPaths(
        name=tier.name, level=level,
        switches=blocks_on_site(geometry, tier) * tier.per_block,
        down_gbit=down, up_gbit=up, oversubscription=down / up if up else None, least=least, most=most,
        idle=idle(tier, above, graph) if above else 0, lost_ports=hosts, lost_share=lost,
        lost_tier_share=1 / tier.per_block, survives=graph.survives(level) if below else None,
    )  # fmt: skip


def dealt(below: ResolvedTier, above: ResolvedTier) -> tuple[int, int]:
    """Fewest and most cables between a lower switch and each upper one of its set."""
    return below.up // above.count, math.ceil(below.up / above.count)


def idle(below: ResolvedTier, above: ResolvedTier, graph: Graph) -> int:
    """Upper switches of one block that no lower switch has a cable to."""
    if not below.up:
        return 0
    blocks = max(graph.blocks(below) // graph.blocks(above), 1)
    if above.by_rail:
        used, each = min(below.sets, above.sets), blocks * below.count
    elif above.sets > 1:
        used, each = min(below.count, above.sets), blocks * below.sets
    else:
        used, each = 1, blocks * below.sets * below.count
    filled = min(each * below.up, above.count)
    return above.planes * (above.sets * above.count - used * filled)


@dataclass(frozen=True, slots=True)
class Ends:
    """One kind of cable.

    Attributes:
        path: of the upper end's switches in the fabric's declaration.
        below, above: what is at its ends.
        gbit: of the lower end, after its split.
        port_gbit: of the upper end's port, after its split.
        speeds: at which the upper end can run.
    """

    path: str
    below: str
    above: str
    gbit: float
    port_gbit: float
    speeds: frozenset[float]


def port_ends(geometry: Geometry, fabric: str) -> list[Ends]:
    """Kinds of cables of a fabric: each platform's interfaces, then each tier's uplinks."""
    own = geometry.tiers[fabric]
    there = forms_in(geometry, own[0].pods)
    platforms = [slot.platform for form in there for slot in geometry.forms[form].slots]
    leaves = geometry.leaves[fabric]
    elsewhere = {name for leaf in leaves for name in leaf.servers}
    platforms += [
        entry.platform
        for entry in geometry.site.servers
        if (entry.per == "pod" or (entry.attach and int(entry.attach[4:]) - 1 in own[0].pods))
        and entry.name not in elsewhere
    ]
    result = _hosts_of(own[0], "tiers[0]", platforms)
    result += [
        _ends(above, f"tiers[{above.level}]", f"a port of {below.name}", below.up_speed)
        for below, above in (*pairwise(own), *((leaf, own[1]) for leaf in leaves))
    ]
    for index, leaf in enumerate(leaves):
        mine = [entry.platform for entry in geometry.site.servers if entry.name in leaf.servers]
        result += _hosts_of(leaf, f"leaves[{index}]", mine)
    return result


def _hosts_of(tier: ResolvedTier, path: str, platforms: list[str]) -> list[Ends]:
    """Cables from NICs of platforms into a first tier."""
    return [
        _ends(tier, path, f"a NIC of {platform}", group.speed / tier.planes)
        for platform in dict.fromkeys(platforms)
        for group in catalog.platform(platform).node.nics
        if group.fabric == tier.kind
    ]


def forms_in(geometry: Geometry, pods: range) -> list[int]:
    """Forms of racks that stand in some pods, in order."""
    if pods == range(geometry.pods):
        return list(range(len(geometry.forms)))
    changed = geometry.overrides(pods)
    found = set(changed.values())
    rows = [row for pod in pods for row in geometry.sizes.rows(pod)]
    for rack in range(geometry.racks):
        if sum(place[2] == rack for place in changed) < sum(rack < row for row in rows):
            found.add(geometry.default_form(rack))
    return sorted(found)


def _ends(tier: ResolvedTier, path: str, below: str, gbit: float) -> Ends:
    speeds = frozenset({tier.speed, *(speed / tier.breakout for speed in tier.model.speeds)})
    return Ends(path, below, tier.name, gbit, tier.speed, speeds)
