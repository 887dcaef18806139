"""The package's module `cooling`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.facility import DeviceArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class CduArgs(DeviceArgs):
    """Declared inputs of one coolant distribution unit.

    Attributes:
        capacity_kw: heat it can take away, in kW.
        load_kw: planned heat, in kW.
        flow_l_min: coolant flow in L/min.
        supply_c: supply temperature in °C; None for the unit's own setting.
    """

    capacity_kw: pulumi.Input[float]
    load_kw: pulumi.Input[float] | None = None
    flow_l_min: pulumi.Input[float]
    supply_c: pulumi.Input[float] | None = None


class Cdu(pulumi.CustomResource):
    """A coolant distribution unit (CDU) of a row.

    Attributes:
        serial: serial number, as the device reports it.
        simulated: true if no device stands behind this, only a simulation.
    """

    serial: pulumi.Output[str]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: CduArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["serial", "simulated"])
        super().__init__("gigasite:cooling:Cdu", name, {**properties(args), **outputs}, opts)
