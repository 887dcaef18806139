"""The connection to the transmission grid."""

from __future__ import annotations

from dataclasses import dataclass

from infra.provider.resources.facility import Device, DeviceInputs
from infra.provider.shape import prop


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInputs(DeviceInputs):
    """What is declared of the grid connection."""

    operator: str = prop("transmission system operator")
    capacity_mw: float = prop("capacity of the connection in MW", minimum=0)
    voltage_kv: float = prop("nominal voltage in kV", minimum=0)
    circuits: int = prop("number of circuits", minimum=1, maximum=64)
    ramp_mw_per_min: float | None = prop(
        "largest change of load in MW per minute; None if no limit is declared", default=None, minimum=0
    )


class Connection(Device[ConnectionInputs]):
    """A site's grid connection."""

    type_name = "gigasite:grid:Connection"
    doc = "The site's connection to the transmission grid."
    inputs = ConnectionInputs
