"""Switches, and what keeps tenants apart on a fabric."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from infra.provider.drivers import Power
from infra.provider.drivers.frr import FILE, FrrSwitch
from infra.provider.drivers.ssh import ssh_to
from infra.provider.inputs import REPLACES, InputModel, Name
from infra.provider.properties import UNKNOWN
from infra.provider.resources.machines import Server, ServerInputs
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    refuse_import,
    text,
)
from infra.provider.validation import Failure, build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.provider.differences import Change

BY_ROLE, CONFIRMED, NONE = "role", "confirmed", "none"
NEW_MACHINE = {"hardware", "power", "uuid"}
"""Inputs whose change leaves a machine that its role configures."""


def _touched(changed: Mapping[str, Change]) -> set[str]:
    """Names of the inputs in which something changed, out of the paths to it."""
    return {re.split(r"[.\[]", path, maxsplit=1)[0] for path in changed}


class SwitchInputs(ServerInputs):
    """Declared inputs of one switch."""

    configuration: dict[str, str] = Field(
        default={},
        description="text of its configuration by file, for a switch that a driver reaches: FRR over ssh. A "
        "change is put in place by commit-confirm",
    )


class Switch(Server):
    """One switch that has a management controller: a whitebox switch, or a stand-in."""

    type_name = "gigasite:network:Switch"
    doc = (
        "A switch with a management controller (a whitebox switch, or a stand-in), powered through it. "
        "A changed configuration is put in place with a timer that goes back, and kept once the controller "
        "has come in again."
    )
    inputs = SwitchInputs
    outputs: ClassVar[Mapping[str, Output]] = {
        **Server.outputs,
        "configured": text(
            "how its configuration came into force: `role` with the step that configures machines, "
            "`confirmed` by commit-confirm, `none` where no driver reaches it"
        ),
    }

    def check(self, inputs: Mapping[str, Any], failures: list[Failure]) -> None:
        """Only files that a driver knows."""
        given = inputs.get("configuration")
        failures += [
            Failure("configuration", f"no driver puts `{file}` in place, only `{FILE}`")
            for file in (given if isinstance(given, dict) else ())
            if file != FILE
        ]

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """As a server; whether it can be reached is seen when it is."""
        same = state is not None and not _touched(changed) & {"configuration", *NEW_MACHINE}
        configured = (state or {}).get("configured", UNKNOWN) if same else UNKNOWN
        return {**super().preview(inputs, state, changed), "configured": configured}

    async def create(self, runtime: Runtime, inputs: ServerInputs, limit: float) -> CreateResult:
        """Power it; its first configuration comes with everything else that its role deploys."""
        made = await super().create(runtime, inputs, limit)
        assert isinstance(inputs, SwitchInputs)
        return CreateResult({**made.outputs, "configured": BY_ROLE if inputs.configuration else NONE})

    async def update(
        self,
        runtime: Runtime,
        inputs: ServerInputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Power it, and put a changed configuration in place unless the machine itself is new."""
        made = await self.create(runtime, inputs, limit)
        assert isinstance(inputs, SwitchInputs)
        wanted = inputs.configuration.get(FILE)
        touched = _touched(changed)
        if wanted is None or inputs.power is not Power.ON or touched & NEW_MACHINE:
            return made
        if "configuration" not in touched:
            return CreateResult({**made.outputs, "configured": state.get("configured", BY_ROLE)})
        switch = FrrSwitch(inputs.name, ssh_to(runtime.settings.site, inputs.name))
        await asyncio.to_thread(switch.apply, wanted)
        return CreateResult({**made.outputs, "configured": CONFIRMED})

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Look at it, and at the configuration that it starts with if it was confirmed."""
        seen = await super().read(runtime, resource_id, state, limit)
        if seen is None:
            return None
        declared = build(SwitchInputs, state)
        outputs = {**seen.outputs, "configured": state.get("configured", NONE)}
        inputs = {**declared.plain(), **seen.inputs}
        if outputs["configured"] == CONFIRMED and seen.inputs.get("power") == Power.ON:
            switch = FrrSwitch(declared.name, ssh_to(runtime.settings.site, declared.name))
            found = await asyncio.to_thread(switch.read, limit)
            if found is not None:
                inputs["configuration"] = {FILE: found}
        return ReadResult(inputs, outputs, seen.faults)


class MembersInputs(InputModel):
    """Declared members of a part of a fabric."""

    name: Annotated[Name, REPLACES] = Field(description="its name, unique in the fabric")
    fabric: Annotated[Name, REPLACES] = Field(description="name of the fabric", examples=["north-south"])
    places: tuple[str, ...] = Field(description="pods, scalable units and racks whose machines are in it")


Inputs = TypeVar("Inputs", bound=MembersInputs)


class Members(ResourceType[Inputs]):
    """A part of a fabric that only its members reach; a subclass gives it its token and number.

    It is a record of the declaration: no device holds it as one thing, so nothing is asked or removed.
    """

    outputs: ClassVar[Mapping[str, Output]] = {}

    def identify(self, runtime: Runtime, inputs: Inputs) -> str:
        """`SITE/FABRIC/NAME`."""
        return f"{runtime.settings.site}/{inputs.fabric}/{inputs.name}"

    async def create(self, runtime: Runtime, inputs: Inputs, limit: float) -> CreateResult:
        """Record it."""
        del runtime, inputs, limit
        return CreateResult({})

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Return what is recorded.

        Raises:
            UserError: an import, for which there is no record.
        """
        del runtime, limit
        if not state:
            refuse_import(resource_id)
        return ReadResult(build(self.inputs, state).plain(), {})

    async def delete(self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float) -> None:
        """Forget it."""


class PartitionInputs(MembersInputs):
    """Declared inputs of a partition."""

    key: int = Field(ge=1, le=0x7FFE, description="P_Key without its membership bit")


class Partition(Members[PartitionInputs]):
    """A partition of an InfiniBand fabric."""

    type_name = "gigasite:network:Partition"
    doc = (
        "A partition of an InfiniBand fabric, as it is declared. It is a record, by which a preview shows "
        "that one comes, changes or goes: what puts it into force is the subnet manager's `partitions.conf`, "
        "which `gigasite fabric prove --keep DIR` writes and a person carries to the manager. A refresh asks "
        "no device."
    )
    inputs = PartitionInputs


class TenantInputs(MembersInputs):
    """Declared inputs of a tenant."""

    vni: int = Field(ge=1, le=0xFFFFFF, description="VXLAN network identifier of its VRF")


class Tenant(Members[TenantInputs]):
    """A tenant of an Ethernet fabric."""

    type_name = "gigasite:network:Tenant"
    doc = (
        "A tenant of an Ethernet fabric, as it is declared. It is a record, by which a preview shows that "
        "one comes, changes or goes: what puts it into force is the configuration of the switches, which "
        "changes with it (`gigasite:network:Switch`). A refresh asks no device."
    )
    inputs = TenantInputs
