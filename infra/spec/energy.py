"""Facts that the yearly report to the European database asks for and that nothing else in a declaration says.

All of them may be absent: what is not declared is reported as unknown. Source: delegated regulation (EU)
2024/1364, annexes I and II.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.spec import units
from infra.spec.base import Part, Share

Level = Annotated[str, Field(pattern=r"^([0-9]*N(\+[0-9]+)?|[0-9]+N/[0-9]+)$", examples=["N+1"])]
"""Redundancy compared to N, the number that normal operation needs: N, N+1, 2N, 2N+1, 3N/2."""

Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", examples=["2026-12"])]
"""Year and month."""


class Redundancy(Part):
    """Redundancy levels (annex I, point 2)."""

    high_voltage: Level | None = None
    low_voltage: Level | None = None
    """Of the line-ups."""
    rack: Level | None = None
    """Of the racks' feeds."""
    cooling_room: Level | None = None
    cooling_rack: Level | None = None


class Reporting(Part):
    """The site's part of the report to the European database on data centres."""

    owner: str | None = None
    """Name and contact details."""
    operator: str | None = None
    """Name and contact details."""
    lau_code: str | None = None
    """Local administrative unit of the place, by Eurostat's tables."""
    type: Literal["enterprise", "colocation", "co-hosting"] | None = None
    also_offers: Literal["colocation", "co-hosting"] | None = None
    structure: Literal["structure", "group of structures"] | None = None
    in_operation: Month | None = None
    """Year and month of entry into operation; without it, the first phase's."""
    redundancy: Redundancy = Redundancy()
    total_floor: units.Area | None = None
    computer_room_floor: units.Area | None = None
    backup_energy: units.Energy | None = None
    """From back-up generators, a year."""
    grid_functions: tuple[str, ...] | None = None
    """Such as `peak demand shifting`; an empty list means none."""
    grid_battery: units.Power | None = None
    """Battery capacity offered to the grid."""
    water_category: Literal[1, 2] | None = None
    """WUE category (EN 50600-4-9) of the declared water use."""
    potable_water: units.Water | None = None
    """Potable water for each kilowatt-hour of IT energy."""
    intake_temperature: units.AirTemperature | None = None
    """Set point of the air that enters IT equipment."""
    refrigerants: tuple[str, ...] | None = None
    """Common names, such as `R-1234ze(E)`; an empty list means none."""
    cooling_degree_days: Annotated[float, Field(ge=0, examples=[120.0])] | None = None
    """Of the place in a year, base 21 °C."""
    onsite_energy: units.Energy | None = None
    """Renewable energy generated on site, a year."""
    server_capacity: Annotated[float, Field(ge=0, examples=[1e9])] | None = None
    """Sum of the servers' SERT active state performance."""
    server_coverage: Share | None = None
    """Part of the computer room floor area that it covers."""
    storage_coverage: Share | None = None
    """Part of the computer room floor area that the plan's storage covers."""
    bandwidth_in: units.Bandwidth | None = None
    bandwidth_out: units.Bandwidth | None = None
    traffic_in: units.Data | None = None
    """A year."""
    traffic_out: units.Data | None = None
    """A year."""
