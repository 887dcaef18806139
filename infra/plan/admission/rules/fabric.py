"""Space and ports: rack units, switch ports, ports of stand-ins on this host."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.admission.limits import Limit, form_path
from infra.plan.tables import host_ports, positions
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan
    from infra.spec.tiers import ResolvedTier


def rack_units(plan: Plan) -> Iterator[Limit]:
    """Height of a rack's contents, its switches too."""
    own = sum(tier.per_block * tier.model.height for tier in plan.geometry.every_tier if tier.per == "rack")
    for index, form in enumerate(plan.geometry.forms):
        yield Limit(
            f"rack of {form.platform}",
            "N",
            form.top - 1 + own,
            form.height,
            "U",
            form_path(plan, index),
            f"catalog: {form.platform}, rack.height",
            f"{form.height - form.top + 1} U are left for switches",
        )


def server_overlap(plan: Plan) -> Iterator[Limit]:
    """Rack units that two servers of the site, or of its first pod, would both stand in."""
    frame = plan.server_frame
    inside = frame.filter(pl.col("pod").is_null() | (pl.col("pod") == pl.col("pod").min()))
    racks: dict[str, list[tuple[int, int, str]]] = {}
    for name, platform, rack, unit in inside.select("name", "platform", "rack_name", "unit").iter_rows():
        height = catalog.platform(platform).node.height
        racks.setdefault(rack, []).append((unit, unit + height, name))
    for rack, held in racks.items():
        own = sorted(held)
        shared = [(max(below[1] - above[0], 0), below[2], above[2]) for below, above in pairwise(own)]
        most, below_name, above_name = max(shared, default=(0, own[0][2], ""))
        place = f"{rack}: {below_name} and {above_name}" if most else rack
        yield Limit(place, "N", most, 0, "U twice", "$.servers", "catalog: node.height",
                    "declare groups of one height beside each other")  # fmt: skip


def switch_ports(plan: Plan) -> Iterator[Limit]:
    """Ports that a tier uses against what its model has."""
    for path, tier in _tiers(plan):
        own = tier.model.uplinks
        if own:
            yield Limit(f"each {tier.name}", "N", tier.up, own.count, "ports that face up", path,
                        f"catalog: {tier.model.name}, uplinks",
                        f"{own.count} ports of {own.speed:g} Gbit/s face up")  # fmt: skip
        yield Limit(
            f"each {tier.name}",
            "N",
            tier.down + (0 if own else tier.up),
            tier.ports,
            "ports",
            path,
            f"catalog: {tier.model.name}, ports",
            f"{tier.ports - (0 if own else tier.up)} ports are left to face down",
        )


def down_ports(plan: Plan) -> Iterator[Limit]:
    """Cables into each switch of a tier, when dealt evenly, against its ports that face down."""
    for path, tier in _tiers(plan):
        needed = math.ceil(tier.needed * tier.count / tier.down)
        yield Limit(
            f"each {tier.name}",
            "N",
            tier.needed,
            tier.down,
            "ports that face down",
            path,
            f"catalog: {tier.model.name}, ports",
            f"{needed} instead of {tier.count} switches fit",
        )


def exception_ports(plan: Plan) -> Iterator[Limit]:
    """Blocks whose exceptions need more host ports than the rule's racks."""
    geometry = plan.geometry
    for (pod, su), _ in sorted(geometry.units(plan.scope).items()):
        for path, tier in _tiers(plan):
            if tier.level or tier.servers or pod not in tier.pods:
                continue
            yield Limit(f"pod-{pod + 1:02d}-su-{su + 1:02d}", "N", geometry.width(tier, pod, su),
                        tier.count * tier.down, "ports", path, f"{tier.count} {tier.name} on each rail",
                        "racks with fewer interfaces fit here")  # fmt: skip


def _tiers(plan: Plan) -> Iterator[tuple[str, ResolvedTier]]:
    for fabric, tiers in plan.geometry.tiers.items():
        path = f"$.fabrics.{fabric.replace('-', '_')}"
        for tier in tiers:
            yield f"{path}.tiers[{tier.level}]", tier
        for index, leaf in enumerate(plan.geometry.leaves[fabric]):
            yield f"{path}.leaves[{index}]", leaf


def stand_in_ports(plan: Plan) -> Iterator[Limit]:
    """Machines of a site of VMs against the ports laid out for them on this host."""
    stand_ins = plan.site.stand_ins
    if stand_ins and stand_ins.kind == "vm":
        needed = host_ports.HostPorts(stand_ins, plan.geometry).needed()
        yield Limit("this host", "N", needed, stand_ins.limit, "machines", "$.stand_ins.limit",
                    "ports laid out from port_base: half for trays, a quarter each for servers and switches",
                    "raise `limit`, or take pods out")  # fmt: skip
        yield from _stand_in_cables(plan)
        # 32768 is where Linux takes ports for outgoing connections from (net.ipv4.ip_local_port_range).
        last = stand_ins.port_base + host_ports.PORTS_EACH * stand_ins.limit
        yield Limit("this host", "N", last, 32768, "as the last port", "$.stand_ins.port_base",
                    "Linux: net.ipv4.ip_local_port_range", "begin lower")  # fmt: skip


def _stand_in_cables(plan: Plan) -> Iterator[Limit]:
    """Cables of one VM against the ports laid out for it."""
    platforms = {slot.platform for form in plan.geometry.forms for slot in form.slots}
    for name in sorted(platforms | {server.platform for server in plan.site.servers}):
        nics = positions.nic_frame({name}).height
        yield Limit(f"each {name}", "N", nics, host_ports.HOST_CABLES, "interfaces", "$.stand_ins",
                    "ports laid out for a tray or server", "declare lab-vm")  # fmt: skip
    for path, tier in _tiers(plan):
        if tier.kind != "out-of-band" and not tier.level:
            yield Limit(f"each {tier.name}", "N", tier.down, host_ports.SWITCH_CABLES, "ports that face down",
                        path, "QEMU: network interfaces of a q35 machine",
                        "declare frr-vm, or `down`")  # fmt: skip
