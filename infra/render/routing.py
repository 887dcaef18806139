"""How machines reach each other: static routes of hosts, and what switches' routing daemons are told."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.tables.machines import Machine

ROUTER_IDS = ipaddress.IPv4Address("10.0.0.0")
"""Router ids of switches with IPv6 loopbacks are this plus their number; nothing has them as address."""


@dataclass(frozen=True, slots=True)
class Route:
    """A static route; `link` is the interface it leaves by, `family` is `ip` or `ipv6` as FRR says it."""

    family: str
    destination: str
    gateway: str
    link: str


@dataclass(frozen=True, slots=True)
class Rail:
    """How a host's packets leave that come from the address of one of its further cables: by that cable.

    Attributes:
        family: `ip` or `ipv6`.
        source: the cable's own address.
        table: number of a routing table of its own.
        gateway: the switch's end.
        link: interface.
        destinations: networks of the fabric.
    """

    family: str
    source: str
    table: int
    gateway: str
    link: str
    destinations: tuple[str, ...]


RAIL_TABLES = 100
"""Number of the first rail's routing table; below are those that systems have names for (253–255 too)."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A BGP session to the switch at the other end of one link, which has no addresses (RFC 5549).

    Attributes:
        name: the switch.
        link: own interface.
    """

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class Routing:
    """Routing configuration of one switch.

    Attributes:
        router_id: unique in the site, else BGP sessions stay idle.
        asn: own AS number.
        families: address families of its loopback: `ipv4` or `ipv6`.
        statics: one route per loopback of a machine without routing daemons on one of its ports.
        neighbors: switches on its ports; without any, no BGP is run.
    """

    router_id: str
    asn: int
    families: tuple[str, ...]
    statics: tuple[Route, ...]
    neighbors: tuple[Neighbor, ...]


def switch_number(loopback: str) -> int:
    """A number of a switch's own, below 2^24, from its loopback.

    IPv4: the low 24 bits. IPv6: a pod's loopbacks are a /48, so the third group tells the pod (8 bits are
    taken) and the last one the machine.
    """
    address = ipaddress.ip_address(loopback)
    if address.version == 4:
        return int(address) & 0xFFFFFF
    return (int(address) >> 80 & 0xFF) << 16 | int(address) & 0xFFFF


def network_of(address: str) -> str:
    """An address as a network of one: `10.255.0.1` → `10.255.0.1/32`."""
    return str(ipaddress.ip_network(address))


def host_routes(machine: Machine, fabric: Sequence[str]) -> tuple[Route, ...]:
    """All networks through one cable; of a fabric that leads to services before rails. Hosts speak no BGP."""
    cables = [(nic, nic.peer_address) for nic in machine.nics if nic.address and nic.peer_address]
    for nic, gateway in sorted(cables, key=lambda cable: cable[0].kind not in {"north-south", "storage"}):
        return tuple(Route(_family(net), net, gateway, nic.name) for net in fabric)
    return ()


def rails_of(machine: Machine, fabric: Sequence[str], routed: Mapping[str, int]) -> tuple[Rail, ...]:
    """Return one routing table for each cable of a host but the one that `host_routes` takes.

    RDMA binds to a rail's own address, and what it sends has to leave by that rail.

    Args:
        machine: the host.
        fabric: networks reached over the data interfaces.
        routed: fabrics whose switches route.
    """
    first = {route.link for route in host_routes(machine, fabric)}
    return tuple(
        Rail(_family(nic.address), nic.address.split("/")[0], RAIL_TABLES + number, nic.peer_address,
             nic.name, tuple(net for net in fabric if _family(net) == _family(nic.address)))
        for number, nic in enumerate(machine.nics)
        if nic.address and nic.peer_address and nic.fabric in routed and nic.name not in first
    )  # fmt: skip


def _family(address: str) -> str:
    return "ip" if ipaddress.ip_interface(address).version == 4 else "ipv6"


def routing_of(
    machine: Machine, machines: Mapping[str, Machine], asn_bases: Mapping[str, int]
) -> Routing | None:
    """Derive a switch's routing configuration; None for one that does not route.

    Args:
        machine: the switch.
        machines: by name, those at the other end of its cables at least.
        asn_bases: first AS number of each fabric (by name) whose switches route.
    """
    bases = [asn_bases[nic.fabric] for nic in machine.nics if nic.fabric in asn_bases]
    if machine.loopback is None or not bases:
        return None
    statics: dict[str, Route] = {}
    neighbors: list[Neighbor] = []
    for nic in machine.nics:
        peer = machines.get(nic.peer[0]) if nic.peer else None
        if peer is None or peer.loopback is None:
            continue
        if peer.role is Role.SWITCH:
            neighbors.append(Neighbor(peer.name, nic.name))
        elif nic.peer_address:
            # a machine with several cables to this switch is reached by the first
            network = network_of(peer.loopback)
            statics.setdefault(network, Route(_family(network), network, nic.peer_address, nic.name))
    number, four = switch_number(machine.loopback), _family(machine.loopback) == "ip"
    return Routing(
        router_id=machine.loopback if four else str(ROUTER_IDS + number),
        asn=bases[0] + number,
        families=("ipv4" if four else "ipv6",),
        statics=tuple(statics.values()),
        neighbors=tuple(neighbors),
    )
