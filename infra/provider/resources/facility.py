"""Base of facility devices: one way of converging for the grid connection, feeds and CDUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from infra.errors import UserError
from infra.provider.inputs import REPLACES, InputModel, Name
from infra.provider.properties import UNKNOWN
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    flag,
    text,
)
from infra.provider.validation import build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.provider.differences import Change


class DeviceInputs(InputModel):
    """Inputs of every facility device."""

    name: Annotated[Name, REPLACES] = Field(description="name of the device, unique in the site")


Inputs = TypeVar("Inputs", bound=DeviceInputs)


class Device(ResourceType[Inputs]):
    """A facility device; a subclass gives it its token and inputs."""

    outputs: ClassVar[Mapping[str, Output]] = {
        "serial": text("serial number, as the device reports it"),
        "simulated": flag("true if no device stands behind this, only a simulation"),
    }

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """An update changes no output."""
        del inputs, changed
        return {name: (state or {}).get(name, UNKNOWN) for name in self.outputs}

    def identify(self, runtime: Runtime, inputs: Inputs) -> str:
        """`SITE/NAME`."""
        return f"{runtime.settings.site}/{inputs.name}"

    async def create(self, runtime: Runtime, inputs: Inputs, limit: float) -> CreateResult:
        """Bring the device to what is declared."""
        del limit
        facts = await runtime.facility.apply(self.type_name, inputs.name, inputs.plain())
        return CreateResult({"serial": facts.serial, "simulated": runtime.facility.simulated})

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """The device's settings in force."""
        del limit
        site, _, name = resource_id.partition("/")
        if site != runtime.settings.site or not name:
            raise UserError(
                "is not an id of this site", where=resource_id, hint=f"write `{runtime.settings.site}/NAME`"
            )
        facts = await runtime.facility.read(self.type_name, name)
        if facts is None:
            return None
        declared = {**state, **facts.settings}
        inputs = build(self.inputs, declared).plain()
        return ReadResult(inputs, {"serial": facts.serial, "simulated": runtime.facility.simulated})

    async def delete(self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float) -> None:
        """Take the device out of service."""
        del state, limit
        await runtime.facility.remove(self.type_name, inputs.name)
