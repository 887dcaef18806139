"""Stand-ins through libvirt: the lab's own verbs, called off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.lab.machines import MachineSpec
    from infra.provider.resources.standin_inputs import StandInInputs


@dataclass(frozen=True, slots=True)
class StandInFacts:
    """A stand-in as it is.

    Attributes:
        definition: changes when the machine is defined from other things, or made anew.
        started: how it came up, or, while it is off, how it will the first time: `fast` or `boot`.
        bmc_running: whether its controller's process runs.
        fault: why it cannot start as it is; None if nothing is known.
    """

    definition: str
    started: str
    bmc_running: bool
    fault: str | None = None


def current_image() -> str:
    """The hash of everything that stand-ins' disks are made from now."""
    from infra.lab.image import image_key  # noqa: PLC0415 (only stand-ins need the lab)

    return image_key()


async def define(site: str, inputs: StandInInputs, *, anew: bool = False) -> StandInFacts:
    """Define a stand-in powered off, or adopt the one that we defined before; start its controller.

    Args:
        site: whose it is.
        inputs: what is declared.
        anew: cut the power of one that runs, so that it comes up as it is defined now.

    Raises:
        infra.errors.UserError: a port is taken, the name or UUID is another's, or the image cannot be built.
    """
    return await asyncio.to_thread(_define, site, inputs, anew)


async def look(site: str, inputs: StandInInputs) -> StandInFacts | None:
    """The stand-in as it is; None if it is not defined."""
    return await asyncio.to_thread(_look, site, inputs)


async def remove(site: str, inputs: StandInInputs) -> None:
    """Remove the stand-in, its disk and its controller; nothing if they are gone.

    Raises:
        infra.errors.UserError: a machine of that name is not ours.
    """
    await asyncio.to_thread(_remove, site, inputs)


def _spec(site: str, inputs: StandInInputs) -> MachineSpec:
    from infra.lab.accelerator.inventory import Accelerators  # noqa: PLC0415
    from infra.lab.machines import Cable, MachineSpec, Start  # noqa: PLC0415

    return MachineSpec(
        name=inputs.name,
        uuid=inputs.uuid,
        vcpus=inputs.vcpus,
        memory_mib=inputs.memory_mib,
        disk_gib=inputs.disk_gib,
        ssh_port=inputs.ssh_port,
        nics=tuple(Cable(nic.name, nic.mac, nic.local, nic.remote) for nic in inputs.nics),
        accelerators=Accelerators(**inputs.accelerators.plain()) if inputs.accelerators else None,
        state_dir=paths.state(site),
        owner=site,
        start=Start(str(inputs.start)),
    )


def _define(site: str, inputs: StandInInputs, anew: bool) -> StandInFacts:  # noqa: FBT001 (for to_thread)
    from infra.lab import bmc, image, machines  # noqa: PLC0415

    spec = _spec(site, inputs)
    if (fault := _fault(spec)) is not None:
        raise UserError(fault, where=spec.name, hint=f"make it anew: `gigasite replace {spec.name}`")
    made = machines.define(spec, image.ensure_image())
    if anew and made.power is machines.Power.ON:
        _cut_power(spec)
    bmc.ensure_bmc(spec.state_dir, spec.name, spec.uuid, inputs.bmc.port)
    return StandInFacts(_definition(spec, inputs), str(spec.start), bmc_running=True)


def _definition(spec: MachineSpec, inputs: StandInInputs) -> str:
    """Read the definition that the machine was made from, and its number among those of that definition."""
    declared = {name: value for name, value in inputs.plain().items() if name != "bmc"}
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
    return f"{digest[:12]}-{_birth(spec)}"


def _birth(spec: MachineSpec) -> str:
    """Tells this machine from one of the same definition that was removed before; it goes with the folder."""
    file = spec.folder / "birth"
    try:
        return file.read_text()
    except FileNotFoundError:
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(secrets.token_hex(4))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)  # whoever comes first wins
        fresh.unlink()
        return file.read_text()


def _cut_power(spec: MachineSpec) -> None:
    import libvirt  # noqa: PLC0415

    from infra.lab import session  # noqa: PLC0415

    domain = session.connect().lookupByName(spec.domain_name)
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:  # it went off by itself
            raise


def _look(site: str, inputs: StandInInputs) -> StandInFacts | None:
    from infra.lab import bmc, machines  # noqa: PLC0415

    spec = _spec(site, inputs)
    found = machines.status(spec.state_dir, spec.name)
    if found is None:
        return None
    how = machines.last_start(spec.state_dir, spec.name) or spec.start
    running = bmc.bmc_process(spec.state_dir, spec.name) is not None
    return StandInFacts(_definition(spec, inputs), str(how), bmc_running=running, fault=_fault(spec))


def _fault(spec: MachineSpec) -> str | None:
    """Describe the damage of the disk of a machine that is off."""
    from infra.lab import disks, machines  # noqa: PLC0415

    found = machines.status(spec.state_dir, spec.name)
    if found is not None and found.power is machines.Power.ON:
        return None  # it is in use: only its own system can tell
    why = disks.damage(spec.folder)
    return None if why is None else f"its disk {spec.folder / 'disk.qcow2'} is damaged: {why}"


def _remove(site: str, inputs: StandInInputs) -> None:
    from infra.lab import bmc, machines  # noqa: PLC0415

    spec = _spec(site, inputs)
    bmc.remove_bmc(spec.state_dir, spec.name)
    machines.undefine(spec.state_dir, spec.name, spec.owner)
