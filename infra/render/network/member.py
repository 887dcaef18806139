"""Facts of one switch, from the plan's machines, for a role to deploy; `collecting` has them from tables."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Role
from infra.render.network.facts import PortProfile, Profile, SwitchFacts, build, router_id
from infra.render.network.tenants import vrf_of_machine
from infra.render.routing import network_of, switch_number
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.tables.machines import Machine, Nic
    from infra.render.network.facts import Common


def switch_facts(machine: Machine, machines: Mapping[str, Machine], common: Common) -> SwitchFacts | None:
    """Facts of a switch whose system runs on an ordinary machine, so that a role deploys its files.

    Ports without a cable, lengths of cables and the management network are left out: such a machine knows
    its own.

    Args:
        machine: a machine.
        machines: by name, those at the other end of its cables at least.
        common: of its site.

    Returns:
        None for a machine that is no such switch, or does not route.
    """
    model = catalog.switch(machine.platform) if machine.role is Role.SWITCH else None
    fabric = next((nic.fabric for nic in machine.nics if nic.fabric in common.routing), None)
    if model is None or model.system is None or fabric is None or machine.loopback is None:
        return None
    if common.routing[fabric] not in {"bgp", "static"} or not catalog.system(model.system).deployed:
        return None
    places = common.tenants.get(fabric, {})
    ports, values = zip(*_ports(machine, machines, places), strict=True)
    number = switch_number(machine.loopback)
    profile = Profile(
        system=model.system, model=model.name, fabric=fabric, kind=machine.nics[0].kind, tier="", level=0,
        routing=common.routing[fabric], ports=ports,
        family="ip" if ipaddress.ip_address(machine.loopback).version == 4 else "ipv6", breakout=1,
    )  # fmt: skip
    head = (
        machine.name, network_of(machine.loopback), machine.loopback, router_id(machine.loopback, number),
        str(common.asn_bases[fabric] + number), "", "",
    )  # fmt: skip
    return build(profile, (*head, *(value for own in values for value in own)), common)


def _ports(
    machine: Machine, machines: Mapping[str, Machine], places: Mapping[str, str]
) -> Iterator[tuple[PortProfile, tuple[str, ...]]]:
    """Ports with a cable, each with its own values (see `facts.build`)."""
    seen: set[str] = set()
    for number, nic in enumerate(nic for nic in machine.nics if nic.peer and nic.peer[0] in machines):
        assert nic.peer is not None
        peer = machines[nic.peer[0]]
        own = (*nic.peer, "0")
        vrf = vrf_of_machine(peer.name, places)
        if peer.role is Role.SWITCH:
            yield _port(nic, number, "switch"), own
        elif nic.address and nic.peer_address and peer.loopback:
            first = peer.name not in seen
            seen.add(peer.name)
            host = network_of(peer.loopback)
            yield (
                _port(nic, number, "addressed", vrf, first=first),
                (*own, nic.address, nic.peer_address, host),
            )
        else:
            yield _port(nic, number, "host", vrf), own


def _port(nic: Nic, number: int, other: str, vrf: str = "", *, first: bool = False) -> PortProfile:
    return PortProfile(nic.name, number, other, first, nic.gbit, vrf)
