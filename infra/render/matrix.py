"""Connectivity matrix of a site: which machines may reach which, on what, and by which rule.

A firewall stands at the target: what is asked about a pair of machines is what the target lets in from the
source. Before that a packet needs a path, and addresses on networks that nothing joins have none: a rail's
own address is reached from rails, a loopback by the fabric that leads to services, a machine of a tenant from
that tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from infra.errors import UserError
from infra.plan.tables.machines import Role
from infra.plan.tables.paths import fabric_paths
from infra.render.network.tenants import vrf_by_place, vrf_of_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan import Plan
    from infra.spec.site import Site

ROCE = 4791
"""UDP port of RDMA over Converged Ethernet, version 2 (InfiniBand annex 17)."""
OPEN = "(no zone)"
"""What machines are in whose role is in no zone: they have no firewall."""
PATH = "$.security.allow"


@dataclass(frozen=True, slots=True)
class Pass:
    """Ports that one zone may reach in another.

    Attributes:
        protocol: `tcp` or `udp`.
        first, last: ports.
        reason: as declared.
        rule: path of the declaration's entry.
    """

    protocol: str
    first: int
    last: int
    reason: str
    rule: str

    @property
    def ports(self) -> str:
        """As it is declared: `tcp/2049`."""
        return f"{self.protocol}/{self.first}" + (f"-{self.last}" if self.last != self.first else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two zones, one of which asks.

    Attributes:
        source, target: zones.
        passes: what is allowed; all else is denied but ICMP.
        open: the target has no firewall.
        reason: why nothing is allowed, or everything; empty if `passes` say it.
    """

    source: str
    target: str
    passes: tuple[Pass, ...]
    open: bool
    reason: str


class Decision(NamedTuple):
    """Whether a packet is let in, why, and by which rule."""

    allowed: bool
    reason: str
    rule: str


class Endpoint(NamedTuple):
    """An address of a machine on the data fabrics.

    Attributes:
        machine: its name.
        role: its role.
        interface: `lo` for its loopback.
        address: without prefix length.
        network: what it has paths in: a fabric, where needed with the block, rail or tenant; empty without a
            cable.
    """

    machine: str
    role: Role
    interface: str
    address: str
    network: str


class Probe(NamedTuple):
    """A packet from one endpoint to another's port, and whether an answer came back."""

    source: Endpoint
    target: Endpoint
    protocol: str
    port: int
    passed: bool


class Matrix:
    """Rules of a site by zone."""

    def __init__(self, site: Site) -> None:
        self.zones: dict[str, tuple[Role, ...]] = {
            zone.name: tuple(Role(role) for role in zone.roles) for zone in site.security.zones
        }
        self.known = {role: [name for name, roles in self.zones.items() if role in roles] for role in Role}
        self.passes: dict[tuple[str, str], list[Pass]] = {}
        for index, allow in enumerate(site.security.allow):
            for protocol, first, last in allow.spans():
                one = Pass(protocol, first, last, allow.reason, f"{PATH}[{index}]")
                self.passes.setdefault((allow.source, allow.target), []).append(one)

    def pairs(self) -> Iterator[Pair]:
        """Every zone with every zone, itself included; machines without a zone last."""
        names = [*self.zones, *([OPEN] if any(not zones for zones in self.known.values()) else [])]
        for source in names:
            for target in names:
                passes = tuple(self.passes.get((source, target), ()))
                if target == OPEN:
                    yield Pair(source, target, (), True, "its machines are in no zone and have no firewall")
                else:
                    reason = "" if passes else f"no rule allows {source} to reach {target}"
                    yield Pair(source, target, passes, False, reason)

    def decide(self, source: Role, target: Role, protocol: str, port: int) -> Decision:
        """Judge one port of one machine, asked from another."""
        targets = self.known[target]
        if not targets:
            return Decision(True, f"a {target} is in no zone and has no firewall", "$.security.zones")
        pairs = [(one, other) for one in self.known[source] for other in targets]
        found = [one for pair in pairs for one in self.passes.get(pair, ())]
        for one in found:
            if one.protocol == protocol and one.first <= port <= one.last:
                return Decision(True, one.reason, one.rule)
        where = " or ".join(targets)
        if not self.known[source]:
            return Decision(False, f"a {source} is in no zone, so {where} lets nothing of it in", PATH)
        whence = " or ".join(self.known[source])
        only = ", ".join(dict.fromkeys(one.ports for one in found))
        reason = (
            f"{whence} may reach only {only} of {where}"
            if only
            else f"no rule allows {whence} to reach {where}"
        )
        return Decision(False, reason, PATH)

    def decide_ends(self, source: Endpoint, target: Endpoint, protocol: str, port: int) -> Decision:
        """Judge one port of one address, asked from another: whether there is a path, then the zones."""
        if source.network != target.network or not source.network:
            joined = " and ".join(
                f"{end.interface} is on {end.network or 'no fabric'}" for end in (source, target)
            )
            return Decision(False, f"nothing joins them: {joined}", "$.fabrics")
        return self.decide(source.role, target.role, protocol, port)


def endpoints(plan: Plan, machines: Iterable[str] | None = None) -> list[Endpoint]:
    """List addresses on the data fabrics: loopbacks, and the links of hosts.

    Args:
        plan: of the site.
        machines: only these.

    Raises:
        UserError: a named machine has none.
    """
    roles = dict.fromkeys(plan.switches["name"], Role.SWITCH) if plan.switches.height else {}
    roles |= {name: Role(role) for name, role in plan.nodes.select("name", "role").iter_rows()}
    table = plan.addresses.filter(pl.col("pool") != "management")
    if machines is not None:
        wanted = list(machines)
        table = table.filter(pl.col("owner").is_in(wanted))
        for name in wanted:
            if name not in set(table["owner"]):
                raise UserError(f"the plan of {plan.site.name} has no machine `{name}` with a data address")
    networks = _networks(plan, None if machines is None else wanted)
    columns = ("owner", "interface", "address")
    return [
        Endpoint(owner, roles[owner], interface, address.split("/")[0], networks.get((owner, interface), ""))
        for owner, interface, address in table.select(columns).iter_rows()
        if owner in roles
    ]


def _networks(plan: Plan, machines: list[str] | None) -> dict[tuple[str, str], str]:
    """Networks by machine and interface; a host's loopback is on that of its first cable to services."""
    management, kinds = plan.geometry.management_fabrics, plan.geometry.kinds
    cables = plan.links.filter(
        (pl.col("tier") == "host_leaf") & ~pl.col("fabric").cast(pl.String).is_in(management)
    )
    switches = plan.switches.filter(~pl.col("fabric").is_in(management))
    if machines is not None:
        cables = cables.filter(pl.col("a").is_in(machines))
        switches = switches.filter(pl.col("name").is_in(machines))
    found: dict[tuple[str, str], str] = {}
    for name, fabric, pod, rail in switches.select("name", "fabric", "pod", "set").iter_rows():
        found[name, "lo"] = _network(plan, fabric, name, pod, rail)
    services = [name for name, kind in kinds.items() if kind in {"north-south", "storage"}]
    columns = ("a", "a_port", "fabric", "z", "pod", "rail")
    # As `routing.host_routes` chooses: services before rails.
    order = cables.sort(~pl.col("fabric").cast(pl.String).is_in(services), maintain_order=True)
    tenants = vrf_by_place(plan.site)
    for name, port, fabric, switch, pod, rail in order.select(columns).iter_rows():
        vrf = vrf_of_machine(name, tenants[fabric]) if fabric in tenants else ""
        found[name, port] = _network(plan, fabric, switch, pod, rail) + (f" in {vrf}" if vrf else "")
        found.setdefault((name, "lo"), found[name, port])
    return found


def _network(plan: Plan, fabric: str, switch: str, pod: str | None, rail: int | None) -> str:
    """Name what a first-tier port, or a switch itself, has paths in."""
    judged, own = fabric_paths(plan.geometry, fabric), plan.geometry.tiers[fabric]
    if len(own) == 1:
        return f"{fabric} at {switch}"
    name = fabric
    if own[0].sets > 1 and not judged.rails_meet and rail is not None:
        name += f" rail {rail + 1}"
    if judged.blocks == 1 or pod is None:
        return name
    if judged.block in {"rack", "scalable-unit"}:
        return f"{name} of {'-'.join(switch.split('-')[: 4 if judged.block == 'scalable-unit' else 6])}"
    each = plan.geometry.blocks_per(judged.block)
    return f"{name} of {judged.block} {(int(pod.removeprefix('pod-')) - 1) // each + 1}"


def compare_probes(matrix: Matrix, probes: Iterable[Probe]) -> list[str]:
    """Name each packet that got through against the matrix, or that did not get through.

    Returns:
        one line for each, with both ends, the port, and the rule.
    """
    found = []
    for probe in probes:
        decided = matrix.decide_ends(probe.source, probe.target, probe.protocol, probe.port)
        if decided.allowed == probe.passed:
            continue
        kind = "a deny leaks" if probe.passed else "an allow fails"
        ends = f"{_end(probe.source)} → {_end(probe.target)} {probe.protocol}/{probe.port}"
        found.append(f"{kind}: {ends}: {decided.reason} [{decided.rule}]")
    return found


def _end(endpoint: Endpoint) -> str:
    return f"{endpoint.machine} {endpoint.interface} ({endpoint.address})"
