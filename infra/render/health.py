"""Floors that a compute node must reach to take jobs, from its platform's data and the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.machines import AcceleratorPlan, Machine
    from infra.spec.hardware import Platform

_MIB = 2**20
_MBIT = 1000


@dataclass(frozen=True, slots=True)
class AcceleratorHealth:
    """Floors of a node's accelerators.

    Attributes:
        interface: how they are read, an entry of the catalog.
        count: how many answer.
        memory_mib: least memory of each.
        power_w: highest power limit of each.
        links: NVLinks of each.
        domain: whose accelerators the links join: `node` or `rack`.
        driver: least version, or None.
        clock_share: least part of the highest clock, without a reason for less.
        xids: errors that call for a reset or a repair, by number.
    """

    interface: str
    count: int
    memory_mib: int
    power_w: float
    links: int
    domain: str
    driver: str | None
    clock_share: float
    xids: dict[int, str]


@dataclass(frozen=True, slots=True)
class HealthyLink:
    """A data interface with a cable; `mbit` is None where its speed says nothing, as on stand-ins."""

    name: str
    mtu: int
    mbit: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """Values that the health check of a node compares it with.

    Attributes:
        accelerators: None without any, or where the platform's data says nothing of them.
        memory_mib: least memory that the kernel has.
        disk_free: least part of the system disk that is free.
        time_s: how far its clock may be off.
        power_w: watts that the node is planned with.
        liquid_w: of these, what liquid takes away.
        links: data interfaces with a planned cable.
    """

    accelerators: AcceleratorHealth | None
    memory_mib: int
    disk_free: float
    time_s: float
    power_w: float
    liquid_w: float
    links: tuple[HealthyLink, ...]


def health_of(machine: Machine, mtu: int) -> Health:
    """Return what a tray must have to take jobs.

    Args:
        machine: the tray.
        mtu: bytes, of its data interfaces.
    """
    platform = catalog.platform(machine.platform)
    floors, node, stand_in = platform.health, platform.node, machine.stand_in
    memory_mib = stand_in.memory_mib if stand_in else node.memory / _MIB
    return Health(
        accelerators=_accelerators(platform, machine.accelerator),
        memory_mib=int(floors.memory * memory_mib),
        disk_free=floors.disk_free,
        time_s=floors.time,
        power_w=node.power.total,
        liquid_w=node.power.total * platform.rack.liquid_share,
        links=tuple(
            HealthyLink(nic.name, mtu, None if stand_in else nic.gbit * _MBIT)
            for nic in machine.nics
            if nic.peer
        ),
    )


def _accelerators(platform: Platform, given: AcceleratorPlan | None) -> AcceleratorHealth | None:
    each, floors = platform.node.accelerator, platform.health
    if each is None or not platform.node.accelerators:
        return None
    return AcceleratorHealth(
        interface=each.interface,
        count=platform.node.accelerators,
        memory_mib=int(floors.accelerator_memory * each.memory / _MIB),
        power_w=given.power_w if given else each.power,
        links=each.links,
        domain=each.link_domain,
        driver=(given.driver if given else None) or each.driver,
        clock_share=floors.clock,
        xids=dict(catalog.interface(each.interface).xids),
    )
