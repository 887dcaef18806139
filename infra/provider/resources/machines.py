"""Converging computers through their management controllers: shared by racks, servers and switches."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from infra.errors import UserError
from infra.provider.drivers import BootDevice, Facts, Power, Target
from infra.provider.inputs import REPLACES, HostName, InputModel, Like, Uuid
from infra.provider.properties import UNKNOWN, has_unknown
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    flag,
)
from infra.provider.validation import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.provider.differences import Change


Member = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$"), Like("a member's id")]
"""Id of a Redfish resource."""


class OnDelete(StrEnum):
    """Treatment of a machine whose resource is deleted."""

    OFF = "off"
    LEAVE = "leave"


class Shutdown(StrEnum):
    """How a machine is powered off."""

    GRACEFUL = "graceful"
    FORCE = "force"


class BmcInputs(InputModel):
    """A management controller that speaks Redfish over TLS."""

    address: Annotated[str, Like("a host name or an IP address")] = Field(
        pattern=r"^[0-9A-Za-z.:-]+$", description="host name or IP address"
    )
    port: int = Field(default=443, ge=1, le=65535, description="TCP port of the Redfish service")
    credential: Annotated[str, Like("a name of letters, digits, dots and dashes")] = Field(
        pattern=r"^[A-Za-z0-9._-]+$",
        description="name of the credential in the site's credentials.yaml, never the secret",
    )
    system: Member | None = Field(
        default=None,
        description="id of the machine's ComputerSystem, where the controller shows more than one",
        examples=["System_0"],
    )
    accelerators_at: Member | None = Field(
        default=None,
        description="id of the ComputerSystem that lists the machine's accelerators, if it is not its own",
        examples=["HGX_Baseboard_0"],
    )


class MachineInputs(InputModel):
    """Declared inputs of one computer."""

    platform: str = Field(description="name of its catalog entry")
    bmc: BmcInputs = Field(description="its management controller")
    uuid: Uuid | None = Field(default=None, description="SMBIOS UUID that it must have")
    power: Power = Field(default=Power.ON, description="power state wanted")
    accelerators: int = Field(default=0, ge=0, le=1024, description="accelerators that it must have")
    boot: BootDevice | None = Field(
        default=None, description="device to boot from once, at the power-on that follows"
    )
    hardware: str | None = Field(
        default=None,
        description="identity of what is under it (a stand-in's definition, a chassis serial): when it "
        "changes, the machine is converged anew",
    )
    on_delete: OnDelete = Field(
        default=OnDelete.OFF,
        description="`off` powers it off when the resource is deleted, `leave` does not touch it",
    )
    shutdown: Shutdown = Field(
        default=Shutdown.GRACEFUL, description="`graceful` asks its operating system first, `force` does not"
    )


RECORD = {
    "serial": Output({"type": "string"}, "serial number, as the machine reports it"),
    "uuid": Output({"type": "string"}, "SMBIOS UUID"),
    "power_state": Output({"type": "string"}, "`on`, `off`, or `unknown` when its controller did not answer"),
    "model": Output({"type": "string"}, "model, as the machine reports it"),
    "bmc_url": Output({"type": "string"}, "base URL of its Redfish service"),
    "driver": Output({"type": "string"}, "`redfish`, or `simulated` if no machine stands behind it"),
}
"""What every machine's output record holds."""


def target_of(name: str, machine: MachineInputs, limit: float) -> Target:
    """The driver's view of a declared machine; `limit` is in seconds."""
    return Target(
        name,
        machine.bmc.address,
        machine.bmc.port,
        machine.bmc.credential,
        machine.uuid,
        machine.bmc.system,
        machine.bmc.accelerators_at,
        limit,
        count_accelerators=machine.accelerators > 0,
    )


def record(runtime: Runtime, target: Target, facts: Facts | None) -> dict[str, Any]:
    """A machine's output record; without facts, what is known of a machine that did not answer."""
    known = {"bmc_url": target.url, "driver": "simulated" if runtime.machines.simulated else "redfish"}
    if facts is None:
        return {"uuid": target.uuid, "power_state": "unknown", **known}
    return {
        "serial": facts.serial,
        "uuid": facts.uuid,
        "power_state": str(facts.power_state),
        "model": facts.model,
        **known,
    }


def predict_machine(machine: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """A machine's output record as a preview can tell it from plain inputs, and the record it has now."""
    power, bmc = machine.get("power", UNKNOWN), machine.get("bmc", UNKNOWN)
    url = UNKNOWN if has_unknown(bmc) else Target("", bmc["address"], bmc["port"], "").url
    kept = old if old is not None and not has_unknown(machine.get("hardware")) else {}
    return {
        "serial": kept.get("serial", UNKNOWN),
        "uuid": machine.get("uuid", kept.get("uuid", UNKNOWN)),
        "power_state": power,
        "model": kept.get("model", UNKNOWN),
        "bmc_url": url,
        "driver": kept.get("driver", UNKNOWN),
    }


async def converge(runtime: Runtime, name: str, machine: MachineInputs, limit: float) -> dict[str, Any]:
    """Bring one machine to its declared state; its output record.

    Raises:
        UserError: with the machine's name, what is wrong and a hint.
    """
    driver, target = runtime.machines, target_of(name, machine, limit)
    if machine.boot is not None and machine.power is Power.ON:
        facts = await driver.inspect(target)
        if facts.power_state is Power.OFF:
            await driver.set_boot_override(target, machine.boot)
    facts = await driver.power(target, machine.power, graceful=machine.shutdown is Shutdown.GRACEFUL)
    if facts.accelerators is not None and facts.accelerators != machine.accelerators:
        raise UserError(
            f"{machine.accelerators} accelerators are declared, it reports {facts.accelerators}",
            where=f"{name} (BMC {target.url})",
            hint="replace the tray, or declare what it has",
        )
    return record(runtime, target, facts)


async def converge_all(
    runtime: Runtime, machines: Mapping[str, MachineInputs], limit: float
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Converge machines at the same time: (name → record, name → fault); one that fails stops no other."""
    results = await asyncio.gather(
        *(converge(runtime, name, machine, limit) for name, machine in machines.items()),
        return_exceptions=True,
    )
    records: dict[str, dict[str, Any]] = {}
    faults: dict[str, str] = {}
    for (name, machine), result in zip(machines.items(), results, strict=True):
        if isinstance(result, UserError):
            faults[name] = str(result)
            records[name] = record(runtime, target_of(name, machine, limit), None)
        elif isinstance(result, BaseException):
            raise result
        else:
            records[name] = result
    return records, faults


async def look(
    runtime: Runtime, machines: Mapping[str, MachineInputs], limit: float
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Read machines at the same time: (name → record, name → fault)."""
    targets = {name: target_of(name, machine, limit) for name, machine in machines.items()}
    results = await asyncio.gather(*map(runtime.machines.inspect, targets.values()), return_exceptions=True)
    records: dict[str, dict[str, Any]] = {}
    faults: dict[str, str] = {}
    for (name, target), result in zip(targets.items(), results, strict=True):
        if isinstance(result, UserError):
            faults[name] = str(result)
            records[name] = record(runtime, target, None)
        elif isinstance(result, BaseException):
            raise result
        else:
            records[name] = record(runtime, target, result)
    return records, faults


async def release(runtime: Runtime, machines: Mapping[str, MachineInputs], limit: float) -> None:
    """Power off the machines that are to be off when they leave the declaration.

    Raises:
        UserError: one or more did not go off; all were tried.
    """
    going = {name: machine for name, machine in machines.items() if machine.on_delete is OnDelete.OFF}
    results = await asyncio.gather(
        *(
            runtime.machines.power(
                target_of(name, machine, limit), Power.OFF, graceful=machine.shutdown is Shutdown.GRACEFUL
            )
            for name, machine in going.items()
        ),
        return_exceptions=True,
    )
    raise_all(result for result in results if isinstance(result, BaseException))


def raise_all(errors: Iterable[BaseException]) -> None:
    """Raise several errors as one; a bug among them goes first."""
    found = list(errors)
    for error in found:
        if not isinstance(error, UserError):
            raise error
    if found:
        raise UserError("\n".join(map(str, found)))


def as_seen(declared: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """Plain inputs of a machine with the power that it really has."""
    power = seen["power_state"]
    return {**declared, "power": power} if power in tuple(Power) else dict(declared)


class ServerInputs(MachineInputs):
    """Declared inputs of one server or switch."""

    name: Annotated[HostName, REPLACES] = Field(description="host name", examples=["lab-storage"])


class Server(ResourceType[ServerInputs]):
    """A single machine behind a management controller; a subclass gives it its token."""

    inputs = ServerInputs
    outputs: ClassVar[Mapping[str, Output]] = {
        "machine": Output(
            {"type": "object", "additionalProperties": {"type": "string"}},
            "what the machine says about itself: " + ", ".join(RECORD),
        ),
        "simulated": flag("true if no machine stands behind this, only a simulation"),
    }

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """All but what only the machine can say."""
        del changed
        old = (state or {}).get("machine")
        return {"machine": predict_machine(inputs, old), "simulated": (state or {}).get("simulated", UNKNOWN)}

    def identify(self, runtime: Runtime, inputs: ServerInputs) -> str:
        """`SITE/NAME`."""
        return f"{runtime.settings.site}/{inputs.name}"

    async def create(self, runtime: Runtime, inputs: ServerInputs, limit: float) -> CreateResult:
        """Converge it."""
        found = await converge(runtime, inputs.name, inputs, limit)
        return CreateResult({"machine": found, "simulated": runtime.machines.simulated})

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Look at it; a machine whose controller does not answer is not gone, it is at fault."""
        refuse_import(resource_id, state)
        declared = build(ServerInputs, state)
        records, faults = await look(runtime, {declared.name: declared}, limit)
        seen = records[declared.name]
        return ReadResult(
            as_seen(declared.plain(), seen),
            {"machine": seen, "simulated": runtime.machines.simulated},
            tuple(faults.values()),
        )

    async def delete(
        self, runtime: Runtime, inputs: ServerInputs, state: Mapping[str, Any], limit: float
    ) -> None:
        """Power it off if that is declared."""
        del state
        await release(runtime, {inputs.name: inputs}, limit)


def refuse_import(resource_id: str, state: Mapping[str, Any]) -> None:
    """An id alone does not say where a machine's controller is."""
    if not state:
        raise UserError(
            "a machine cannot be imported by its id alone",
            where=resource_id,
            hint="declare it in site.yaml and run `up`: creating it adopts the machine as it is",
        )
