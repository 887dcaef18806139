"""Coolant distribution units."""

from __future__ import annotations

from pydantic import Field

from infra.provider.resources.facility import Device, DeviceInputs


class CduInputs(DeviceInputs):
    """Declared inputs of one coolant distribution unit."""

    capacity_kw: float = Field(ge=0, description="heat it can take away, in kW")
    load_kw: float = Field(default=0.0, ge=0, description="planned heat, in kW")
    flow_l_min: float = Field(ge=0, description="coolant flow in L/min")
    supply_c: float | None = Field(
        default=None, ge=5, le=60, description="supply temperature in °C; None for the unit's own setting"
    )


class Cdu(Device[CduInputs]):
    """A coolant distribution unit."""

    type_name = "gigasite:cooling:Cdu"
    doc = "A coolant distribution unit (CDU) of a row."
    inputs = CduInputs
