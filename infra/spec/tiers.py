"""A declared fabric resolved: how many switches each tier has in each block, and how their ports divide.

Switches of a tier come in planes, sets and an index: in the first tier a set is a rail, above it a group. All
counts are per block; ports are logical ones, after breakout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, hosts, rooms, sizes
from infra.spec.fabric import BLOCKS

if TYPE_CHECKING:
    from infra.spec.fabric import Fabric, Tier
    from infra.spec.layout import Layout
    from infra.spec.site import Site
    from infra.spec.switch import Switch


@dataclass(frozen=True, slots=True)
class ResolvedTier:
    """One tier with every number known.

    Attributes:
        fabric: name of its fabric.
        kind: what the fabric is for; see `fabric.Kind`.
        pods: indices of the pods that the fabric is in.
        level: 0 for the tier that hosts are cabled to.
        name: as declared.
        model: switch model.
        per: block that its switches are counted over.
        planes, sets, count: see the module; `count` is for each plane and set.
        ports: logical ports of one switch.
        down, up: ports that face down and up.
        by_rail: the set of an uplink's target is the lower switch's set, not its index.
        needed: ports that would have to face down for everything below to be connected.
        breakout: logical ports in one physical port.
        servers: groups that are cabled to it, of leaves of their own.
        trays: of `needed`, those for the tier below that trays are cabled to.
    """

    fabric: str
    kind: str
    pods: range
    level: int
    name: str
    model: Switch
    per: str
    planes: int
    sets: int
    count: int
    ports: int
    down: int
    up: int
    by_rail: bool
    needed: int
    breakout: int
    servers: tuple[str, ...] = ()
    trays: int = 0

    @property
    def per_block(self) -> int:
        """Switches in one block."""
        return self.planes * self.sets * self.count

    @property
    def speed(self) -> float:
        """Gbit/s of one logical port."""
        return float(self.model.speed / self.breakout)

    @property
    def up_speed(self) -> float:
        """Gbit/s of one port that faces up."""
        return float(self.model.uplinks.speed) if self.model.uplinks else self.speed

    @property
    def up_first(self) -> int:
        """Index of the first port that faces up."""
        return self.ports if self.model.uplinks else self.down

    @property
    def all_ports(self) -> int:
        """Ports of both kinds."""
        return self.ports + (self.model.uplinks.count if self.model.uplinks else 0)

    @property
    def up_most(self) -> int:
        """Ports that can face up."""
        return self.model.uplinks.count if self.model.uplinks else self.ports - self.down


def port_names(model: Switch, breakout: int) -> list[str]:
    """Names of a switch's logical ports by index; uplink ports of their own are last and never split."""
    interfaces = [model.interface(port) for port in range(model.ports)]
    own = model.uplinks.count if model.uplinks else 0
    uplinks = [model.interface(model.ports + port)[0] for port in range(own)]
    if breakout == 1:
        return [*(name for name, _ in interfaces), *uplinks]
    split = catalog.system(model.system).split if model.system else "{name}s{part}"
    lanes = max(model.port_step // breakout, 1)
    parts = [
        split.format(name=name, part=part, number=number + part * lanes)
        for name, number in interfaces
        for part in range(breakout)
    ]
    return parts + uplinks


def facing_down(model: Switch, ports: int, declared: int | None, up: int) -> int:
    """Logical ports that face down: as declared, else those that the uplinks leave."""
    if declared is not None:
        return declared
    return ports if model.uplinks else max(ports - up, 1)


def split_below(lower: ResolvedTier | None, upper: ResolvedTier) -> int:
    """Into how many parts the port at the lower end of a cable is split: a NIC (None) into planes."""
    if lower is None:
        return upper.planes
    return 1 if lower.model.uplinks else lower.breakout


def routing(fabric: Fabric) -> str:
    """How a fabric routes: as declared, else as the operating system of its switches does."""
    model = catalog.switch(fabric.tiers[0].switch)
    if fabric.routing != "auto":
        return fabric.routing
    return catalog.system(model.system).routing[0] if model.system else "none"


def blocks_within(layout: Layout, small: str, large: str) -> int:
    """How many blocks of one level a (full) block of a larger level holds."""
    halls = math.ceil(layout.pods / layout.pods_per_hall)
    racks, _ = forms.racks_per_unit(layout)
    steps = {
        "rack": racks,
        "scalable-unit": layout.scalable_units_per_pod,
        "pod": layout.pods_per_hall,
        "hall": layout.halls_per_building,
        "building": math.ceil(halls / layout.halls_per_building),
    }
    first, last = BLOCKS.index(small), BLOCKS.index(large)
    if large == "site" and small in {"pod", "hall", "rack", "scalable-unit"}:
        # The last hall or building may be part full, so whole-site counts go by pods.
        if small == "hall":
            return halls
        inside = math.prod(steps[level] for level in BLOCKS[first : BLOCKS.index("pod")])
        return layout.pods * inside
    return math.prod(steps[level] for level in BLOCKS[first:last])


def layout_of(site: Site, fabric: Fabric) -> Layout:
    """The layout with only the pods that a fabric is in, each as large as the largest of them."""
    layout, scope = site.layout, fabric.scope(site.layout.pods)
    update: dict[str, int | None] = {} if fabric.pods is None else {"pods": len(scope)}
    units, racks = most = sizes.most(site, scope)
    if most != sizes.rule(layout):
        update |= {"scalable_units_per_pod": units}
        if racks != sizes.rule(layout).racks:
            update |= {"racks_per_scalable_unit": racks, "nodes_per_scalable_unit": None}
    return layout.model_copy(update=update) if update else layout


def blocks_in(site: Site, fabric: Fabric, small: str, large: str) -> int:
    """How many blocks of one level any block of a larger level holds of a fabric's pods, at the most."""
    own = sizes.sizes(site)
    if not own or small not in {"rack", "scalable-unit"} or large in {"rack", "scalable-unit", "pod"}:
        return blocks_within(layout_of(site, fabric), small, large)
    layout, usual, scope = site.layout, sizes.rule(site.layout), fabric.scope(site.layout.pods)
    every = [own.get(pod, usual) for pod in scope]
    counts = [size.units * (size.racks if small == "rack" else 1) for size in every]
    each = {"hall": layout.pods_per_hall, "building": layout.pods_per_hall * layout.halls_per_building}
    step = each.get(large, len(counts))
    return max(sum(counts[start : start + step]) for start in range(0, len(counts), step))


def even(least: int, uplinks: int) -> int:
    """The fewest switches, at least `least`, over which each lower switch's uplinks spread evenly."""
    return next((count for count in range(max(least, 1), uplinks + 1) if uplinks % count == 0), max(least, 1))


def resolve(site: Site, name: str, fabric: Fabric) -> tuple[ResolvedTier, ...]:
    """All tiers of a fabric, from the hosts up."""
    result: list[ResolvedTier] = []
    layout, kind, pods = layout_of(site, fabric), fabric.kind or name, fabric.scope(site.layout.pods)
    trays = 0
    for level, tier in enumerate(fabric.tiers):
        model = catalog.switch(tier.switch)
        breakout = tier.breakout or fabric.breakout
        ports = model.ports * breakout
        down = facing_down(model, ports, tier.down, tier.up)
        if not result:
            sets, needed = fabric.rails, hosts.endpoints(site, name, fabric)
        else:
            lower = result[-1]
            sets = tier.groups
            blocks = blocks_in(site, fabric, lower.per, tier.per)
            into_one_set = (
                lower.sets * lower.count
                if sets == 1
                else (lower.count if tier.group_by == "rail" else lower.sets * math.ceil(lower.count / sets))
            )
            needed = trays = blocks * into_one_set * lower.up
            if level == 1:
                needed += blocks_within(layout, "pod", tier.per) * _from_servers(site, fabric, kind, tier)
        count = tier.count or even(math.ceil(needed / down), result[-1].up if result else 1)
        result.append(
            ResolvedTier(
                fabric=name, kind=kind, pods=pods, level=level, name=tier.name, model=model, per=tier.per,
                planes=fabric.planes, sets=sets, count=count, ports=ports, down=down, up=tier.up,
                by_rail=tier.group_by == "rail", needed=math.ceil(needed / count), breakout=breakout,
                trays=math.ceil(trays / count),
            )
        )  # fmt: skip
    return tuple(result)


def server_leaves(site: Site, name: str, fabric: Fabric) -> tuple[ResolvedTier, ...]:
    """A fabric's leaves for racks of servers, in each of its pods."""
    result = []
    kind, pods = fabric.kind or name, fabric.scope(site.layout.pods)
    for leaf in fabric.leaves:
        model = catalog.switch(leaf.switch)
        ports = model.ports * fabric.breakout
        down = facing_down(model, ports, leaf.down, leaf.up)
        mine = [server for server in site.servers if server.name in leaf.servers]
        needed = rooms.end([(one.count, hosts.ports_of(one.platform, kind, fabric.rails)) for one in mine])
        # Of a fabric with more rails than their servers have NICs, only those rails have such leaves.
        rails = min(
            fabric.rails, max((hosts.ports_of(one.platform, kind, 1) for one in mine), default=1) or 1
        )
        count = leaf.count or max(math.ceil(needed / down), 1)
        result.append(
            ResolvedTier(
                fabric=name, kind=kind, pods=pods, level=0, name=leaf.name, model=model, per="pod",
                planes=fabric.planes, sets=rails, count=count, ports=ports, down=down, up=leaf.up,
                by_rail=False, needed=math.ceil(needed / count), breakout=fabric.breakout,
                servers=leaf.servers, trays=0,
            )
        )  # fmt: skip
    return tuple(result)


def into_a_set(lower: ResolvedTier, sets: int, *, by_rail: bool) -> int:
    """Switches of a lower tier's block whose uplinks go to one set of upper ones."""
    if by_rail:
        return lower.count
    return lower.sets * (math.ceil(lower.count / sets) if sets > 1 else lower.count)


def _from_servers(site: Site, fabric: Fabric, kind: str, above: Tier) -> int:
    """Uplinks of a pod's leaves for servers into one set of the second tier."""
    return sum(
        into_a_set(leaf, above.groups, by_rail=above.group_by == "rail") * leaf.up
        for leaf in server_leaves(site, kind, fabric)
    )


def resolve_all(site: Site) -> dict[str, tuple[ResolvedTier, ...]]:
    """All fabrics of a site, resolved."""
    return {name: resolve(site, name, fabric) for name, fabric in site.fabrics.named().items()}
