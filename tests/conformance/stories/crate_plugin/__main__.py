"""`crate:index:Crate`, constructed and called through the SDK's experimental provider interface."""

from __future__ import annotations

import sys

import pulumi
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.provider.experimental.provider import (
    CallRequest,
    CallResponse,
    CheckFailure,
    ConstructRequest,
    ConstructResponse,
    Provider,
)
from pulumi.provider.experimental.server import main


def text_of(value: PropertyValue) -> str | None:
    """A text, None while it is not known."""
    return None if isinstance(value.value, Computed) or value.value is None else str(value.value)


class Crate(pulumi.ComponentResource):
    """One resource in a box."""

    def __init__(self, name: str, inputs: dict[str, PropertyValue], opts: pulumi.ResourceOptions) -> None:
        super().__init__("crate:index:Crate", name, {}, opts)
        self.inside = pulumi.CustomResource(
            "conf:index:Res",
            f"{name}-inside",
            {"weight": inputs["weight"].value, "serial": None},
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


class Crates(Provider):
    """The provider."""

    async def construct(self, request: ConstructRequest) -> ConstructResponse:
        if request.inputs["weight"].value == 13:
            raise ValueError("13 is too heavy")
        crate = Crate(request.name, request.inputs, request.options)
        urn = await crate.urn.future()
        inside = await crate.inside.urn.future()
        assert urn is not None
        assert inside is not None
        serial = await crate.inside.serial.future(with_unknowns=False)  # type: ignore[attr-defined]
        value = PropertyValue(serial) if serial else PropertyValue(Computed())
        state = {
            "serial": value.with_dependencies([inside]),
            "weight": request.inputs["weight"],
            "note": request.inputs["note"],
        }
        return ConstructResponse(urn, state, {})

    async def call(self, request: CallRequest) -> CallResponse:
        by = request.args["by"]
        text = text_of(by)
        if text == "":
            return CallResponse(failures=[CheckFailure("by", "must not be empty")])
        itself = request.args["__self__"].value
        name = str(itself.urn).rpartition("::")[2]  # type: ignore[union-attr]
        value = PropertyValue(f"{name} lifted by {text}") if text is not None else PropertyValue(Computed())
        return CallResponse({"text": value.with_dependencies(by.all_dependencies())})


if __name__ == "__main__":
    main(sys.argv[1:], "0.2.0", Crates())
