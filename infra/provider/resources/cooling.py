"""Coolant distribution units."""

from __future__ import annotations

from dataclasses import dataclass

from infra.provider.resources.facility import Device, DeviceInputs
from infra.provider.shape import prop


@dataclass(frozen=True, slots=True, kw_only=True)
class CduInputs(DeviceInputs):
    """What is declared of one coolant distribution unit."""

    capacity_kw: float = prop("heat it can take away, in kW", minimum=0)
    load_kw: float = prop("planned heat, in kW", default=0.0, minimum=0)
    flow_l_min: float = prop("coolant flow in L/min", minimum=0)
    supply_c: float | None = prop(
        "supply temperature in °C; None for the unit's own setting", default=None, minimum=5, maximum=60
    )


class Cdu(Device[CduInputs]):
    """A coolant distribution unit."""

    type_name = "gigasite:cooling:Cdu"
    doc = "A coolant distribution unit (CDU) of a row."
    inputs = CduInputs
