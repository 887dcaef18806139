"""From a machine of the plan to what a resource takes, with a stand-in under it where the plan says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.resources.compute import TrayArgs
from infra.components.resources.machines import BmcArgs, ServerArgs
from infra.components.resources.network import SwitchArgs
from infra.components.resources.standin import AcceleratorsArgs, EmulatorArgs, NicArgs, StandIn, StandInArgs
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.plan.tables.machines import Machine

SSH_PORT = 22
_MIB = 1 << 20


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
        start=sizes.start,
        bmc=EmulatorArgs(port=machine.bmc.port, credential=machine.bmc.credential),
        nics=[
            NicArgs(name=nic.name, mac=nic.mac, local=nic.udp[0], remote=nic.udp[1])
            for nic in machine.nics
            if nic.udp is not None
        ],
        accelerators=_accelerators(machine),
    )
    # Old and new have one name, UUID and ports. The provider's diff says so, but `--replace` asks for none.
    options = pulumi.ResourceOptions(parent=parent, delete_before_replace=True)
    return StandIn(machine.name, args, options)


def _accelerators(machine: Machine) -> AcceleratorsArgs | None:
    """The accelerators of its platform, where a stand-in can emulate them: by NVML alone."""
    if not machine.accelerators:
        return None
    node = catalog.platform(machine.platform).node
    each = node.accelerator
    if each is None or each.interface != "nvml":
        return None
    return AcceleratorsArgs(
        count=machine.accelerators,
        model=each.model,
        memory_mib=int(each.memory // _MIB),
        power_w=round(each.power),
        slowdown_c=round(each.slowdown),
        clock_mhz=each.clock_mhz,
        memory_clock_mhz=each.memory_clock_mhz,
        links=each.links,
        link_mbps=round((each.link_speed or 0.0) * 1000 / 8),
        link_version=each.link_version,
        domain=f"{machine.site} {machine.rack}" if each.link_domain == "rack" and each.links else "",
        sockets=node.cpus,
    )


def _common(machine: Machine, under: StandIn | None) -> dict[str, Any]:
    bmc = machine.bmc
    found: dict[str, Any] = {
        "platform": machine.platform,
        "bmc": BmcArgs(
            address=bmc.address,
            port=bmc.port,
            credential=bmc.credential,
            system=bmc.system,
            accelerators_at=bmc.accelerators_at,
        ),
        "accelerators": machine.accelerators,
    }
    if machine.stand_in is not None:
        # Hardware has its maker's UUID, which nobody can plan.
        found["uuid"] = machine.uuid
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


def switch_args(
    machine: Machine, under: StandIn | None, configuration: Mapping[str, str] | None
) -> SwitchArgs:
    """A switch, with its configuration where a driver puts that in place."""
    return SwitchArgs(name=machine.name, configuration=configuration or None, **_common(machine, under))


class Records:
    """Entries of the stack's output `machines`, gathered from the outputs of many resources.

    `Output.all` would turn every value inside of what it is given into an output of its own, which takes
    seconds for the thousands of machines of a pod. So each resource's output puts its entries here, and only
    its name goes on.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}
        self._parts = [self._found]
        self._pending: list[pulumi.Output[str]] = []

    def add_one(self, machine: Machine, under: StandIn | None, found: pulumi.Output[Any]) -> None:
        """Note the single machine of a resource; `found` is its output record."""
        self.add({machine.name: (machine, under)}, found, lambda seen: {machine.name: seen})

    def add(
        self,
        machines: Mapping[str, tuple[Machine, StandIn | None]],
        found: pulumi.Output[Any],
        pick: Callable[[Any], Mapping[str, Mapping[str, str]]],
    ) -> None:
        """Note the machines of one resource.

        Args:
            machines: host name → machine of the plan and its stand-in, if it has one.
            found: an output of the resource.
            pick: host name → output record, from that output's value.
        """

        def note(seen: Any, started: Mapping[str, str]) -> str:
            records = pick(seen or {})
            for name, (machine, _) in machines.items():
                self._found[name] = _entry(machine, records.get(name) or {}, started.get(name))
            return next(iter(machines), "")

        starts = {name: under.started for name, (_, under) in machines.items() if under is not None}
        if starts:
            self._pending.append(
                pulumi.Output.all(found=found, **starts).apply(
                    lambda values: note(values["found"], {name: values[name] for name in starts})
                )
            )
        else:
            self._pending.append(found.apply(lambda seen: note(seen, {})))

    def include(self, others: Records) -> None:
        """Have another component's entries among these."""
        self._pending += others._pending
        self._parts += others._parts

    @property
    def output(self) -> pulumi.Output[dict[str, dict[str, Any]]]:
        """Host name → entry, of all machines; see `_entry`."""

        def gather(_names: object) -> dict[str, dict[str, Any]]:
            return {name: entry for part in self._parts for name, entry in sorted(part.items())}

        return pulumi.Output.all(*self._pending).apply(gather)


def _entry(machine: Machine, seen: Mapping[str, str], started: str | None) -> dict[str, Any]:
    """`{role, serial, uuid, model, power_state, bmc, ssh: {address, port}, started}`.

    `started` is `fast` or `boot` for a stand-in, `simulated` where no machine is, and `real` otherwise.
    """
    return {
        "role": str(machine.role),
        "serial": seen.get("serial"),
        "uuid": seen.get("uuid"),
        "model": seen.get("model"),
        "power_state": seen.get("power_state"),
        "bmc": seen.get("bmc_url"),
        "ssh": {
            "address": machine.management_address,
            "port": SSH_PORT if machine.stand_in is None else machine.stand_in.ssh_port,
        },
        "started": started or ("simulated" if seen.get("driver") == "simulated" else "real"),
    }
