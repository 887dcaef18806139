"""Mistakes of fabrics that their switches' operating systems could not carry out."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from infra.spec import catalog, sizes, tiers
from infra.spec.checks.tenants import tenant_mistakes
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.fabric import Fabric
    from infra.spec.site import Site

LAST_ASN = 4_294_967_294
"""The last private AS number of four bytes (RFC 6996)."""
ROUTED = {"bgp", "static"}


def network_mistakes(site: Site) -> Iterator[Mistake]:
    """All of them; fabrics with unknown switch models are left out, since that is told already."""
    known = catalog.names("switches")
    for name, fabric in site.fabrics.named().items():
        key = name.replace("-", "_")
        if not fabric.models() <= {*known}:
            continue
        yield from _systems(("fabrics", key), fabric)
        yield from _partitions(("fabrics", key), fabric, site)
        yield from tenant_mistakes(("fabrics", key), fabric, site)
        if tiers.routing(fabric) == "bgp":
            yield from _numbers(("fabrics", key, "asn_base"), fabric, site)


def _systems(loc: Loc, fabric: Fabric) -> Iterator[Mistake]:
    routing = tiers.routing(fabric)
    first: tuple[str, int] | None = None
    for path, tier in fabric.switches().items():
        here: Loc = (*loc, *path, "switch")
        model = catalog.switch(tier.switch)
        if model.system is None:
            if routing != "none":
                message = f"{model.name} has no operating system, but the tier routes by {routing}"
                yield Mistake(
                    here, message, f"say `system:` in infra/spec/catalog/switches/{model.name}.yaml"
                )
            continue
        system = catalog.system(model.system)
        if routing not in system.routing:
            message = f"{model.name} runs {system.title}, which does not do `routing: {routing}`"
            yield Mistake(here, message, f"it does {', '.join(system.routing)}", ((*loc, "routing"),))
        wrong = [name for name in tiers.port_names(model, 1) if not re.fullmatch(system.port, name)]
        if wrong:
            message = f"{model.name} has a port `{wrong[0]}`, which {system.title} does not have"
            yield Mistake(here, message, f"its ports are named {system.port}")
        split = tiers.port_names(model, getattr(tier, "breakout", None) or fabric.breakout)
        if len(set(split)) < len(split):
            twice = next(name for index, name in enumerate(split) if name in split[:index])
            message = f"two ports of {model.name} would be named `{twice}`"
            yield Mistake(
                here, message, "its `port_name`, `port_step` and its system's `split` give each its own"
            )
        if routing in ROUTED and model.ecmp is not None and tier.up > model.ecmp:
            message = f"{tier.up} uplinks are that many equal paths, {model.name} takes {model.ecmp}"
            yield Mistake((*loc, *path, "up"), message, f"at most {model.ecmp}")
        if first is not None and first[1] != system.mtu and routing in ROUTED:
            message = f"{system.title} has an MTU of {system.mtu}, {first[0]} below it {first[1]}"
            yield Mistake(here, message, "switches of one path carry frames of one size")
        first = (system.title, system.mtu)


def _numbers(loc: Loc, fabric: Fabric, site: Site) -> Iterator[Mistake]:
    """Each switch's AS number is the first one plus 24 bits of its loopback's place."""
    network = ipaddress.ip_network(site.addresses.loopbacks)
    most = 0xFFFFFF
    if network.version == 6:
        most = min(site.layout.pods, 0xFF) << 16 | 0xFFFF
    if fabric.asn_base + most > LAST_ASN:
        message = f"from {fabric.asn_base} on there is no room for {most + 1:,} AS numbers up to {LAST_ASN}"
        yield Mistake(loc, message, f"at most {LAST_ASN - most}")


def _partitions(loc: Loc, fabric: Fabric, site: Site) -> Iterator[Mistake]:
    keys: dict[int, int] = {}
    names: dict[str, int] = {}
    own = sizes.read_declared(site)
    for index, partition in enumerate(fabric.partitions):
        here: Loc = (*loc, "partitions", index)
        if tiers.routing(fabric) != "subnet-manager":
            message = "partitions are a subnet manager's, this fabric has none"
            yield Mistake(here, message, "take them out", ((*loc, "routing"), (*loc, "tiers")))
            return
        if partition.key in keys:
            message = f"key 0x{partition.key:04x} is that of partitions[{keys[partition.key]}] already"
            free = next(key for key in range(1, 0x7FFF) if key not in keys)
            yield Mistake((*here, "key"), message, f"0x{free:04x} is free")
        if partition.name in names:
            message = f"two partitions are named `{partition.name}`"
            yield Mistake((*here, "name"), message, f"the other is partitions[{names[partition.name]}]")
        keys.setdefault(partition.key, index)
        names.setdefault(partition.name, index)
        for number, place in enumerate(partition.places):
            at = (*here, "places", number)
            if instead := sizes.not_there(site.layout, own, place):
                yield Mistake(at, f"there is no `{place}`", instead, (("layout",), ("exceptions",)))
            elif place != (name := sizes.name_of(place)):
                yield Mistake(at, f"there is no `{place}`", f"write `{name}`")
