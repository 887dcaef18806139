"""The package's module `standin`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.components.arguments import properties


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorArgs:
    """The emulated management controller.

    Attributes:
        port: TCP port on 127.0.0.1.
        credential: name of the credential that it accepts.
    """

    port: pulumi.Input[int]
    credential: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NicArgs:
    """A data interface whose cable is a pair of UDP ports on 127.0.0.1.

    Attributes:
        name: name of the interface in the operating system.
        mac: MAC address.
        local: UDP port of this end.
        remote: UDP port of the other end.
    """

    name: pulumi.Input[str]
    mac: pulumi.Input[str]
    local: pulumi.Input[int]
    remote: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorsArgs:
    """Equal accelerators, emulated by a library with NVML's public names.

    Attributes:
        count: how many.
        model: name that each tells.
        memory_mib: memory of each in MiB.
        power_w: power limit of each in watts.
        slowdown_c: temperature in °C from which each slows itself down.
        clock_mhz: highest clock in MHz.
        memory_clock_mhz: memory clock in MHz.
        links: NVLinks of each.
        link_mbps: speed of a link in one direction in MB/s.
        link_version: NVLink generation.
        domain: NVLink domain shared with other machines; empty: none.
        sockets: processors that share them evenly.
    """

    count: pulumi.Input[int]
    model: pulumi.Input[str]
    memory_mib: pulumi.Input[int]
    power_w: pulumi.Input[int]
    slowdown_c: pulumi.Input[int]
    clock_mhz: pulumi.Input[int]
    memory_clock_mhz: pulumi.Input[int]
    links: pulumi.Input[int] | None = None
    link_mbps: pulumi.Input[int] | None = None
    link_version: pulumi.Input[int] | None = None
    domain: pulumi.Input[str] | None = None
    sockets: pulumi.Input[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInArgs:
    """Declared inputs of one stand-in.

    Attributes:
        name: host name; a change replaces the resource.
        uuid: SMBIOS UUID, also the domain's; a change replaces the resource.
        vcpus: virtual processors.
        memory_mib: memory in MiB.
        disk_gib: size of the disk in GiB; it is an overlay on the image; a change replaces the resource.
        ssh_port: port on 127.0.0.1 that leads to its ssh.
        bmc: its emulated management controller.
        nics: data interfaces in order.
        accelerators: its emulated accelerators.
        start: how it comes up the first time: from a template's saved memory, or by a real boot (fast, boot);
            a change replaces the resource.
        image: the image on its disk; found out when not given; a change replaces the resource.
    """

    name: pulumi.Input[str]
    uuid: pulumi.Input[str]
    vcpus: pulumi.Input[int]
    memory_mib: pulumi.Input[int]
    disk_gib: pulumi.Input[int]
    ssh_port: pulumi.Input[int]
    bmc: EmulatorArgs
    nics: Sequence[NicArgs] | None = None
    accelerators: AcceleratorsArgs | None = None
    start: pulumi.Input[str] | None = None
    image: pulumi.Input[str] | None = None


class StandIn(pulumi.CustomResource):
    """A virtual machine with an emulated management controller, in place of a computer.

    It is made powered off; what stands for the computer itself powers it on by Redfish.

    Attributes:
        definition: changes when the machine was defined anew, so that it must be converged again.
        bmc_url: base URL of its Redfish service.
        ssh: where its ssh is reached from this host: address, port.
        started: how it came up, or, while it is off, how it will the first time: `fast` or `boot`.
        bmc_running: whether the controller's process runs.
        simulated: always false: it is a virtual machine.
    """

    definition: pulumi.Output[str]
    bmc_url: pulumi.Output[str]
    ssh: pulumi.Output[dict[str, Any]]
    started: pulumi.Output[str]
    bmc_running: pulumi.Output[bool]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: StandInArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["definition", "bmc_url", "ssh", "started", "bmc_running", "simulated"])
        super().__init__("gigasite:standin:Machine", name, {**properties(args), **outputs}, opts)
