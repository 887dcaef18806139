"""Compute at rack grain: one rack is one resource, and its trays converge at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from infra.errors import UserError
from infra.provider.inputs import REPLACES, HostName, InputModel, Name
from infra.provider.properties import UNKNOWN, Unknown, join
from infra.provider.resources.machines import (
    RECORD,
    MachineInputs,
    as_seen,
    converge_all,
    look,
    predict_machine,
    refuse_import,
    release,
)
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    flag,
)
from infra.provider.validation import Failure, build

if TYPE_CHECKING:
    from infra.provider.differences import Change


class TrayInputs(MachineInputs):
    """Declared inputs of one tray."""

    slot: int = Field(ge=1, le=128, description="position among the rack's trays, from 1")


class RackInputs(InputModel):
    """Declared inputs of one rack."""

    name: Annotated[Name, REPLACES] = Field(
        description="name of the rack, unique in the site", examples=["pod-01-su-01-rack-01"]
    )
    trays: dict[Annotated[HostName, Field(examples=["pod-01-su-01-rack-01-tray-01"])], TrayInputs] = Field(
        description="trays by host name"
    )


class Rack(ResourceType[RackInputs]):
    """A rack of trays, each behind a management controller."""

    type_name = "gigasite:compute:Rack"
    doc = "A rack: its trays are inspected and powered through their management controllers, all at once."
    inputs = RackInputs
    outputs: ClassVar[Mapping[str, Output]] = {
        "machines": Output(
            {
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "by tray, what it says about itself: " + ", ".join(RECORD),
        ),
        "simulated": flag("true if no machines stand behind this, only a simulation"),
    }

    def check(self, inputs: Mapping[str, Any], failures: list[Failure]) -> None:
        """No two trays in one slot, none behind one controller."""
        trays = inputs.get("trays")
        if not isinstance(trays, Mapping):
            return
        objects = {name: tray for name, tray in trays.items() if isinstance(tray, Mapping)}
        slots = Counter(_scalar(tray.get("slot")) for tray in objects.values())
        places = Counter(_place(tray.get("bmc")) for tray in objects.values())
        for name, tray in objects.items():
            slot, place = _scalar(tray.get("slot")), _place(tray.get("bmc"))
            path = join("trays", name)
            if slot is not None and slots[slot] > 1:
                failures.append(Failure(f"{path}.slot", f"slot {slot} holds {slots[slot]} trays"))
            if place is not None and places[place] > 1:
                failures.append(
                    Failure(
                        f"{path}.bmc", f"{place[0]} port {place[1]} is declared for {places[place]} trays"
                    )
                )

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """Trays that do not change keep their record; the rest as far as it is declared."""
        del changed
        trays, old = inputs["trays"], state or {}
        simulated = old.get("simulated", UNKNOWN)
        if isinstance(trays, Unknown):
            return {"machines": UNKNOWN, "simulated": simulated}
        before, records = old.get("trays", {}), old.get("machines", {})
        return {
            "machines": {
                name: records[name]
                if name in records and before.get(name) == tray
                else UNKNOWN
                if isinstance(tray, Unknown)
                else predict_machine(tray, records.get(name))
                for name, tray in trays.items()
            },
            "simulated": simulated,
        }

    def identify(self, runtime: Runtime, inputs: RackInputs) -> str:
        """`SITE/RACK`."""
        return f"{runtime.settings.site}/{inputs.name}"

    async def create(self, runtime: Runtime, inputs: RackInputs, limit: float) -> CreateResult:
        """Converge all trays; the rack is made if one of them is as declared."""
        return await self._converge(runtime, inputs.trays, {}, limit)

    async def update(
        self,
        runtime: Runtime,
        inputs: RackInputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Converge the trays that changed or are not as declared, release those that left; touch no other."""
        del changed
        before, records = state.get("trays", {}), state.get("machines", {})
        gone = {name: build(TrayInputs, tray) for name, tray in before.items() if name not in inputs.trays}
        await release(runtime, gone, limit)
        still = {
            name: records[name]
            for name, tray in inputs.trays.items()
            if before.get(name) == tray.plain() and records.get(name, {}).get("power_state") == tray.power
        }
        return await self._converge(runtime, inputs.trays, still, limit)

    async def _converge(
        self, runtime: Runtime, trays: Mapping[str, TrayInputs], still: Mapping[str, Any], limit: float
    ) -> CreateResult:
        todo = {name: tray for name, tray in trays.items() if name not in still}
        records, faults = await converge_all(runtime, todo, limit)
        if faults and len(faults) == len(trays):
            raise UserError("\n".join(faults.values()))
        machines = {name: still.get(name) or records[name] for name in trays}
        return CreateResult(
            {"machines": machines, "simulated": runtime.machines.simulated}, tuple(faults.values())
        )

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Look at every tray; what its power is shows as a change of the tray's `power`."""
        refuse_import(resource_id, state)
        declared = build(RackInputs, state)
        records, faults = await look(runtime, declared.trays, limit)
        trays = {name: as_seen(tray.plain(), records[name]) for name, tray in declared.trays.items()}
        outputs = {"machines": records, "simulated": runtime.machines.simulated}
        return ReadResult({"name": declared.name, "trays": trays}, outputs, tuple(faults.values()))

    async def delete(
        self, runtime: Runtime, inputs: RackInputs, state: Mapping[str, Any], limit: float
    ) -> None:
        """Power off the trays for which that is declared."""
        del state
        await release(runtime, inputs.trays, limit)


def _scalar(value: object) -> object | None:
    return value if isinstance(value, (int, str)) else None


def _place(bmc: object) -> tuple[str, int] | None:
    """(address, port) of a controller, if both are known."""
    if not isinstance(bmc, Mapping):
        return None
    address, port = bmc.get("address"), bmc.get("port", 443)
    return (address, port) if isinstance(address, str) and isinstance(port, int) else None
