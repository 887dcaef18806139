"""The package's module `grid`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.facility import DeviceArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionArgs(DeviceArgs):
    """Declared inputs of the grid connection.

    Attributes:
        operator: transmission system operator.
        capacity_mw: capacity of the connection in MW.
        voltage_kv: nominal voltage in kV.
        circuits: number of circuits.
        ramp_mw_per_min: largest change of load in MW per minute; None if no limit is declared.
    """

    operator: pulumi.Input[str]
    capacity_mw: pulumi.Input[float]
    voltage_kv: pulumi.Input[float]
    circuits: pulumi.Input[int]
    ramp_mw_per_min: pulumi.Input[float] | None = None


class Connection(pulumi.CustomResource):
    """The site's connection to the transmission grid.

    Attributes:
        serial: serial number, as the device reports it.
        simulated: true if no device stands behind this, only a simulation.
    """

    serial: pulumi.Output[str]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: ConnectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["serial", "simulated"])
        super().__init__("gigasite:grid:Connection", name, {**properties(args), **outputs}, opts)
