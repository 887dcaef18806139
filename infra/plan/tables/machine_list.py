"""Machines from the tables: of a pod, of the site level, or all, for everything downstream of the plan."""

from __future__ import annotations

import hashlib
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.plan.tables import addressing, positions
from infra.plan.tables.accelerators import accelerator_plans
from infra.plan.tables.host_ports import HostPorts
from infra.plan.tables.machines import AcceleratorPlan, Bmc, Machine, Nic, Role, StandIn
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.tables import Tables

_MIB, _GIB = 2**20, 2**30
LOOPBACK = "127.0.0.1"


def machines_of(
    plan: Tables, pod: str | None = None, *, site_level: bool = False, cables: bool = True
) -> tuple[Machine, ...]:
    """Machines of a pod, of the site level, or (with neither) all of them; servers first, then pods in order.

    Args:
        plan: of a whole site.
        pod: a pod's name.
        site_level: the servers and switches that belong to no pod.
        cables: their interfaces too; of these a pod of a big site has tens of thousands.

    Raises:
        UserError: the plan has no such pod.
    """
    parts: list[Machine] = []
    if pod is None:
        parts += _Members(plan.own_level(), cables).servers()
        parts += _Members(plan.own_level(), cables).switches()
    if pod is not None:
        parts += _Members(plan.pod(pod), cables).all()
    elif not site_level:
        for name in plan.pods:
            parts += _Members(plan.pod(name), cables).all()
    return tuple(parts)


class _Members:
    """Machines of one slice."""

    def __init__(self, plan: Tables, cables: bool) -> None:  # noqa: FBT001 (of one caller)
        self.plan, self.site, self.geometry, self.cables = plan, plan.site, plan.geometry, cables
        self.pools = addressing.pools(plan.geometry)
        self._pods: dict[int, _Members] = {}
        self._fabrics: dict[int, dict[str, str]] = {}
        self.stand_ins = plan.site.stand_ins
        self.ports = HostPorts(self.stand_ins, plan.geometry) if self.stand_ins else None
        self.rails = {name: fabric.rails for name, fabric in plan.site.fabrics.named().items()}

    def all(self) -> list[Machine]:
        """Switches, servers, then trays: what must be there first comes first."""
        return [*self.switches(), *self.servers(), *self.trays()]

    def servers(self) -> list[Machine]:
        result = []
        addresses = self._addresses()
        for row in self.plan.servers_in_scope.iter_rows(named=True):
            name = row["name"]
            nics = tuple(self._server_nics(row)) if self.cables else ()
            result.append(
                self._machine(
                    name, Role(row["role"]), row["pod_name"], None, row["rack_name"], row["unit"], None,
                    row["platform"], addresses, self._server(row["place"]), nics,
                )
            )  # fmt: skip
        return result

    def _server_nics(self, row: dict[str, object]) -> Iterator[Nic]:
        """Interfaces of a server; the far end belongs to the pod that it is attached to."""
        attach, place, name = row["attach"], row["place"], str(row["name"])
        assert isinstance(place, int)
        links, far = {}, {}
        if isinstance(attach, int):
            pod = self._attached(attach)
            rows = pod.plan.links
            links = {link["a_port"]: link for link in rows.filter(rows["a"] == name).iter_rows(named=True)}
            far = pod.switch_ports
        platform = str(row["platform"])
        for nic in positions.nic_frame({platform}).iter_rows(named=True):
            link = links.get(nic["interface"])
            own_link = addressing.server_link(self.site, row, nic["port"]) if "link" in self.pools else (0, 0)
            peer = (link["z"], link["z_port"]) if link else None
            udp = self._cable(self._server(place), nic["port"], peer, far)
            own = attach if isinstance(attach, int) else None
            yield self._nic(nic, name, peer, own_link, udp, pod=own)

    def _attached(self, pod: int) -> _Members:
        """The pod that servers are cabled to."""
        if not self.plan.site_level and pod in self.plan.scope:
            return self
        if pod not in self._pods:
            self._pods[pod] = _Members(self.plan.whole().pod(f"pod-{pod + 1:02d}"), self.cables)
        return self._pods[pod]

    def trays(self) -> list[Machine]:
        plan = self.plan
        if not self.cables:
            return self._bare_trays()
        links = {(r["a"], r["a_port"]): (r["z"], r["z_port"]) for r in plan.links.iter_rows(named=True)}
        addresses = self._addresses()
        offsets = {
            (r["name"], r["interface"]): r["offset"]
            for r in addressing.host_link_offset(plan).iter_rows(named=True)
        }
        interfaces = {
            platform: list(positions.nic_frame({platform}).iter_rows(named=True))
            for platform in plan.node_frame["platform"].unique()
        }
        result, planned = [], accelerator_plans(plan)
        for row in plan.node_frame.iter_rows(named=True):
            name, pod = row["name"], row["pod"]
            index = self._tray(pod, row["node"])
            nics = tuple(
                self._nic(nic, name, peer := links.get((name, nic["interface"])),
                          (pod + 1, offsets[name, nic["interface"]]),
                          self._cable(index, nic["port"], peer, self.switch_ports), pod=pod)
                for nic in interfaces[row["platform"]]
            )  # fmt: skip
            result.append(
                self._machine(name, Role.TRAY, row["pod_name"], row["row"], row["rack_name"], row["unit"],
                              row["slot"] + 1, row["platform"], addresses, index, nics, planned.get(name))
            )  # fmt: skip
        return result

    def _bare_trays(self) -> list[Machine]:
        addresses, planned = self._addresses(), accelerator_plans(self.plan)
        return [
            self._machine(row["name"], Role.TRAY, row["pod_name"], row["row"], row["rack_name"], row["unit"],
                          row["slot"] + 1, row["platform"], addresses,
                          self._tray(row["pod"], row["node"]), (), planned.get(row["name"]))
            for row in self.plan.node_frame.iter_rows(named=True)
        ]  # fmt: skip

    def switches(self) -> list[Machine]:
        """Switches of data fabrics, each with an interface for every cable in it."""
        plan = self.plan
        table = plan.switches
        if not table.height:
            return []
        table = table.filter(~table["fabric"].is_in(self.geometry.management_fabrics))
        addresses = self._addresses()
        cables: dict[str, list[tuple[str, str, str, float, int | None, bool, str]]] = {}
        for r in self._cables():
            host = str(r["tier"]).startswith("host_")
            cables.setdefault(r["z"], []).append(
                (r["z_port"], r["a"], r["a_port"], r["gbit"], r["rail"], host, r["fabric"])
            )
            if not host:
                cables.setdefault(r["a"], []).append(
                    (r["a_port"], r["z"], r["z_port"], r["gbit"], r["rail"], False, r["fabric"])
                )
        ends = self._host_ends() if self.cables and (self.stand_ins or "link" in self.pools) else {}
        result = []
        for row in table.iter_rows(named=True):
            index, ports = self.switch_ports.get(row["name"], (None, {}))
            nics = []
            for port, peer, peer_port, gbit, rail, host, fabric in cables.get(row["name"], []):
                address = far = None
                udp = None
                if host and (peer, peer_port) in ends:
                    block, offset, remote = ends[peer, peer_port]
                    address, far = self._pair(block, offset)
                    far = far.split("/")[0] if far else None
                    if self.ports is not None and index is not None and remote is not None:
                        udp = (self.ports.cable(index, ports[port]), remote)
                elif not host:
                    udp = self._cable(index, ports.get(port, 0), (peer, peer_port), self.peer_ports)
                kind = self.geometry.kinds[fabric]
                own_rail = rail if kind == "east-west" else None
                nics.append(Nic(port, self._mac(row["name"], port), fabric, own_rail, int(gbit), address,
                                (peer, peer_port), far, udp, kind))  # fmt: skip
            result.append(
                self._machine(row["name"], Role.SWITCH, row["pod"], row["su"], row["rack"], row["unit"], None,
                              row["model"], addresses, index, tuple(nics))
            )  # fmt: skip
        return result

    def _cables(self) -> Iterator[dict[str, Any]]:
        """Rows of all links that end at a switch of the slice; none if they are not asked for."""
        if self.cables:
            links = self.plan.links
            if self.plan.site_level:
                links = pl.concat([self.plan.whole().crossing(), links])
            yield from links.iter_rows(named=True)

    def _host_ends(self) -> dict[tuple[str, str], tuple[int, int, int | None]]:
        """Numbered host interfaces → (block, offset, the UDP port that the host receives on)."""
        plan = self.plan
        result = {}
        for row in plan.node_frame.join(
            addressing.host_link_offset(plan).drop("pod"), on="name", how="inner", maintain_order="left_right"
        ).join(
            positions.nic_frame(set(plan.node_frame["platform"])).select("platform", "interface", "port"),
            on=["platform", "interface"], how="inner", maintain_order="left",
        ).iter_rows(named=True):  # fmt: skip
            port = self._receives(self._tray(row["pod"], row["node"]), row["port"])
            result[row["name"], row["interface"]] = (row["pod"] + 1, row["offset"], port)
        for row in plan.server_frame.iter_rows(named=True):
            for nic in positions.nic_frame({row["platform"]}).iter_rows(named=True):
                block, offset = (
                    addressing.server_link(self.site, row, nic["port"]) if "link" in self.pools else (0, 0)
                )
                port = self._receives(self._server(row["place"]), nic["port"])
                result[row["name"], nic["interface"]] = (block, offset, port)
        return result

    # Numbers of stand-ins; None on real hardware.

    def _tray(self, pod: int, node: int) -> int | None:
        return None if self.ports is None else self.ports.tray(pod, node)

    def _server(self, place: int) -> int | None:
        return None if self.ports is None else self.ports.server(place)

    @cached_property
    def switch_ports(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Switches of the slice that stand-ins are cabled to: number and ports (name → index)."""
        if self.ports is None:
            return {}
        found = self.ports.switches(self.plan.tier_frames)
        return {name: (number, ports) for name, number, ports in found}

    @cached_property
    def peer_ports(self) -> dict[str, tuple[int, dict[str, int]]]:
        """The same of the switches that the slice's are cabled to: a site's own lead down into pods."""
        if self.ports is None or not self.plan.site_level:
            return self.switch_ports
        return _Members(self.plan.whole(), self.cables).switch_ports

    def _receives(self, number: int | None, index: int) -> int | None:
        """The UDP port of one end of a cable."""
        return None if self.ports is None or number is None else self.ports.cable(number, index)

    def _cable(
        self, number: int | None, index: int, peer: tuple[str, str] | None,
        far: dict[str, tuple[int, dict[str, int]]],
    ) -> tuple[int, int] | None:  # fmt: skip
        """The (local, remote) UDP ports of a host's end of a cable."""
        if self.ports is None or number is None or peer is None:
            return None
        switch, ports = far[peer[0]]
        return self.ports.cable(number, index), self.ports.cable(switch, ports[peer[1]])

    def _nic(
        self, nic: dict[str, object], machine: str, peer: tuple[str, str] | None, link: tuple[int, int],
        udp: tuple[int, int] | None, *, pod: int | None,
    ) -> Nic:  # fmt: skip
        far, address = self._pair(*link) if peer else (None, None)
        kind, index, gbit = str(nic["kind"]), nic["nic"], nic["gbit"]
        fabric = self._serving(pod).get(kind, kind)
        assert isinstance(index, int)
        assert isinstance(gbit, float)
        rail = index % self.rails.get(fabric, 1) if kind == "east-west" else None
        # Each end of a pair is written as it sees itself: own address with prefix, the peer's without.
        name = str(nic["interface"])
        return Nic(
            name, self._mac(machine, name), fabric, rail, int(gbit), address, peer,
            far.split("/")[0] if far else None, udp, kind,
        )  # fmt: skip

    def _serving(self, pod: int | None) -> dict[str, str]:
        """Fabrics of a pod by kind; of a machine in none, nothing."""
        if pod is None:
            return {}
        if pod not in self._fabrics:
            self._fabrics[pod] = self.geometry.serving(pod)
        return self._fabrics[pod]

    def _pair(self, block: int, offset: int) -> tuple[str | None, str | None]:
        """Addresses of a host link with prefix: the switch's (even) and the host's (odd)."""
        pool = self.pools.get("link")
        if pool is None:
            return None, None
        return f"{pool.text(block, offset)}/{pool.length}", f"{pool.text(block, offset + 1)}/{pool.length}"

    def _mac(self, machine: str, interface: str) -> str:
        """Locally administered (bit 1 of the first octet); 40 bits of the interface's name in the rest."""
        text = f"{self.site.name}/{machine}/{interface}"
        return (b"\x02" + hashlib.blake2b(text.encode(), digest_size=5).digest()).hex(":")

    def _addresses(self) -> dict[tuple[str, str, str], str]:
        frame = self.plan.addresses
        frame = frame.filter(frame["pool"] != "link")
        return {(r["owner"], r["pool"], r["interface"]): r["address"] for r in frame.iter_rows(named=True)}

    def _machine(  # noqa: PLR0917 (a line for each kind of machine calls it)
        self, name: str, role: Role, pod: str | None, su: str | None, rack: str, unit: int, slot: int | None,
        platform: str, addresses: dict[tuple[str, str, str], str], number: int | None, nics: tuple[Nic, ...],
        accelerator: AcceleratorPlan | None = None,
    ) -> Machine:  # fmt: skip
        def address(pool: str, interface: str) -> str | None:
            found = addresses.get((name, pool, interface))
            return found.split("/")[0] if found else None

        bmc = address("management", "mgmt0") or name
        own = address("management", "mgmt1") or bmc
        port, stand_in = 443, None
        if self.stand_ins and self.ports is not None and number is not None:
            size = self.stand_ins.sizes.get(role.value, self.stand_ins.default)
            bmc = own = LOOPBACK
            port = self.ports.bmc(number)
            stand_in = StandIn(
                size.vcpus, int(size.memory // _MIB), int(size.disk // _GIB), self.ports.ssh(number),
                self.stand_ins.start,
            )  # fmt: skip
        entry = catalog.platform(platform) if role is Role.TRAY else None
        shown = entry.redfish if entry is not None and not self.stand_ins else None
        return Machine(
            name=name,
            role=role,
            site=self.site.name,
            pod=pod,
            su=su,
            rack=rack,
            unit=unit,
            slot=slot,
            platform=platform,
            uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"gigasite:{self.site.name}/{name}")),
            bmc=Bmc(
                bmc,
                port,
                name if self.stand_ins else f"bmc-{role.value}",
                shown.system if shown else None,
                shown.accelerators if shown else None,
            ),
            management_address=own,
            loopback=address("loopback", "lo"),
            nics=nics,
            accelerators=entry.node.accelerators if entry is not None else 0,
            stand_in=stand_in,
            accelerator=accelerator,
        )
