"""The connection to the transmission grid."""

from __future__ import annotations

from pydantic import Field

from infra.provider.resources.facility import Device, DeviceInputs


class ConnectionInputs(DeviceInputs):
    """Declared inputs of the grid connection."""

    operator: str = Field(description="transmission system operator")
    capacity_mw: float = Field(ge=0, description="capacity of the connection in MW")
    voltage_kv: float = Field(ge=0, description="nominal voltage in kV")
    circuits: int = Field(ge=1, le=64, description="number of circuits")
    ramp_mw_per_min: float | None = Field(
        default=None,
        ge=0,
        description="largest change of load in MW per minute; None if no limit is declared",
    )


class Connection(Device[ConnectionInputs]):
    """A site's grid connection."""

    type_name = "gigasite:grid:Connection"
    doc = "The site's connection to the transmission grid."
    inputs = ConnectionInputs
