"""Address pools: each block holds what it must, no pool is in another, none is reserved."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, hosts, rooms, seats, sizes
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.spec.layout import Exception_, Rack
    from infra.spec.site import Site
    from infra.spec.sizes import PodSize

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESERVED: dict[str, str] = {
    "0.0.0.0/8": "this network",
    "127.0.0.0/8": "loopback of a host",
    "169.254.0.0/16": "link-local",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved and broadcast",
    "::/8": "unspecified, loopback and mapped",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}
"""Ranges that no interface can be given (RFC 6890 and IANA's special-purpose registries)."""

LARGEST = 8
"""The shortest prefix that a pod's block can have."""

POOLS = (
    ("management", "management_pod"),
    ("loopbacks", "loopback_pod"),
    ("links", "link_pod"),
)
"""Each pool with the prefix length of its blocks."""


def address_mistakes(site: Site) -> Iterator[Mistake]:
    """Pools that overlap or are reserved, and blocks that are too small or too few."""
    networks = {
        pool: ipaddress.ip_network(text) for pool, _ in POOLS if (text := getattr(site.addresses, pool))
    }
    for pool, network in networks.items():
        yield from _reserved(pool, network)
    for (one, first), (other, second) in combinations(networks.items(), 2):
        if first.version == second.version and first.overlaps(second):
            message = f"{second} overlaps {first} of `{one}`: addresses would be used twice"
            hint = "give each pool a range of its own"
            yield Mistake(("addresses", other), message, hint, (("addresses", one),))
    needs = pod_needs(site)
    for pool, key in POOLS:
        if pool in networks:
            yield from _blocks(site, (pool, key), networks[pool], needs[pool])


def _reserved(pool: str, network: Network) -> Iterator[Mistake]:
    for text, meaning in RESERVED.items():
        reserved = ipaddress.ip_network(text)
        if reserved.version == network.version and reserved.overlaps(network):
            message = f"{network} overlaps {reserved}, which is reserved ({meaning})"
            private = "10.0.0.0/8" if network.version == 4 else "fd00::/8"
            yield Mistake(("addresses", pool), message, f"take a range out of {private}")


def _blocks(site: Site, names: tuple[str, str], network: Network, need: int) -> Iterator[Mistake]:
    """Whether each pod's block holds what the pod needs, and the supernet all pods and the site's own."""
    pool, key = names
    prefix, bits = getattr(site.addresses, key), network.max_prefixlen
    if prefix < network.prefixlen or prefix > bits:
        message = f"/{prefix} for each pod does not lie in {network}"
        first = min(network.prefixlen + 1, bits)
        yield Mistake(("addresses", key), message, f"give one from /{first} to /{bits}")
        return
    size, blocks = 2 ** (bits - prefix), 2 ** (prefix - network.prefixlen)
    own = _site_needs(site, pool)
    block, place = ("the site's own block", own) if own > size else ("a pod", need)
    if place > size:
        message = f"address range too small: {block} needs {place:,} addresses, /{prefix} has {size:,}"
        yield Mistake(("addresses", key), message, _fits(site, network, max(own, need)))
    elif site.layout.pods + 1 > blocks:
        message = (
            f"address range too small: {network} has {blocks:,} blocks of /{prefix},"
            f" {site.layout.pods} pods and the site need {site.layout.pods + 1:,}"
        )
        wanted = prefix - site.layout.pods.bit_length()
        hint = f"a /{wanted} fits" if wanted >= 0 else "make the pods' blocks smaller"
        yield Mistake(("addresses", pool), message, hint)


def _fits(site: Site, network: Network, need: int) -> str:
    """The prefix of a block that holds so many addresses, or the supernet that would hold such blocks."""
    fits = network.max_prefixlen - (need - 1).bit_length()
    supernet = fits - site.layout.pods.bit_length()
    if fits >= LARGEST and supernet >= network.prefixlen:
        return f"/{fits} fits"
    if fits >= LARGEST and supernet >= 0:
        return f"/{fits} fits in a supernet of /{supernet}"
    return f"no IPv{network.version} range holds pods of that size"


def _site_needs(site: Site, pool: str) -> int:
    """Addresses that the site's own block must hold."""
    if pool == "links":
        return 2 * rooms.SERVER_LINKS * rooms.of_site(site.servers)
    return seats.site_seats(site)[1] + (1 if site.addresses.management_gateway == "first" else 2)


def pod_needs(site: Site) -> dict[str, int]:
    """Addresses that the largest pod's block must hold, by pool."""
    own = sizes.sizes(site)
    usual = [site.layout.rack, *(e.rack for e in site.exceptions if e.rack and not _all_own(site, e, own))]
    needs = [_needs(site, sizes.rule(site.layout), usual)]
    others = sizes.racks(site) if own else {}
    racks: dict[int, list[Rack]] = {pod: [others.get(pod, site.layout.rack)] for pod in own}
    for entry in site.exceptions if own else ():
        if entry.rack and "-su-" in entry.at:
            for pod in sizes.pods_at(site.layout, entry.at):
                racks.get(pod, []).append(entry.rack)
    kinds = {(size, *map(id, racks[pod])): (size, racks[pod]) for pod, size in own.items()}
    needs += [_needs(site, size, there) for size, there in kinds.values()]
    return {pool: max(each[pool] for each in needs) for pool in needs[0]}


def _all_own(site: Site, entry: Exception_, own: Mapping[int, PodSize]) -> bool:
    """Whether an exception speaks only of pods that are not as large as the layout says."""
    return all(pod in own for pod in sizes.pods_at(site.layout, entry.at))


def _needs(site: Site, size: PodSize, racks_in: Sequence[Rack]) -> dict[str, int]:
    """Addresses of a pod of a size that has room for any of some racks everywhere."""
    units, racks = size
    rack_forms = [forms.form_of(rack) for rack in racks_in]
    capacity = max(form.capacity for form in rack_forms)
    nodes = units * racks * capacity
    nics = max(
        (sum(group.count for group in catalog.platform(slot.platform).node.nics)
         for form in rack_forms for slot in form.slots), default=0,
    )  # fmt: skip
    management = max(hosts.management_room(form) for form in rack_forms)
    loops = [site.cooling, *(entry.cooling for entry in site.exceptions)]
    coolers = max((loop.coolers_per_row for loop in loops if loop and loop.cooler), default=0)
    return {
        # The network's, the gateway's and the broadcast address besides the hosts', which leave two free.
        "management": units * (racks * management + coolers)
        + seats.switch_room(site)
        + (3 if site.addresses.management_gateway == "first" else 4),
        "loopbacks": nodes + seats.switch_room(site),
        "links": 2 * (nodes * nics + rooms.SERVER_LINKS * rooms.in_pod(site.servers)),
    }
