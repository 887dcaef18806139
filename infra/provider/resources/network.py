"""Switches."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from infra.provider.drivers import Power
from infra.provider.drivers.frr import FILE, FrrSwitch
from infra.provider.drivers.ssh import ssh_to
from infra.provider.properties import UNKNOWN
from infra.provider.resources.machines import Server, ServerInputs
from infra.provider.resources.resource_type import CreateResult, Output, ReadResult, Runtime, text
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
