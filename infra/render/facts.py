"""Facts of a machine and of its site for templates, roles and checks: typed, every decision taken.

Facts come from the declaration and the plan's machines and from nothing else, so they are there before a
machine is. In Ansible they are the variables `machine` (per host) and `site` (per site); templates know them
by the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Machine, Nic, Role
from infra.render.accelerator import AcceleratorFacts, accelerator_facts
from infra.render.clusters import is_server_of
from infra.render.exports import Export, Quota, export_of
from infra.render.firewall import Firewall, Inbound, Zone, firewall_of
from infra.render.health import Health, health_of
from infra.render.network.member import switch_facts
from infra.render.network.roce import HostRoce, host_roce
from infra.render.rollout_cluster import RolloutCluster, RolloutMember, rollout_member
from infra.render.routing import Rail, Route, Routing, host_routes, network_of, rails_of, routing_of
from infra.roles import Subject, select_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.render.network import SwitchFacts
    from infra.render.network.facts import Common
    from infra.render.scheduler import SlurmFacts

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
        link_local: systemd's LinkLocalAddressing: BGP between switches without addresses needs IPv6's.
        vrf: of the tenant at the other end, or None: all but a switch's ports to hosts of tenants.
    """

    name: str
    mac: str
    address: str | None
    peer: str | None
    peer_name: str | None
    peer_address: str | None
    mtu: int
    link_local: str
    vrf: str | None


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
        platform: name of its catalog entry.
        applied: the Ansible roles that are for it, each with its components.
        uuid: SMBIOS UUID, lower case.
        site: name of the site.
        pod: name, or None at site level.
        su: name, or None.
        rack: name, or None.
        loopback: own routed address, or None.
        loopback_network: the same with its prefix length.
        links: data interfaces.
        routes: static routes by networkd; switches have none, theirs are in `routing`.
        rails: routing tables of its further cables; switches have none.
        settings: kernel parameters.
        routing: None but for switches that route: those of an InfiniBand fabric do what their manager says.
        switch: what its configuration is printed from, for a switch that a role configures.
        roce: lossless classes of a host's links to switches that route; stand-ins' links have none.
        time_server: whether it serves time to the site.
        time_peers: loopbacks of the other servers of time, for one of them.
        controller: whether it runs slurmctld.
        rollout: its part in the cluster that carries rollouts out; None but for management servers of a site
            that declares one.
        firewall: None where the site declares no zone for it.
        exports: folders that it exports.
        health: what it must have to take jobs; None but for trays.
        accelerator: its accelerators' driver, links and power; None but for trays with any.
    """

    name: str
    role: str
    platform: str
    applied: dict[str, tuple[str, ...]]
    uuid: str
    site: str
    pod: str | None
    su: str | None
    rack: str | None
    loopback: str | None
    loopback_network: str | None
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    rails: tuple[Rail, ...]
    settings: tuple[Setting, ...]
    routing: Routing | None
    switch: SwitchFacts | None
    roce: HostRoce | None
    time_server: bool
    time_peers: tuple[str, ...]
    controller: bool
    rollout: RolloutMember | None
    firewall: Firewall | None
    exports: tuple[Export, ...]
    health: Health | None
    accelerator: AcceleratorFacts | None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that others reach by its loopback.

    Attributes:
        name: host name.
        address: its loopback address.
        role: as in `MachineFacts`.
        pod: name, or None at site level.
        alias: what the declaration's `names` call it, if that is another host name; or None.
        metrics: whether it tells metrics by the role of that name: all but switches with a closed system do.
    """

    name: str
    address: str
    role: str
    pod: str | None
    alias: str | None = None
    metrics: bool = True


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
        size: bytes that it holds.
        quotas: limits within it.
    """

    server: str
    address: str
    export: str
    mount: str
    unit: str
    size: int
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Facts of a site that every machine gets.

    Attributes:
        name: name of the site.
        pods: those that somebody works on just now: checks look at no others, templates do not see them.
        domain: DNS domain of its machines.
        hosts: name and loopback of each machine that has one.
        fabric: networks reached over the data interfaces, CIDR.
        asn_bases: first AS number of each fabric (by name) whose switches route.
        time_servers: loopbacks of the machines that serve time.
        name_servers: loopbacks of the machines that serve names, in order.
        users: accounts made on every machine.
        groups: groups made on every machine.
        mounts: shared folders.
        slurm: the machine's cluster, or the first; None for a site without a scheduler.
        clusters: all clusters of the scope.
        controllers: machines that run slurmctld.
        monitors: machines that collect metrics, in order.
        rollout: cluster that carries large rollouts out; None where the declaration names none.
        zones: security zones.
        matrix: what each zone lets in.
        declared: parts of the declaration that roles ask for and it has, each with the words that it holds.
        network: what its switches share; None where no plan was at hand.
    """

    name: str
    pods: tuple[str, ...]
    domain: str
    hosts: tuple[Host, ...]
    fabric: tuple[str, ...]
    asn_bases: dict[str, int]
    time_servers: tuple[str, ...]
    name_servers: tuple[str, ...]
    users: tuple[User, ...]
    groups: tuple[Group, ...]
    mounts: tuple[Mount, ...]
    slurm: SlurmFacts | None
    clusters: tuple[SlurmFacts, ...]
    controllers: tuple[str, ...]
    monitors: tuple[str, ...]
    rollout: RolloutCluster | None
    zones: tuple[Zone, ...]
    matrix: dict[str, tuple[Inbound, ...]]
    declared: dict[str, tuple[str, ...]]
    network: Common | None


def machine_facts(machine: Machine, machines: Mapping[str, Machine], site: SiteFacts) -> MachineFacts:
    """Facts of one machine.

    Args:
        machine: the machine.
        machines: by name, those at the other end of its cables at least.
        site: facts of its site.
    """
    switch = machine.role is Role.SWITCH
    mtu = MTU_STAND_IN if machine.stand_in else MTU_FABRIC
    routing = routing_of(machine, machines, site.asn_bases) if switch else None
    sessions = [neighbor.link for neighbor in routing.neighbors] if routing else []
    own = switch_facts(machine, machines, site.network) if switch and site.network else None
    vrfs = {port.name: port.vrf for port in own.ports} if own else {}
    # Linux says of what comes in by a VRF's port that it comes by the VRF.
    data = [*(nic.name for nic in machine.nics), *(vrf.name for vrf in (own.vrfs if own else ()))]
    serves = machine.loopback in site.time_servers
    return MachineFacts(
        name=machine.name,
        role=str(machine.role),
        platform=machine.platform,
        applied=dict(_select_roles(machine, site)),
        uuid=machine.uuid.lower(),
        site=machine.site,
        pod=machine.pod,
        su=machine.su,
        rack=machine.rack,
        loopback=machine.loopback,
        loopback_network=network_of(machine.loopback) if machine.loopback else None,
        links=tuple(
            _link(nic, mtu, vrfs.get(nic.name), routed=switch and nic.fabric in site.asn_bases)
            for nic in machine.nics
        ),
        routes=() if switch else host_routes(machine, site.fabric),
        rails=() if switch else rails_of(machine, site.fabric, site.asn_bases),
        settings=_settings(switch=switch),
        routing=routing,
        switch=own,
        roce=_roce(machine, site),
        time_server=serves,
        time_peers=tuple(one for one in site.time_servers if one != machine.loopback) if serves else (),
        controller=machine.name in site.controllers,
        rollout=rollout_member(machine, site.rollout),
        firewall=firewall_of(machine.role, data, sessions, site.zones, site.matrix),
        exports=tuple(
            export_of(mount.export, mount.size, mount.quotas)
            for mount in site.mounts
            if mount.server == machine.name
        ),
        health=health_of(machine, mtu) if machine.role is Role.TRAY else None,
        accelerator=accelerator_facts(machine) if machine.role is Role.TRAY else None,
    )


def _select_roles(machine: Machine, site: SiteFacts) -> Mapping[str, tuple[str, ...]]:
    """Ansible roles of a machine, with their components."""
    group = None
    if machine.role in {Role.STORAGE, Role.MANAGEMENT}:
        named = {word for words in site.declared.values() for word in words}
        group = next((one for one in sorted(named) if is_server_of(machine.name, site.name, one)), None)
    return select_roles(
        site.name, Subject(machine.role, machine.platform, group), tuple(site.declared.items())
    )


def _roce(machine: Machine, site: SiteFacts) -> HostRoce | None:
    if machine.role not in {Role.TRAY, Role.STORAGE} or machine.stand_in:
        return None
    return host_roce(tuple(nic.name for nic in machine.nics if nic.peer and nic.fabric in site.asn_bases))


def _link(nic: Nic, mtu: int, vrf: str | None, *, routed: bool) -> Link:
    return Link(
        name=nic.name,
        mac=nic.mac.lower(),
        address=nic.address,
        peer=" ".join(nic.peer) if nic.peer else None,
        peer_name=nic.peer[0] if nic.peer else None,
        peer_address=nic.peer_address,
        mtu=mtu,
        link_local="ipv6" if routed and nic.address is None else "no",
        vrf=vrf,
    )


def _settings(*, switch: bool) -> tuple[Setting, ...]:
    """Kernel parameters that follow from what a machine is for; the role `base` has others."""
    settings = [
        Setting("net.ipv4.ip_forward", "1" if switch else "0"),
        Setting("net.ipv6.conf.all.forwarding", "1" if switch else "0"),
    ]
    return tuple(settings)
