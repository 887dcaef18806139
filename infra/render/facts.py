"""What templates, roles and checks know of a machine and of its site: typed facts, every decision taken.

Facts come from the declaration and the plan's machines and from nothing else, so they are there before a
machine is. In Ansible they are the variables `machine` (per host) and `site` (per site); templates know them
by the same names.
"""

from __future__ import annotations

import ipaddress
import string
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.machines import Machine, Nic, Role
from infra.render.scheduler import SlurmFacts, slurm_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.spec.site import Site

ASN_BASE = 4_200_000_000
"""First private 32-bit AS number (RFC 6996); a switch's own is this plus the low 24 bits of its loopback."""

MTU_STAND_IN = 1500
"""Stand-in cables are UDP datagrams on the loopback interface: no jumbo frames."""
MTU_FABRIC = 9000
"""Jumbo frames on real fabric ports."""


@dataclass(frozen=True, slots=True)
class Link:
    """One data interface as the operating system needs it.

    Attributes:
        name: interface name.
        mac: what it is recognised by.
        address: own address with prefix length, or None.
        peer: machine and interface at the other end, for descriptions, or None without a cable.
        peer_name: machine at the other end, or None.
        peer_address: its address without prefix length, or None.
        mtu: bytes.
    """

    name: str
    mac: str
    address: str | None
    peer: str | None
    peer_name: str | None
    peer_address: str | None
    mtu: int


@dataclass(frozen=True, slots=True)
class Route:
    """A static route; `link` is the interface it leaves by."""

    destination: str
    gateway: str
    link: str


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A BGP session to the switch at the other end of one link."""

    address: str
    asn: int
    link: str
    name: str


@dataclass(frozen=True, slots=True)
class Routing:
    """What a switch's routing daemons are told.

    Attributes:
        router_id: its loopback; unique, else BGP sessions stay idle.
        asn: own AS number.
        statics: one route per loopback of a machine without routing daemons on one of its ports.
        neighbors: switches on its ports; without any, no BGP is run.
    """

    router_id: str
    asn: int
    statics: tuple[Route, ...]
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A kernel parameter."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """One machine.

    Attributes:
        name: host name.
        role: `tray`, `storage`, `management` or `switch`.
        uuid: SMBIOS UUID, lower case.
        site: name of the site.
        pod: name, or None at site level.
        su: name, or None.
        rack: name, or None.
        loopback: own routed address, or None.
        loopback_network: the same with its prefix length.
        links: data interfaces.
        routes: static routes by networkd; switches have none, theirs are in `routing`.
        settings: kernel parameters.
        routing: None but for switches.
        time_server: whether it serves time to the site.
    """

    name: str
    role: str
    uuid: str
    site: str
    pod: str | None
    su: str | None
    rack: str | None
    loopback: str | None
    loopback_network: str | None
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    settings: tuple[Setting, ...]
    routing: Routing | None
    time_server: bool


@dataclass(frozen=True, slots=True)
class Host:
    """A line of /etc/hosts."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group that people are in; its number is the same on every machine, because NFS compares numbers."""

    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class User:
    """A person's account; the own group has the same name and number."""

    name: str
    uid: int
    public_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the shared filesystem.

    Attributes:
        server: machine that exports it.
        address: the address it is mounted by: the server's loopback.
        export: path on the server.
        mount: path on its clients.
        unit: systemd's name of the mount unit, which must be the escaped path.
    """

    server: str
    address: str
    export: str
    mount: str
    unit: str


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What every machine of a site knows of the others.

    Attributes:
        name: name of the site.
        domain: DNS domain of its machines.
        hosts: name and loopback of each machine that has one.
        fabric: networks reached over the data interfaces, CIDR.
        time_servers: loopbacks of the machines that serve time.
        users: accounts made on every machine.
        groups: groups made on every machine.
        mounts: shared folders.
        slurm: the scheduler, or None for a site without one.
    """

    name: str
    domain: str
    hosts: tuple[Host, ...]
    fabric: tuple[str, ...]
    time_servers: tuple[str, ...]
    users: tuple[User, ...]
    groups: tuple[Group, ...]
    mounts: tuple[Mount, ...]
    slurm: SlurmFacts | None


def mount_unit(path: str) -> str:
    r"""Name of the systemd unit that mounts a path (systemd-escape(1)): `/a-b/c` → `a\x2db-c.mount`."""
    plain = frozenset(f"{string.ascii_letters}{string.digits}_.:".encode())
    words = [
        "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in part.encode())
        for part in path.strip("/").split("/")
    ]
    return "-".join(words) + ".mount"


def asn_of(loopback: str) -> int:
    """A switch's AS number, unique where its loopback's low 24 bits are."""
    return ASN_BASE + (int(ipaddress.ip_address(loopback)) & 0xFFFFFF)


def gid_of(group: str) -> int:
    """A group's number, from its name alone; above people's and below containers' (systemd's table)."""
    return 100_000 + zlib.crc32(group.encode()) % 100_000


def network_of(address: str) -> str:
    """An address as a network of one: `10.255.0.1` → `10.255.0.1/32`."""
    return str(ipaddress.ip_network(address))


def site_facts(site: Site, machines: Sequence[Machine]) -> SiteFacts:
    """Facts of a site.

    Args:
        site: the declaration.
        machines: all that its templates may name: of the whole site, or of its site level and one pod.
    """
    heads = [machine for machine in machines if machine.role is Role.MANAGEMENT]
    addresses = site.addresses
    fabric = [str(net) for net in (addresses.loopbacks, addresses.links) if net]
    names = sorted({group for user in site.users for group in user.groups})
    return SiteFacts(
        name=site.name,
        domain=site.services.domain,
        hosts=tuple(Host(machine.name, machine.loopback) for machine in machines if machine.loopback),
        fabric=tuple(fabric),
        time_servers=tuple(head.loopback for head in heads if head.loopback),
        users=tuple(User(user.name, user.uid, tuple(user.public_keys)) for user in site.users),
        groups=tuple(
            Group(name, gid_of(name), tuple(user.name for user in site.users if name in user.groups))
            for name in names
        ),
        mounts=_mounts(site, machines),
        slurm=slurm_facts(site.schedulers.slurm, machines) if site.schedulers.slurm else None,
    )


def _mounts(site: Site, machines: Sequence[Machine]) -> tuple[Mount, ...]:
    """Folders of tiers that machines serve by NFS, from the first storage server with an address."""
    servers = [(server.name, server.loopback) for server in machines if server.role is Role.STORAGE]
    server = next(((name, address) for name, address in servers if address), None)
    if server is None:
        return ()
    return tuple(
        Mount(server[0], server[1], export.path, export.mount, mount_unit(export.mount))
        for tier in site.storage.tiers
        if tier.kind == "nfs"
        for export in tier.exports
    )


def machine_facts(machine: Machine, machines: Mapping[str, Machine], site: SiteFacts) -> MachineFacts:
    """Facts of one machine.

    Args:
        machine: the machine.
        machines: by name, those at the other end of its cables at least.
        site: facts of its site.
    """
    switch = machine.role is Role.SWITCH
    mtu = MTU_STAND_IN if machine.stand_in else MTU_FABRIC
    return MachineFacts(
        name=machine.name,
        role=str(machine.role),
        uuid=machine.uuid.lower(),
        site=machine.site,
        pod=machine.pod,
        su=machine.su,
        rack=machine.rack,
        loopback=machine.loopback,
        loopback_network=network_of(machine.loopback) if machine.loopback else None,
        links=tuple(_link(nic, mtu) for nic in machine.nics),
        routes=() if switch else _host_routes(machine, site.fabric),
        settings=_settings(switch=switch),
        routing=_routing(machine, machines) if switch else None,
        time_server=machine.role is Role.MANAGEMENT,
    )


def _link(nic: Nic, mtu: int) -> Link:
    return Link(
        name=nic.name,
        mac=nic.mac.lower(),
        address=nic.address,
        peer=" ".join(nic.peer) if nic.peer else None,
        peer_name=nic.peer[0] if nic.peer else None,
        peer_address=nic.peer_address,
        mtu=mtu,
    )


def _host_routes(machine: Machine, fabric: Sequence[str]) -> tuple[Route, ...]:
    """Everything of the fabric through the first cable with addresses: hosts speak no routing protocol."""
    for nic in machine.nics:
        if nic.address and nic.peer_address:
            return tuple(Route(network, nic.peer_address, nic.name) for network in fabric)
    return ()


def _routing(machine: Machine, machines: Mapping[str, Machine]) -> Routing | None:
    if machine.loopback is None:
        return None
    statics: list[Route] = []
    neighbors: list[Neighbor] = []
    for nic in machine.nics:
        peer = machines.get(nic.peer[0]) if nic.peer else None
        if peer is None or nic.peer_address is None or peer.loopback is None:
            continue
        if peer.role is Role.SWITCH:
            neighbors.append(Neighbor(nic.peer_address, asn_of(peer.loopback), nic.name, peer.name))
        elif all(route.destination != network_of(peer.loopback) for route in statics):
            # a machine with several cables to this switch is reached by the first
            statics.append(Route(network_of(peer.loopback), nic.peer_address, nic.name))
    return Routing(machine.loopback, asn_of(machine.loopback), tuple(statics), tuple(neighbors))


def _settings(*, switch: bool) -> tuple[Setting, ...]:
    """Kernel parameters; loose reverse-path filtering because a loopback is reached over any cable."""
    settings = [
        Setting("kernel.kptr_restrict", "2"),
        Setting("kernel.panic", "10"),
        Setting("net.ipv4.conf.all.accept_redirects", "0"),
        Setting("net.ipv4.conf.all.rp_filter", "2"),
        Setting("net.ipv4.conf.all.send_redirects", "0"),
        Setting("net.ipv4.ip_forward", "1" if switch else "0"),
    ]
    return tuple(settings)
