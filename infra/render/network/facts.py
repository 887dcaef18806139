"""Facts of a switch for its templates: typed, every decision taken.

A site has tens of thousands of switches and a few dozen kinds of them. What all of a kind share is its
`Profile`; what is a switch's own (names, addresses, numbers) is a flat list of texts, its values, in the
order of `build`. So a kind is printed once, with marks where its values go, and each switch is that text with
its values filled in (`printing`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.render.network.roce import Roce, roce_of
from infra.spec import catalog, tiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.render.network.tenants import Vrf
    from infra.spec.switch import Switch, System

FEC_FROM = 50
"""Gbit/s of a lane from which on Reed-Solomon FEC is part of the standard (IEEE 802.3cd: PAM4 lanes)."""
SESSIONS_ROOM = 2
"""How many times the prefixes that the plan has a neighbor may send, before its session is closed."""
HEAD = 7
"""Values before those of the ports; see `build`."""
VALUES = {"free": 0, "host": 3, "addressed": 6, "switch": 3, "management": 3}
"""Values of a port by what is at its other end."""


@dataclass(frozen=True, slots=True)
class PortProfile:
    """A logical port as all switches of a kind have it.

    Attributes:
        name: in the operating system.
        number: index from 0.
        other: `host`, `addressed` (a host with a numbered link), `switch`, `management` or `free`.
        first: the first cable to its host: the one that the host's own address is reached by.
        gbit: speed of the link.
        vrf: of its host's tenant; empty for the default one.
    """

    name: str
    number: int
    other: str
    first: bool
    gbit: float
    vrf: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Facts that all switches of a kind share.

    Attributes:
        system: operating system.
        model: switch model.
        fabric: name of its fabric.
        kind: `east-west`, `north-south`, `storage` or `out-of-band`.
        tier: name of the tier.
        level: 0 next to the hosts.
        routing: `bgp`, `static`, `subnet-manager` or `none`.
        ports: all logical ports, in order.
        family: `ip` or `ipv6` of its loopback, as FRR says it.
        breakout: logical ports in a physical one.
        vlan: of an out-of-band switch, or None.
    """

    system: str
    model: str
    fabric: str
    kind: str
    tier: str
    level: int
    routing: str
    ports: tuple[PortProfile, ...]
    family: str
    breakout: int
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A logical port.

    Attributes:
        name: in the operating system.
        number: index from 0.
        position: number of the physical port, from 1.
        other: see `PortProfile`.
        used: a cable is in it.
        lanes: electrical lanes, as SONiC lists them: `0,1,2,3`.
        mbit: speed in Mbit/s.
        gbit: speed in Gbit/s.
        fec: `rs` or `none`.
        mtu: bytes.
        metres: length of the cable, rounded up, as text; `0` without one.
        peer: device at the other end.
        peer_port: its port.
        address: own address with prefix length, or None.
        gateway: the host's address on this link, or None.
        host: network of one of the host's loopback, or None unless this is the first cable to it.
        vlan: that an out-of-band port is in, or None.
        vrf: of its host's tenant, or None for the default one.
    """

    name: str
    number: int
    position: int
    other: str
    used: bool
    lanes: str
    mbit: int
    gbit: int
    fec: str
    mtu: int
    metres: str
    peer: str
    peer_port: str
    address: str | None
    gateway: str | None
    host: str | None
    vlan: int | None
    vrf: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """A physical port that is split: its name, into how many parts, and Gbit/s of each."""

    name: str
    parts: int
    gbit: int


@dataclass(frozen=True, slots=True)
class Common:
    """Facts that all switches of a site share.

    Attributes:
        site: its name.
        domain: DNS domain.
        time_servers: addresses of those that serve time.
        log_servers: addresses of those that take logs.
        files_at: URL of the rendered switches' folders, for switches that fetch their own.
        supernets: of loopbacks and links: what BGP may announce.
        asn_bases: first AS number by fabric.
        routing: how each fabric routes: see `Profile`.
        prefixes: that a whole pod, or the site, announces: what a session's limit follows from.
        tenants: by fabric, of those that have any: VRF by place.
        vrfs: by fabric, in the order of declaration.
    """

    site: str
    domain: str
    time_servers: tuple[str, ...]
    log_servers: tuple[str, ...]
    files_at: str
    supernets: tuple[str, ...]
    asn_bases: dict[str, int]
    routing: dict[str, str]
    prefixes: int
    tenants: dict[str, dict[str, str]]
    vrfs: dict[str, tuple[Vrf, ...]]


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """One switch; what is not explained here is as in `Profile` and `Common`.

    Attributes:
        name: host name.
        title: of its model.
        role: what SONiC calls its place: `LeafRouter`, `SpineRouter` or `ManagementLeafRouter`.
        afi: `ipv4` or `ipv6`.
        longest: bits of an address.
        loopback: own routed address with prefix length.
        address: the same without.
        router_id: unique in the site.
        asn: AS number, as text.
        management: address of the management port with prefix length.
        management_gateway: next hop of the management network.
        home: URL of its folder of files.
        ports: used and free.
        splits: physical ports that are split.
        neighbors: ports with a routing switch at the other end.
        ecmp: next hops that a route may have.
        bfd: milliseconds between BFD's packets; 0 for the system's own.
        prefix_limit: prefixes that a neighbor may announce.
        roce: lossless classes, or None where no RDMA crosses it.
        vlan: of an out-of-band switch, or None.
        evpn: its fabric has tenants, whose routes it passes on.
        vrfs: of tenants that have a machine on one of its ports.
    """

    name: str
    site: str
    domain: str
    system: str
    model: str
    title: str
    fabric: str
    tier: str
    role: str
    routing: str
    family: str
    afi: str
    longest: int
    loopback: str
    address: str
    router_id: str
    asn: str
    management: str
    management_gateway: str
    home: str
    ports: tuple[Port, ...]
    splits: tuple[Split, ...]
    neighbors: tuple[Port, ...]
    ecmp: int
    bfd: int
    prefix_limit: int
    supernets: tuple[str, ...]
    time_servers: tuple[str, ...]
    log_servers: tuple[str, ...]
    roce: Roce | None
    vlan: int | None
    evpn: bool
    vrfs: tuple[Vrf, ...]


def build(profile: Profile, values: Sequence[str], common: Common) -> SwitchFacts:
    """Facts of one switch.

    Args:
        profile: its kind.
        values: name, loopback with and without prefix length, router id, AS number, management address, its
            gateway (`HEAD` of them); then for each used port: peer, peer's port and metres, and for an
            addressed one: own address, the host's, the network of the host's loopback.
        common: of its site.
    """
    model, system = catalog.switch(profile.model), catalog.system(profile.system)
    name, loopback, address, number, asn, management, gateway = values[:HEAD]
    ports = tuple(_ports(profile, values[HEAD:], model, system.mtu))
    return SwitchFacts(
        name=name,
        site=common.site,
        domain=common.domain,
        system=profile.system,
        model=profile.model,
        title=model.title,
        fabric=profile.fabric,
        tier=profile.tier,
        role=_role(profile),
        routing=profile.routing,
        family=profile.family,
        afi="ipv4" if profile.family == "ip" else "ipv6",
        longest=32 if profile.family == "ip" else 128,
        loopback=loopback,
        address=address,
        router_id=number,
        asn=asn,
        management=management,
        management_gateway=gateway,
        home=f"{common.files_at}/{name}",
        ports=ports,
        splits=tuple(_splits(profile, model)),
        neighbors=tuple(port for port in ports if port.other == "switch" and profile.routing == "bgp"),
        ecmp=model.ecmp or 1,
        bfd=round((model.bfd or 0) * 1000),
        prefix_limit=common.prefixes * SESSIONS_ROOM,
        supernets=common.supernets,
        time_servers=common.time_servers,
        log_servers=common.log_servers,
        roce=roce_of(max((port.gbit for port in profile.ports), default=0))
        if profile.routing in {"bgp", "static"}
        else None,
        vlan=profile.vlan,
        evpn=profile.fabric in common.vrfs,
        vrfs=tuple(_vrfs(profile, common)),
    )


def _vrfs(profile: Profile, common: Common) -> Iterator[Vrf]:
    here = {port.vrf for port in profile.ports}
    return (vrf for vrf in common.vrfs.get(profile.fabric, ()) if vrf.name in here)


def _splits(profile: Profile, model: Switch) -> Iterator[Split]:
    if profile.breakout > 1:
        for name in tiers.port_names(model, 1)[: model.ports]:
            yield Split(name, profile.breakout, round(model.speed / profile.breakout))


def _role(profile: Profile) -> str:
    if profile.kind == "out-of-band":
        return "ManagementLeafRouter"
    return "LeafRouter" if profile.level == 0 else "SpineRouter"


def _ports(profile: Profile, values: Sequence[str], model: Switch, mtu: int) -> Iterator[Port]:
    lanes = max(model.lanes // profile.breakout, 1)
    position = 0
    for port in profile.ports:
        size = VALUES[port.other]
        mine = list(values[position : position + size])
        position += size
        used = port.other != "free"
        addressed = port.other == "addressed"
        first = port.number * lanes
        yield Port(
            name=port.name,
            number=port.number,
            position=port.number // profile.breakout + 1,
            other="host" if addressed else port.other,
            used=used,
            lanes=",".join(str(first + lane) for lane in range(lanes)),
            mbit=round(port.gbit * 1000),
            gbit=round(port.gbit),
            fec="rs" if port.gbit / lanes >= FEC_FROM else "none",
            mtu=mtu,
            metres=mine[2] if used else "0",
            peer=mine[0] if used else "",
            peer_port=mine[1] if used else "",
            address=mine[3] if addressed else None,
            gateway=mine[4] if addressed else None,
            host=mine[5] if addressed and port.first else None,
            vlan=profile.vlan,
            vrf=port.vrf or None,
        )


def router_id(loopback: str, number: int) -> str:
    """Router id: the loopback itself if it is IPv4, else an address that nothing has, by number."""
    address = loopback.partition("/")[0]
    return address if "." in address else str(ipaddress.IPv4Address("10.0.0.0") + number)


def valid_port(system: System, name: str) -> bool:
    """Whether an operating system has ports of this name."""
    return re.fullmatch(system.port, name) is not None
