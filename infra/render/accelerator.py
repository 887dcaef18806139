"""Facts of a tray's accelerators for the role `accelerator`: from the platform's data and the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.machines import Machine
    from infra.spec.hardware import Accelerator


@dataclass(frozen=True, slots=True)
class AcceleratorFacts:
    """Accelerators of a tray.

    Attributes:
        count: how many.
        power_w: limit of each, whole watts.
        driver: version that each must tell, or None.
        pin: version pattern of the driver's packages (apt_preferences(5)); None where any will do, and on
            stand-ins, which have no driver.
        domain: addresses of the trays of its NVLink domain, for IMEX; empty without one.
        fabric_manager: whether it sets up NVSwitches of its own.
        hardware: whether it has a driver: stand-ins have none.
    """

    count: int
    power_w: int
    driver: str | None
    pin: str | None
    domain: tuple[str, ...]
    fabric_manager: bool
    hardware: bool


def accelerator_facts(machine: Machine) -> AcceleratorFacts | None:
    """Facts of a tray's accelerators; None where the plan gives it none."""
    each, given = catalog.platform(machine.platform).node.accelerator, machine.accelerator
    if each is None or given is None:
        return None
    hardware = machine.stand_in is None
    return AcceleratorFacts(
        count=machine.accelerators,
        power_w=given.power_w,
        driver=given.driver,
        pin=_pin(each, given.driver) if hardware else None,
        domain=given.domain if each.interface == "nvml" else (),
        fabric_manager=each.fabric_manager and hardware,
        hardware=hardware,
    )


def _pin(each: Accelerator, driver: str | None) -> str | None:
    """The declared version, else the one branch that the firmware set goes with."""
    if driver:
        return f"{driver}-*"
    return f"{each.branches[0]}.*" if len(each.branches) == 1 else None
