"""Mistakes of tenants of Ethernet fabrics."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from infra.spec import catalog, sizes, tiers
from infra.spec.mistake import Mistake
from infra.spec.tenants import VLANS, vlan_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.fabric import Fabric
    from infra.spec.site import Site


def tenant_mistakes(loc: Loc, fabric: Fabric, site: Site) -> Iterator[Mistake]:
    """All of a fabric whose switch models are known."""
    if not fabric.tenants:
        return
    here: Loc = (*loc, "tenants")
    routing = tiers.routing(fabric)
    if routing != "bgp":
        message = f"tenants are VRFs that BGP joins, this fabric has `routing: {routing}`"
        instead = "declare `partitions`" if routing == "subnet-manager" else "take them out"
        yield Mistake(here, message, instead, ((*loc, "routing"), (*loc, "tiers")))
        return
    yield from _systems(loc, fabric)
    yield from _addresses(here, site)
    yield from _numbers(here, fabric)
    yield from _places(here, fabric, site)


def _systems(loc: Loc, fabric: Fabric) -> Iterator[Mistake]:
    """Every tier passes a tenant's routes on, so every tier's system has to know VRFs."""
    for path, tier in fabric.switches().items():
        model = catalog.switch(tier.switch)
        if model.system is not None and not catalog.system(model.system).vrf:
            title = catalog.system(model.system).title
            message = f"{model.name} runs {title}, which has no template that puts `tenants` into VRFs"
            hint = "take another model, or take the tenants out"
            yield Mistake((*loc, *path, "switch"), message, hint, ((*loc, "tenants"),))


def _addresses(here: Loc, site: Site) -> Iterator[Mistake]:
    for key, network in (("loopbacks", site.addresses.loopbacks), ("links", site.addresses.links)):
        if network is None:
            message = "hosts of tenants need addresses on their links, which this site does not number"
            yield Mistake(here, message, "declare `addresses.links`", (("addresses",),))
        elif ipaddress.ip_network(network).version == 6:
            message = f"{network} is IPv6: tunnels and routes of `tenants` are rendered for IPv4 alone"
            yield Mistake(
                ("addresses", key), message, "take an IPv4 network, or take the tenants out", (here,)
            )


def _numbers(here: Loc, fabric: Fabric) -> Iterator[Mistake]:
    names: dict[str, int] = {}
    vnis: dict[int, int] = {}
    vlans: dict[int, int] = {}
    used = {vlan_of(tenant.vni) for tenant in fabric.tenants}
    for index, tenant in enumerate(fabric.tenants):
        if tenant.name in names:
            message = f"two tenants are named `{tenant.name}`"
            yield Mistake((*here, index, "name"), message, f"the other is tenants[{names[tenant.name]}]")
        vlan = vlan_of(tenant.vni)
        free = next((vni for vni in range(1, VLANS + 1) if vlan_of(vni) not in used), None)
        hint = f"{free} is free" if free else f"a fabric has at most {VLANS} tenants"
        if tenant.vni in vnis:
            message = f"VNI {tenant.vni} is that of tenants[{vnis[tenant.vni]}] already"
            yield Mistake((*here, index, "vni"), message, hint)
        elif vlan in vlans:
            message = (
                f"VNI {tenant.vni} would have VLAN {vlan} inside switches, which is that of "
                f"tenants[{vlans[vlan]}]: they differ by a multiple of {VLANS}"
            )
            yield Mistake((*here, index, "vni"), message, hint)
        names.setdefault(tenant.name, index)
        vnis.setdefault(tenant.vni, index)
        vlans.setdefault(vlan, index)


def _places(here: Loc, fabric: Fabric, site: Site) -> Iterator[Mistake]:
    """Places that the site or the fabric does not have, and places that two tenants have."""
    own, pods = sizes.read_declared(site), fabric.scope(site.layout.pods)
    every = {
        (index, number): place
        for index, tenant in enumerate(fabric.tenants)
        for number, place in enumerate(tenant.places)
    }
    # Each place's key is its numbers: `pod-01-su-02` is (1, 2), and `pod-1-su-2` is the same place.
    keys = {at: tuple(map(int, re.findall(r"\d+", place))) for at, place in every.items()}
    taken: dict[tuple[int, ...], tuple[int, int]] = {}
    for at in sorted(every, key=lambda at: len(keys[at])):
        (index, number), place, key = at, every[at], keys[at]
        loc: Loc = (*here, index, "places", number)
        depends: tuple[Loc, ...] = (("layout",), ("exceptions",))
        if instead := sizes.not_there(site.layout, own, place):
            yield Mistake(loc, f"there is no `{place}`", instead, depends)
            continue
        if place != (name := sizes.name_of(place)):
            yield Mistake(loc, f"there is no `{place}`", f"write `{name}`")
        elif key[0] - 1 not in pods:
            message = f"the fabric is not in pod-{key[0]:02d}"
            yield Mistake(loc, message, "see its `pods`", ((*here[:-1], "pods"),))
        for end in range(1, len(key) + 1):
            other = taken.get(key[:end])
            if other is not None and other[0] != index:
                message = f"`{place}` is in tenants[{other[0]}] already, by `{every[other]}`"
                yield Mistake(loc, message, "a machine has one tenant of a fabric")
                break
        taken.setdefault(key, at)
