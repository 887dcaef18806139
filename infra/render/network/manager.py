"""Facts of a subnet manager: roots, names, partitions, service levels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra.render.network.printing import Files, render
from infra.render.network.subnet import guid_of, port_guid_of
from infra.spec import tiers

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.render.network.subnet import Subnet

FILES = ("opensm.conf", "partitions.conf", "root_guid.conf", "node-name-map")
WIRE_SMPS = 8
"""Management packets on the wire at once: twice OpenSM's default of 4."""
LOG_TABLES = 0x43
"""OpenSM's log flags: errors, information, and routing, with which it dumps forwarding tables."""


@dataclass(frozen=True, slots=True)
class Name:
    """A node's GUID and name."""

    guid: str
    name: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as OpenSM reads it: key in hexadecimal, port GUIDs of its full members."""

    name: str
    key: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManagerFacts:
    """Facts for OpenSM's files.

    Attributes:
        scope: what it manages, for comments.
        folder: where its files are, with a slash at its end.
        routing: routing engine.
        smps: management packets on the wire at once.
        log_flags: as OpenSM writes them.
        qos: set up service levels in every port.
        roots: GUIDs of the top tier.
        names: of all switches.
        partitions: tenants.
    """

    scope: str
    folder: str
    routing: str
    smps: int
    log_flags: str
    qos: bool
    roots: tuple[str, ...]
    names: tuple[Name, ...]
    partitions: tuple[Partition, ...]


def members_of(plan: Plan, subnet: Subnet) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Key and adapters of each declared partition that has adapters in this subnet."""
    found = {}
    for fabric in plan.site.fabrics.named().values():
        if tiers.routing(fabric) != "subnet-manager":
            continue
        for partition in fabric.partitions:
            places = tuple(f"{place}-" for place in partition.places)
            members = tuple(name for name in subnet.adapters if name.startswith(places))
            if members:
                found[partition.name] = (partition.key, members)
    return found


def manager_files(plan: Plan, subnet: Subnet, scope: str, folder: str, *, qos: bool = True) -> Files:
    """OpenSM's files for a subnet, to lie in `folder`."""
    facts = ManagerFacts(
        scope=scope,
        folder=folder,
        routing="ftree",
        smps=WIRE_SMPS,
        log_flags=f"0x{LOG_TABLES:02x}",
        qos=qos,
        roots=tuple(guid_of(name) for name in subnet.roots),
        names=tuple(Name(guid_of(name), name) for name in subnet.switches),
        partitions=tuple(
            Partition(name, f"0x{key:04x}", tuple(port_guid_of(member) for member in members))
            for name, (key, members) in members_of(plan, subnet).items()
        ),
    )
    return {file: render(f"infiniband/manager/{file}.j2", {"manager": asdict(facts)}) for file in FILES}
