"""Specification of a stand-in: plain values, no plan."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from infra.lab.accelerator.inventory import Accelerators


class Start(StrEnum):
    """How a stand-in comes up the first time that it gets power."""

    FAST = "fast"
    """From the saved memory of a template that booted before; later starts are boots.

    Firmware's tables were read before the copy became a machine of its own: until its next boot the guest
    shows the template's SMBIOS serial number and UUID. Its BMC always tells the machine's own.
    """
    BOOT = "boot"
    """The kernel boots, as on real hardware."""


@dataclass(frozen=True, slots=True)
class Cable:
    """One data interface and the UDP ports on 127.0.0.1 that its cable runs through.

    Attributes:
        name: interface name in the guest.
        mac: lower case with colons.
        udp_local: port that this end receives on.
        udp_remote: port that the other end receives on.
    """

    name: str
    mac: str
    udp_local: int
    udp_remote: int


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """One stand-in.

    Attributes:
        name: host name, unique in the site.
        uuid: SMBIOS UUID, unique on this computer.
        vcpus: 1 unless hardware acceleration works: more make emulation slower.
        memory_mib: guest memory in MiB.
        disk_gib: disk size in GiB, at least the image's.
        ssh_port: port on 127.0.0.1 that leads to the guest's port 22.
        nics: data interfaces in order, at most 24.
        state_dir: the site's local state; machines of one state directory belong together.
        owner: who it belongs to, for example `lab`; kept in the domain and asked before it is removed.
        start: how it comes up the first time.
        accelerators: those that its libnvidia-ml.so.1 shows, or None.
    """

    name: str
    uuid: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    ssh_port: int
    nics: tuple[Cable, ...]
    state_dir: Path
    owner: str
    start: Start = Start.FAST
    accelerators: Accelerators | None = None

    @property
    def folder(self) -> Path:
        """The machine's own folder in the site's state."""
        return self.state_dir / "machines" / self.name

    @property
    def owner_id(self) -> str:
        """Whose it is: this state directory of this checkout, and the owner's name."""
        return owner_id(self.state_dir, self.owner)

    @property
    def domain_name(self) -> str:
        """The domain's name: two checkouts may stand in for the same site on one computer."""
        return domain_name(self.state_dir, self.name)


def owner_id(state_dir: Path, owner: str) -> str:
    """The mark in a domain's metadata that says whose it is."""
    return f"{owner}@{state_dir.resolve()}"


def domain_name(state_dir: Path, name: str) -> str:
    """The libvirt domain of a machine: `gigasite-XXXXXXXX-NAME`, the X from the state directory's path."""
    digest = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:8]
    return f"gigasite-{digest}-{name}"
