"""Accelerators of a stand-in: the state file that its libnvidia-ml.so.1 reads."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

PATH = "/etc/gigasite/accelerators"
"""On the stand-in; its seed brings it."""
DRIVER = "550.163.01"
"""Debian 13's driver, whose interface the library serves."""
CUDA = 12040
"""What that driver says of CUDA: 12.4."""
_IDLE_SHARE = 8
_COOL_C = 35


@dataclass(frozen=True, slots=True)
class Accelerators:
    """The equal accelerators of one machine.

    Attributes:
        count: how many.
        model: the name that each tells.
        memory_mib: of each.
        power_w: the limit that each is shipped with.
        slowdown_c: temperature in °C from which it slows itself down.
        clock_mhz: highest clock of its processors.
        memory_clock_mhz: clock of its memory.
        links: NVLinks of each, all to switches.
        link_mbps: one link's speed in one direction, MB/s.
        link_version: NVLink generation.
        domain: name of the NVLink domain that they share with other machines; empty if with none.
        sockets: processors of the machine, which share the accelerators evenly.
    """

    count: int
    model: str
    memory_mib: int
    power_w: int
    slowdown_c: int
    clock_mhz: int
    memory_clock_mhz: int
    links: int = 0
    link_mbps: int = 0
    link_version: int = 0
    domain: str = ""
    sockets: int = 1


def accelerator_uuid(machine_uuid: str, index: int) -> str:
    """An accelerator's UUID, a function of its machine's: `GPU-…`."""
    return f"GPU-{uuid.uuid5(uuid.UUID(machine_uuid), f'accelerator {index}')}"


def pci_address(index: int) -> str:
    """An accelerator's PCI address: on a bus of its own, as where each has its own root port."""
    return f"{0:08X}:{0x08 * (index + 1):02X}:00.0"


def domain_uuid(domain: str) -> str:
    """An NVLink domain's UUID, a function of its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"gigasite NVLink domain {domain}"))


def inventory_text(accelerators: Accelerators, machine_uuid: str, vcpus: int) -> str:
    """The state file: `driver V`, `cuda N` and `gpu INDEX KEY VALUE`, one to a line.

    Args:
        accelerators: what the machine has.
        machine_uuid: its SMBIOS UUID.
        vcpus: its processors; those of a socket, as far as there are enough, are near its accelerators.
    """
    lines = [f"driver {DRIVER}", f"cuda {CUDA}"]
    for index in range(accelerators.count):
        socket = index * accelerators.sockets // accelerators.count
        known: dict[str, object] = {
            "name": accelerators.model,
            "uuid": accelerator_uuid(machine_uuid, index),
            "serial": f"{uuid.UUID(machine_uuid).int % 10**9:09d}{index:04d}",
            "pci": pci_address(index),
            "numa": socket,
            "cpus": _cpus(socket, accelerators.sockets, vcpus),
            "memory_mib": accelerators.memory_mib,
            "power_limit_mw": accelerators.power_w * 1000,
            "power_mw": accelerators.power_w * 1000 // _IDLE_SHARE,
            "clock_mhz": accelerators.clock_mhz,
            "memory_clock_mhz": accelerators.memory_clock_mhz,
            "temperature_c": _COOL_C,
            "slowdown_c": accelerators.slowdown_c,
            "nvlinks": accelerators.links,
            "nvlink_mbps": accelerators.link_mbps,
            "nvlink_version": accelerators.link_version,
        }
        if accelerators.domain:
            known |= {"domain": domain_uuid(accelerators.domain), "clique": 1}
        lines += [f"gpu {index} {key} {value}" for key, value in known.items()]
    return "".join(f"{line}\n" for line in lines)


def _cpus(socket: int, sockets: int, vcpus: int) -> str:
    """Processors near a socket as a list; all where a virtual machine has fewer than its platform."""
    each = vcpus // sockets
    first, last = (socket * each, (socket + 1) * each - 1) if each else (0, vcpus - 1)
    return str(first) if first == last else f"{first}-{last}"
