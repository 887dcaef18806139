"""Interfaces of drivers: Redfish, libvirt, or a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Power(StrEnum):
    """Power of a machine, as declared and as observed."""

    ON = "on"
    OFF = "off"


class BootDevice(StrEnum):
    """Where a machine boots from once, at its next power-on (Redfish BootSourceOverrideTarget)."""

    DISK = "disk"
    NETWORK = "network"
    HTTP = "http"
    CD = "cd"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to talk to.

    Attributes:
        name: its name in the plan, for messages.
        address, port: its management controller.
        credential: name of the credential, never the secret.
        uuid: the SMBIOS UUID it must have; None to take whatever answers.
        system: id of its ComputerSystem where the controller shows more than one; None if it does not.
        accelerators_at: id of the ComputerSystem that lists its accelerators; None for its own.
        limit: longest time to wait for the controller, and for a power change, in seconds.
        count_accelerators: whether to list its processors too, which costs a request for each.
    """

    name: str
    address: str
    port: int
    credential: str
    uuid: str | None = None
    system: str | None = None
    accelerators_at: str | None = None
    limit: float = 120.0
    count_accelerators: bool = False

    @property
    def url(self) -> str:
        """Base URL of the Redfish service."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a machine reports about itself.

    Attributes:
        serial, model, manufacturer, bios: as the controller reports them; None if it does not.
        uuid: SMBIOS UUID, lower-case.
        power_state: observed power.
        accelerators: accelerators that it lists; None if it lists none at all, which proves nothing.
    """

    serial: str | None
    uuid: str | None
    power_state: Power
    model: str | None
    manufacturer: str | None
    bios: str | None
    accelerators: int | None


class MachineDriver(Protocol):
    """A way to a machine's management controller.

    Every method raises `infra.errors.UserError` with the machine's name in it, and is safe to repeat.
    """

    simulated: bool

    async def inspect(self, target: Target) -> Facts:
        """Read the machine's facts; changes nothing."""
        ...

    async def power(self, target: Target, state: Power, *, graceful: bool = True) -> Facts:
        """Bring the machine to a power state and wait until it is there; nothing if it is already.

        Args:
            target: the machine.
            state: the power wanted.
            graceful: ask its operating system to shut down first; it is forced when its time is over.
        """
        ...

    async def set_boot_override(self, target: Target, device: BootDevice) -> None:
        """Boot from a device at the next power-on, once."""
        ...


class FacilityDriver(Protocol):
    """A way to what is not a computer: grid connection, feeds, coolant distribution units.

    Every method raises `infra.errors.UserError` with the device's name in it, and is safe to repeat.
    """

    simulated: bool

    async def apply(self, kind: str, name: str, wanted: Mapping[str, Any]) -> DeviceFacts:
        """Bring a device to what is declared (plain values); makes it known if it is not."""
        ...

    async def read(self, kind: str, name: str) -> DeviceFacts | None:
        """Read the device; None if it is not known."""
        ...

    async def remove(self, kind: str, name: str) -> None:
        """Take the device out of service; nothing if it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Facts that a facility device reports about itself: its serial and the settings in force."""

    serial: str
    settings: Mapping[str, Any]
