"""Room of switches in address blocks: how many a pod has, and the offsets of the tiers above pods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog, rooms, sizes, tiers

if TYPE_CHECKING:
    from infra.spec.site import Site


def switches_per_pod(site: Site) -> int:
    """Switches whose block lies in the largest pod; fabrics with unknown models count none."""
    inside = [
        tier
        for name, fabric in site.fabrics.named().items()
        if all(catalog.has("switches", model) for model in fabric.models())
        for tier in (*tiers.resolve(site, name, fabric), *tiers.server_leaves(site, name, fabric))
        if tier.per in {"rack", "scalable-unit", "pod"}
    ]
    return max(
        sum(
            tier.per_block * {"rack": units * racks, "scalable-unit": units, "pod": 1}[tier.per]
            for tier in inside
        )
        for units, racks in {sizes.rule(site.layout), *sizes.sizes(site).values()}
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
    above = [
        tier
        for name, fabric in site.fabrics.named().items()
        if all(catalog.has("switches", model) for model in fabric.models())
        for tier in tiers.resolve(site, name, fabric)
    ]
    strides = {per: sum(tier.per_block for tier in above if tier.per == per) for per in blocks}
    lower = servers + strides["site"] + strides["building"] * blocks["building"]
    half = _room(max(lower, strides["hall"] * blocks["hall"]))
    firsts = {"site": servers, "building": servers + strides["site"], "hall": half}
    found = {}
    for tier in above:
        if tier.per in firsts:
            found[tier.fabric, tier.level] = Seat(firsts[tier.per], strides[tier.per])
            firsts[tier.per] += tier.per_block
    return found, 2 * half if strides["hall"] else lower
