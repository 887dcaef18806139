"""Which addresses machines of a role have on the whole site, as ranges: what a firewall lets in.

A pod's block begins with its switches' addresses, the rest is its trays'; the site's own block begins with
its servers', and its switches' follow (see `addressing`). So a few ranges say it for any number of machines.
A host's end of a link is the odd address of its pair; RDMA speaks by those, everything else by loopbacks.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from infra.plan.tables.addressing import pools
from infra.plan.tables.geometry import Geometry
from infra.plan.tables.machines import Role
from infra.spec import rooms, seats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.services import Server
    from infra.spec.site import Site


def loopback_ranges(site: Site) -> dict[Role, tuple[str, ...]]:
    """Ranges `first-last` by role, in ascending order; IPv4 or IPv6, as the site's loopbacks are."""
    pool = pools(Geometry(site))["loopback"]
    kind = ipaddress.IPv4Address if pool.bits == 32 else ipaddress.IPv6Address
    found: dict[Role, list[str]] = {role: [] for role in Role}
    for role, block, first, last in _spans(site, 1 << pool.shift):
        base = pool.base + (block << pool.shift)
        found[role].append(f"{kind(base + first)}-{kind(base + last)}")
    return {role: tuple(ranges) for role, ranges in found.items()}


def link_ranges(site: Site) -> dict[Role, tuple[str, ...]]:
    """Ranges `first-last` of the links of hosts by role; the odd addresses in them are the hosts' own."""
    pool = pools(Geometry(site)).get("link")
    if pool is None:
        return {}
    kind = ipaddress.IPv4Address if pool.bits == 32 else ipaddress.IPv6Address
    found: dict[Role, list[str]] = {}

    def add(role: Role, first: int, last: int) -> None:
        found.setdefault(role, []).append(f"{kind(first)}-{kind(last)}")

    each, size = rooms.SERVER_LINKS * 2, 1 << pool.shift
    for server, start in _groups(site, "site"):
        add(Role(server.role), pool.base + start * each, pool.base + (start + server.count) * each - 1)
    in_pods = rooms.in_pod(site.servers)
    for pod in range(site.layout.pods) if in_pods else ():
        # Servers of a pod are counted backwards; see `addressing.server_link`.
        base = pool.base + (pod + 1) * size
        end = base + min(size, 1 << 32)
        add(Role.TRAY, base, end - in_pods * each - 1)
        for server, start in reversed(_groups(site, "pod")):
            add(Role(server.role), end - (start + server.count) * each, end - start * each - 1)
    if site.layout.pods and not in_pods:
        add(Role.TRAY, pool.base + size, pool.base + (site.layout.pods + 1) * size - 1)
    return {role: tuple(ranges) for role, ranges in found.items()}


def _groups(site: Site, per: str) -> list[tuple[Server, int]]:
    """Groups of servers of the site or of each pod that have any, with their first place."""
    own = rooms.own(site.servers, per)
    starts = rooms.starts([(server.count, 1) for server in own])
    return [(server, start) for server, start in zip(own, starts, strict=True) if server.count]


def _spans(site: Site, size: int) -> Iterator[tuple[Role, int, int, int]]:
    """Role, block, first and last offset."""
    for server, start in _groups(site, "site"):
        yield Role(server.role), 0, start + 1, start + server.count
    above, _ = seats.site_seats(site)
    if above:
        yield Role.SWITCH, 0, min(seat.first for seat in above.values()), size - 1
    room, in_pod = seats.switch_room(site), _groups(site, "pod")
    for pod in range(site.layout.pods):
        yield Role.SWITCH, pod + 1, 1, room - 1 - rooms.in_pod(site.servers)
        for server, start in reversed(in_pod):
            yield Role(server.role), pod + 1, room - start - server.count, room - 1 - start
        yield Role.TRAY, pod + 1, room, size - 1
