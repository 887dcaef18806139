"""The plan's tables the other way: one object for each row, worked out in loops.

It is what the columns are measured against (`gigasite bench plan`) and checked against (a test compares both,
row by row). It knows sites without exceptions and without servers on their fabrics; the columns know all.
"""

from __future__ import annotations

import ipaddress
from dataclasses import make_dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, create_model

from infra.plan.tables import addressing
from infra.plan.tables.counts import step_name
from infra.spec import catalog, hosts, seats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.plan.tables.geometry import Geometry
    from infra.spec.tiers import ResolvedTier

FIELDS: dict[str, dict[str, Any]] = {
    "nodes": {
        "name": str,
        "pod": str,
        "su": str,
        "rack": str,
        "slot": int,
        "unit": int,
        "platform": str,
        "accelerators": int,
    },
    "nics": {"node": str, "interface": str, "fabric": str, "rail": int, "gbit": float, "pod": str},
    "switches": {
        "name": str,
        "fabric": str,
        "tier": str,
        "model": str,
        "pod": str,
        "plane": int,
        "set": int,
        "ports": int,
        "watts": float,
    },
    "links": {
        "fabric": str,
        "tier": str,
        "pod": str,
        "plane": int,
        "gbit": float,
        "a": str,
        "a_port": str,
        "z": str,
        "z_port": str,
    },
    "ports": {"switch": str, "port": str, "fabric": str, "pod": str, "peer": str, "peer_port": str},
    "addresses": {"pool": str, "owner": str, "interface": str, "address": str, "pod": str},
}
"""Columns of each table that are worked out here, with their types."""

Makers = dict[str, "Callable[..., Any]"]


@cache
def dataclasses() -> Makers:
    """A frozen dataclass with slots for each table."""
    return {
        name: make_dataclass(name, fields.items(), frozen=True, slots=True) for name, fields in FIELDS.items()
    }


@cache
def models() -> Makers:
    """A frozen pydantic model for each table."""
    made: Makers = {}
    for name, fields in FIELDS.items():
        typed: dict[str, Any] = {key: (kind, ...) for key, kind in fields.items()}
        made[name] = create_model(name, __config__=ConfigDict(frozen=True), **typed)
    return made


class Expansion:
    """All rows of some pods.

    Attributes:
        rows: by table.
    """

    def __init__(self, geometry: Geometry, pods: range, makers: Makers) -> None:
        self.geometry, self.make = geometry, makers
        self.rows: dict[str, list[Any]] = {name: [] for name in FIELDS}
        self.pools = addressing.pools(geometry)
        self.room = seats.switch_room(geometry.site)
        for pod in pods:
            self._pod(pod)

    def _add(self, table: str, **values: Any) -> None:
        self.rows[table].append(self.make[table](**values))

    def _address(self, pool: str, pod: int, offset: int, owner: str, interface: str) -> None:
        known = self.pools.get(pool)
        if known:
            number = known.base + ((pod + 1) << known.shift) + offset
            kind = ipaddress.IPv4Address if known.bits == 32 else ipaddress.IPv6Address
            text = f"{kind(number)}/{known.length}"
            self._add(
                "addresses", pool=pool, owner=owner, interface=interface, address=text, pod=pod_name(pod)
            )

    def _pod(self, pod: int) -> None:
        geometry = self.geometry
        offset = 0
        for own in geometry.tiers.values():
            for tier in own:
                for name, plane, index in self._switches(tier, pod):
                    if tier.per not in {"rack", "scalable-unit", "pod"}:
                        continue
                    self._add(
                        "switches",
                        name=name,
                        fabric=tier.fabric,
                        tier=tier.name,
                        model=tier.model.name,
                        pod=pod_name(pod),
                        plane=plane,
                        set=index,
                        ports=tier.all_ports,
                        watts=tier.model.power,
                    )
                    self._address("loopback", pod, offset + 1, name, "lo")
                    self._address("management", pod, offset + 2, name, "mgmt0")
                    offset += 1
        for su in range(geometry.sus):
            for rack in range(geometry.racks):
                self._rack(pod, su, rack)
        for own in geometry.tiers.values():
            for lower, upper in pairwise(own):
                if lower.per in {"rack", "scalable-unit", "pod"}:
                    self._uplinks(lower, upper, pod)

    def _switches(self, tier: ResolvedTier, pod: int) -> Iterator[tuple[str, int, int]]:
        """Name, plane and set of the tier's switches in a pod, or of all above pods."""
        for block in self._blocks(tier, pod):
            for ordinal in range(tier.per_block):
                name = f"{block}-{tier.name}-{ordinal + 1:02d}"
                yield name, ordinal // (tier.sets * tier.count), ordinal // tier.count % tier.sets

    def _blocks(self, tier: ResolvedTier, pod: int) -> list[str]:
        geometry, base = self.geometry, pod_name(pod)
        units = [f"{base}-su-{su + 1:02d}" for su in range(geometry.sus)]
        if tier.per == "rack":
            return [f"{unit}-rack-{rack + 1:02d}" for unit in units for rack in range(geometry.racks)]
        if tier.per in {"scalable-unit", "pod"}:
            return units if tier.per == "scalable-unit" else [base]
        if tier.per == "site":
            return [geometry.site.name]
        return [f"{tier.per}-{pod // geometry.blocks_per(tier.per) + 1:02d}"]

    def _rack(self, pod: int, su: int, rack: int) -> None:
        geometry, unit = self.geometry, self.geometry.unit
        form = geometry.forms[geometry.default_form(rack)]
        row = f"{pod_name(pod)}-su-{su + 1:02d}"
        rack_name = f"{row}-rack-{rack + 1:02d}"
        first = (su * geometry.racks + rack) * unit.stride
        width = hosts.management_width(form)
        position = form.capacity * width
        for slot in form.slots:
            node = catalog.platform(slot.platform).node
            name = f"{rack_name}-tray-{slot.number:02d}"
            self._add(
                "nodes",
                name=name,
                pod=pod_name(pod),
                su=row,
                rack=rack_name,
                slot=slot.number,
                unit=slot.unit,
                platform=slot.platform,
                accelerators=node.accelerators,
            )
            at = first + slot.number - 1
            self._address("loopback", pod, at + self.room, name, "lo")
            port = 0
            seen: dict[str, int] = {}
            for group in node.nics:
                for index in range(group.count):
                    nic = seen.get(group.fabric, 0)
                    seen[group.fabric] = nic + 1
                    self._nic(
                        (pod, su, rack, at, slot.number - 1),
                        name,
                        group.fabric,
                        f"{group.name}{index}",
                        nic,
                        group.speed,
                    )
                    self._address("link", pod, (at * unit.nics + port) * 2 + 1, name, f"{group.name}{index}")
                    port += 1
            for index in range(node.management_ports):
                self._management((pod, su, rack), name, f"mgmt{index}", (slot.number - 1) * width + index)
        for companion, _ in form.companions:
            for index in range(companion.count):
                for number in range(companion.management_ports):
                    name = f"{rack_name}-{companion.name}-{index + 1:02d}"
                    self._management((pod, su, rack), name, f"mgmt{number}", position)
                    position += 1

    def _nic(  # noqa: PLR0917 (one caller)
        self,
        at: tuple[int, int, int, int, int],
        node: str,
        fabric: str,
        interface: str,
        nic: int,
        gbit: float,
    ) -> None:
        pod, su, rack, position, slot = at
        known = self.geometry.tiers.get(fabric)
        rails = known[0].sets if known else 1
        self._add(
            "nics",
            node=node,
            interface=interface,
            fabric=fabric,
            rail=nic % rails,
            gbit=gbit,
            pod=pod_name(pod),
        )
        if not known:
            return
        tier, lanes = known[0], dict(self.geometry.unit.lanes)[fabric]
        inside = {
            "rack": slot,
            "scalable-unit": position - su * self.geometry.racks * self.geometry.unit.stride,
            "pod": position,
        }[tier.per]
        place = inside * lanes + nic // rails
        for plane in range(tier.planes):
            own = f"{interface}p{plane}" if tier.planes > 1 else interface
            self._host(tier, (pod, su, rack), (node, own), (place, nic % rails, plane), gbit / tier.planes)

    def _management(self, at: tuple[int, int, int], device: str, interface: str, position: int) -> None:
        pod, su, rack = at
        before = (su * self.geometry.racks + rack) * self.geometry.unit.ports
        self._address("management", pod, before + position + self.room + 2, device, interface)
        known = self.geometry.tiers.get("out-of-band")
        if known:
            inside = {
                "rack": position,
                "scalable-unit": rack * self.geometry.unit.ports + position,
                "pod": before + position,
            }[known[0].per]
            self._host(known[0], at, (device, interface), (inside, 0, 0), 1.0)

    def _host(
        self,
        tier: ResolvedTier,
        at: tuple[int, int, int],
        a: tuple[str, str],
        place: tuple[int, int, int],
        gbit: float,
    ) -> None:
        pod, su, rack = at
        position, rail, plane = place
        index, port = divmod(position, tier.down)
        if index >= tier.count:
            return
        block = {"rack": su * self.geometry.racks + rack, "scalable-unit": su, "pod": 0}[tier.per]
        base = (
            self._blocks(tier, pod)[block]
            if tier.per != "rack"
            else a[0].rpartition("-")[0].rpartition("-")[0]
        )
        ordinal = (plane * tier.sets + rail) * tier.count + index
        self._link(
            tier, pod, plane, gbit, a, (f"{base}-{tier.name}-{ordinal + 1:02d}", port_name(tier, port))
        )

    def _uplinks(self, lower: ResolvedTier, upper: ResolvedTier, pod: int) -> None:
        inside = self._blocks(lower, pod)
        spread = -(-lower.count // upper.sets)
        for index, block in enumerate(inside):
            above, position = self._above(lower, upper, pod, index)
            for ordinal in range(lower.per_block):
                plane, rest = divmod(ordinal, lower.sets * lower.count)
                own_set, own = divmod(rest, lower.count)
                if upper.by_rail:
                    target, within, each = own_set, own, lower.count
                elif upper.sets > 1:
                    target, within, each = (
                        own % upper.sets,
                        own_set * spread + own // upper.sets,
                        lower.sets * spread,
                    )
                else:
                    target, within, each = 0, rest, lower.sets * lower.count
                for u in range(lower.up):
                    port, switch = divmod((position * each + within) * lower.up + u, upper.count)
                    if port >= upper.ports:
                        continue
                    number = (plane * upper.sets + target) * upper.count + switch
                    a = f"{block}-{lower.name}-{ordinal + 1:02d}", port_name(lower, lower.down + u)
                    z = f"{above}-{upper.name}-{number + 1:02d}", port_name(upper, port)
                    self._link(upper, pod, plane, lower.model.speed / lower.breakout, a, z)

    def _above(self, lower: ResolvedTier, upper: ResolvedTier, pod: int, index: int) -> tuple[str, int]:
        """Name of the upper block around a lower one, and the lower one's position in it."""
        geometry = self.geometry
        if lower.per == upper.per:
            return self._blocks(upper, pod)[index], 0
        if upper.per == "scalable-unit":
            return self._blocks(upper, pod)[index // geometry.racks], index % geometry.racks
        count = len(self._blocks(lower, pod))
        if upper.per == "pod":
            return pod_name(pod), index
        return self._blocks(upper, pod)[0], pod % geometry.blocks_per(upper.per) * count + index

    def _link(  # noqa: PLR0917 (hosts and uplinks alike)
        self, upper: ResolvedTier, pod: int, plane: int, gbit: float, a: tuple[str, str], z: tuple[str, str]
    ) -> None:
        fabric, name = upper.fabric, pod_name(pod)
        self._add(
            "links",
            fabric=fabric,
            tier=step_name(upper.level),
            pod=name,
            plane=plane,
            gbit=gbit,
            a=a[0],
            a_port=a[1],
            z=z[0],
            z_port=z[1],
        )
        self._add("ports", switch=z[0], port=z[1], fabric=fabric, pod=name, peer=a[0], peer_port=a[1])
        if upper.level:
            self._add("ports", switch=a[0], port=a[1], fabric=fabric, pod=name, peer=z[0], peer_port=z[1])


def pod_name(pod: int) -> str:
    """Name of a pod by its index."""
    return f"pod-{pod + 1:02d}"


def port_name(tier: ResolvedTier, index: int) -> str:
    """Name of a switch's logical port."""
    number, part = divmod(index, tier.breakout)
    name = tier.model.port_name.format(number + tier.model.first_port)
    return name if tier.breakout == 1 else f"{name}s{part}"
