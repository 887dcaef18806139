"""What is declared of a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infra.provider.shape import HOST_NAME, MAC, UUID, prop


def port(doc: str) -> Any:
    """A port that needs no privilege."""
    return prop(doc, minimum=1024, maximum=65535)


class Start(StrEnum):
    """How a stand-in comes up the first time."""

    FAST = "fast"
    BOOT = "boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class NicInputs:
    """A data interface whose cable is a pair of UDP ports on 127.0.0.1."""

    name: str = prop("name of the interface in the operating system")
    mac: str = prop("MAC address", pattern=MAC, like="a lower-case MAC address")
    local: int = port("UDP port of this end")
    remote: int = port("UDP port of the other end")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorInputs:
    """The emulated management controller."""

    port: int = prop("TCP port on 127.0.0.1", minimum=1024, maximum=65535)
    credential: str = prop("name of the credential that it accepts")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorsInputs:
    """Equal accelerators, emulated by a library with NVML's public names."""

    count: int = prop("how many", minimum=1, maximum=16)
    model: str = prop("name that each tells", pattern=r"^[ -~]{1,90}$", like="printable text")
    memory_mib: int = prop("memory of each in MiB", minimum=1, maximum=1 << 24)
    power_w: int = prop("power limit of each in watts", minimum=1, maximum=100_000)
    slowdown_c: int = prop("temperature in °C from which each slows itself down", minimum=10, maximum=200)
    clock_mhz: int = prop("highest clock in MHz", minimum=100, maximum=100_000)
    memory_clock_mhz: int = prop("memory clock in MHz", minimum=100, maximum=100_000)
    links: int = prop("NVLinks of each", minimum=0, maximum=32, default=0)
    link_mbps: int = prop("speed of a link in one direction in MB/s", minimum=0, default=0)
    link_version: int = prop("NVLink generation", minimum=0, maximum=99, default=0)
    domain: str = prop("NVLink domain shared with other machines; empty: none", default="")
    sockets: int = prop("processors that share them evenly", minimum=1, maximum=16, default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineInputs:
    """What is declared of one stand-in."""

    name: str = prop("host name", pattern=HOST_NAME, like="a host name", replaces=True)
    uuid: str = prop("SMBIOS UUID, also the domain's", pattern=UUID, like="a lower-case UUID", replaces=True)
    vcpus: int = prop("virtual processors", minimum=1, maximum=64)
    memory_mib: int = prop("memory in MiB", minimum=128, maximum=1 << 20)
    disk_gib: int = prop(
        "size of the disk in GiB; it is an overlay on the image", minimum=1, maximum=4096, replaces=True
    )
    ssh_port: int = port("port on 127.0.0.1 that leads to its ssh")
    bmc: EmulatorInputs = prop("its emulated management controller")
    nics: tuple[NicInputs, ...] = prop("data interfaces in order", default=())
    accelerators: AcceleratorsInputs | None = prop("its emulated accelerators", default=None)
    start: Start = prop(
        "how it comes up the first time: from a template's saved memory, or by a real boot",
        default=Start.FAST,
        replaces=True,
    )
    image: str = prop("the image on its disk; found out when not given", default="", replaces=True)
