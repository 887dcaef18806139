"""From a machine of the plan to what a resource takes, with a stand-in under it where the plan says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.resources import (
    BmcArgs,
    EmulatorArgs,
    NicArgs,
    ServerArgs,
    StandIn,
    StandInArgs,
    TrayArgs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.machines import Machine

SSH_PORT = 22


def stand_in(machine: Machine, parent: pulumi.Resource) -> StandIn | None:
    """Declare the machine's stand-in; None on real hardware."""
    sizes = machine.stand_in
    if sizes is None:
        return None
    args = StandInArgs(
        name=machine.name,
        uuid=machine.uuid,
        vcpus=sizes.vcpus,
        memory_mib=sizes.memory_mib,
        disk_gib=sizes.disk_gib,
        ssh_port=sizes.ssh_port,
        bmc=EmulatorArgs(port=machine.bmc.port, credential=machine.bmc.credential),
        nics=[
            NicArgs(name=nic.name, mac=nic.mac, local=nic.udp[0], remote=nic.udp[1])
            for nic in machine.nics
            if nic.udp is not None
        ],
    )
    return StandIn(machine.name, args, pulumi.ResourceOptions(parent=parent))


def _common(machine: Machine, under: StandIn | None) -> dict[str, Any]:
    bmc = machine.bmc
    found: dict[str, Any] = {
        "platform": machine.platform,
        "uuid": machine.uuid,
        "bmc": BmcArgs(address=bmc.address, port=bmc.port, credential=bmc.credential),
        "accelerators": machine.accelerators,
    }
    if under is not None:
        # The stand-in is made powered off and goes away with its disk: it needs no shutting down of its own,
        # and a new definition of it must get its power again.
        found |= {"hardware": under.definition, "on_delete": "leave", "shutdown": "force", "accelerators": 0}
    return found


def tray_args(machine: Machine, under: StandIn | None) -> TrayArgs:
    """A tray of a rack."""
    if machine.slot is None:
        raise ValueError(f"{machine.name} is in no slot, so it is no tray")
    return TrayArgs(slot=machine.slot, **_common(machine, under))


def server_args(machine: Machine, under: StandIn | None) -> ServerArgs:
    """A single server or switch."""
    return ServerArgs(name=machine.name, **_common(machine, under))


def output_record(
    machine: Machine, under: StandIn | None, found: pulumi.Input[Mapping[str, str]]
) -> pulumi.Output[dict[str, Any]]:
    """A machine's entry in the stack's output `machines`.

    Args:
        machine: the machine of the plan.
        under: its stand-in, if it has one.
        found: the output record of its resource.

    Returns:
        `{role, serial, uuid, model, power_state, bmc, ssh: {address, port}, started}`; `started` is `fast` or
        `boot` for a stand-in and `real` otherwise.
    """
    address = machine.management_address
    ssh = {"address": address, "port": SSH_PORT} if under is None else under.ssh
    started = "real" if under is None else under.started

    def merge(values: dict[str, Any]) -> dict[str, Any]:
        seen = values["found"] or {}
        return {
            "role": str(machine.role),
            "serial": seen.get("serial"),
            "uuid": seen.get("uuid"),
            "model": seen.get("model"),
            "power_state": seen.get("power_state"),
            "bmc": seen.get("bmc_url"),
            "ssh": values["ssh"],
            "started": values["started"],
        }

    return pulumi.Output.all(found=found, ssh=ssh, started=started).apply(merge)
