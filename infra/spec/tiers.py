"""A declared fabric resolved: how many switches each tier has in each block, and how their ports divide.

Switches of a tier come in planes, sets and an index: in the first tier a set is a rail, above it a group. All
counts are per block; ports are logical ones, after breakout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, rooms
from infra.spec.fabric import BLOCKS

if TYPE_CHECKING:
    from infra.spec.catalog import Switch
    from infra.spec.fabric import Fabric, Tier
    from infra.spec.layout import Layout, Rack
    from infra.spec.site import Site


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


def port_names(model: Switch, breakout: int) -> list[str]:
    """Names of a switch's logical ports by index."""
    interfaces = [model.interface(port) for port in range(model.ports)]
    if breakout == 1:
        return [name for name, _ in interfaces]
    split = catalog.system(model.system).split if model.system else "{name}s{part}"
    lanes = max(model.port_step // breakout, 1)
    return [
        split.format(name=name, part=part, number=number + part * lanes)
        for name, number in interfaces
        for part in range(breakout)
    ]


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
    """The layout with only the pods that a fabric is in."""
    if fabric.pods is None:
        return site.layout
    return site.layout.model_copy(update={"pods": len(fabric.scope(site.layout.pods))})


def rack_of(site: Site, fabric: Fabric) -> Rack:
    """The rack that a fabric's host ports are counted by: the layout's, or another that all its pods have.

    Exceptions else do not count: one row of other racks must not change how many switches every row has.
    """
    if fabric.pods is None:
        return site.layout.rack
    other = {entry.at: entry.rack for entry in site.exceptions if entry.rack}
    racks = [other.get(f"pod-{index + 1:02d}") for index in fabric.scope(site.layout.pods)]
    first = racks[0]
    return first if first is not None and all(racks) else site.layout.rack


def nics_on(site: Site, name: str, fabric: Fabric) -> int:
    """NICs that a node of the rule's rack has on a fabric; management ports of a rack for out-of-band."""
    form, kind = forms.form_of(rack_of(site, fabric)), fabric.kind or name
    if kind == "out-of-band":
        return management_room(form)
    return max(
        (
            sum(group.count for group in catalog.platform(slot.platform).node.nics if group.fabric == kind)
            for slot in form.slots
        ),
        default=0,
    )


def management_ports(form: forms.Form) -> int:
    """Cables of one rack to the out-of-band network."""
    nodes = sum(catalog.platform(slot.platform).node.management_ports for slot in form.slots)
    return nodes + sum(companion.count * companion.management_ports for companion, _ in form.companions)


def management_width(form: forms.Form) -> int:
    """Management ports that each slot of a rack has room for."""
    return max((catalog.platform(slot.platform).node.management_ports for slot in form.slots), default=0)


def management_room(form: forms.Form) -> int:
    """Ports of the out-of-band network that one rack has room for, its empty slots included."""
    nodes = form.capacity * management_width(form)
    return nodes + sum(companion.count * companion.management_ports for companion, _ in form.companions)


def endpoints(site: Site, name: str, fabric: Fabric) -> int:
    """Host ports that a first-tier block must take on each rail and plane, by the layout's rule."""
    per, kind = fabric.tiers[0].per, fabric.kind or name
    lanes = math.ceil(nics_on(site, name, fabric) / fabric.rails)
    racks = blocks_within(site.layout, "rack", per) if per != "rack" else 1
    if kind == "out-of-band":
        return lanes * racks
    each = forms.form_of(rack_of(site, fabric)).capacity
    pods = fabric.scope(site.layout.pods)
    attached = {server.attach for server in site.servers if server.attach} - {None}
    names = [name for name in sorted(attached) if int(name[4:]) - 1 in pods]
    servers = max(
        (
            rooms.end(groups)
            for pod in ("", *names)
            if (groups := groups_in(site, fabric, kind, pod))
            and sum(count * own for count, own in groups) > lanes * _missing(site, pod, per)
        ),
        default=0,
    )
    return lanes * racks * each + servers


def groups_in(site: Site, fabric: Fabric, kind: str, pod: str) -> list[tuple[int, int]]:
    """Servers of each group on a pod's first tier, and ports of a rail that each takes.

    Args:
        site: the declaration.
        fabric: one of it.
        kind: of the fabric.
        pod: name of the pod; an empty one has no servers attached.
    """
    elsewhere = {name for leaf in fabric.leaves for name in leaf.servers}
    return [
        (server.count, ports_of(server.platform, kind, fabric.rails))
        for server in site.servers
        if (server.per == "pod" or server.attach == (pod or "no pod")) and server.name not in elsewhere
    ]


def ports_of(platform: str, kind: str, rails: int) -> int:
    """Ports of a rail that a server's NICs of a kind take."""
    own = sum(group.count for group in catalog.platform(platform).node.nics if group.fabric == kind)
    return math.ceil(own / rails)


def _missing(site: Site, pod: str, per: str) -> int:
    """Slots of a pod's first block that exceptions leave empty: servers may have their ports."""
    if not pod:
        return 0
    first = {"rack": f"{pod}-su-01-rack-01-", "scalable-unit": f"{pod}-su-01-"}.get(per, f"{pod}-")
    return sum(
        len(set(exception.missing)) for exception in site.exceptions if f"{exception.at}-".startswith(first)
    )


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
        down = tier.down if tier.down is not None else max(ports - tier.up, 1)
        if not result:
            sets, needed = fabric.rails, endpoints(site, name, fabric)
        else:
            lower = result[-1]
            sets = tier.groups
            blocks = blocks_within(layout, lower.per, tier.per)
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
        down = leaf.down if leaf.down is not None else max(ports - leaf.up, 1)
        mine = [server for server in site.servers if server.name in leaf.servers]
        needed = rooms.end([(one.count, ports_of(one.platform, kind, fabric.rails)) for one in mine])
        # Of a fabric with more rails than their servers have NICs, only those rails have such leaves.
        rails = min(fabric.rails, max((ports_of(one.platform, kind, 1) for one in mine), default=1) or 1)
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


def switches_per_pod(site: Site) -> int:
    """Switches whose block lies in one pod; fabrics with unknown models count none."""
    return sum(
        tier.per_block * blocks_within(site.layout, tier.per, "pod")
        for name, fabric in site.fabrics.named().items()
        if all(catalog.has("switches", model) for model in fabric.models())
        for tier in (*resolve(site, name, fabric), *server_leaves(site, name, fabric))
        if tier.per in {"rack", "scalable-unit", "pod"}
    )


def switch_room(site: Site) -> int:
    """Loopbacks of a pod's block that are kept for its switches and servers: a power of two.

    Switches have the first, servers the last, counted backwards; nodes follow them.
    """
    return _room(switches_per_pod(site) + rooms.in_pod(site.servers))


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a tier's switches have their offsets in an address block: `first + block * stride + ordinal`."""

    first: int
    stride: int


def _room(number: int) -> int:
    """The power of two that holds this many, at least 16: room to grow without renumbering."""
    return int(1 << max(4, number.bit_length()))


def site_seats(site: Site) -> tuple[dict[tuple[str, int], Seat], int]:
    """Seats of the tiers above pods in block 0, after the servers, and how many offsets it must have.

    Tiers of the whole site come first, then those of buildings; those of halls begin in the middle of the
    block, so that either can grow.
    """
    layout, servers = site.layout, _room(rooms.of_site(site.servers) + 2)
    halls = math.ceil(layout.pods / layout.pods_per_hall)
    blocks = {"site": 1, "building": math.ceil(halls / layout.halls_per_building), "hall": halls}
    tiers = [
        tier
        for name, fabric in site.fabrics.named().items()
        if all(catalog.has("switches", model) for model in fabric.models())
        for tier in resolve(site, name, fabric)
    ]
    strides = {per: sum(tier.per_block for tier in tiers if tier.per == per) for per in blocks}
    lower = servers + strides["site"] + strides["building"] * blocks["building"]
    half = _room(max(lower, strides["hall"] * blocks["hall"]))
    firsts = {"site": servers, "building": servers + strides["site"], "hall": half}
    seats = {}
    for tier in tiers:
        if tier.per in firsts:
            seats[tier.fabric, tier.level] = Seat(firsts[tier.per], strides[tier.per])
            firsts[tier.per] += tier.per_block
    return seats, 2 * half if strides["hall"] else lower
