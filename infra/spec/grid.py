"""The site's energy side: grid connection, feeds, cooling, heat, carbon, and the gate over rollouts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.spec import units
from infra.spec.base import Count, Factor, Name, Part, Share, Whole

Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-12-31"])]
"""A date, year first."""


class Circuit(Part):
    """One line or cable to the transmission grid."""

    name: Name
    voltage: units.Voltage
    capacity: units.Load
    """What it may carry for long."""
    current_limit: units.Current


class GridPhase(Part):
    """Power that the operator grants from a date on."""

    date: Day
    power: units.Power
    source: str


class Contract(Part):
    """A contract of carbon-free energy; it counts for market-based accounting only."""

    name: Name
    kind: Literal["ppa", "guarantees-of-origin", "supply"]
    technology: Literal["nuclear", "wind", "solar", "hydro", "mix"]
    energy_per_year: units.Energy
    start: Day
    end: Day
    intensity: units.Intensity
    """Market-based grams CO2e of the energy under contract."""
    hourly_matched: bool = False


class Grid(Part):
    """The grid connection."""

    operator: str
    power: units.Load
    """The most that the site may draw at the connection point."""
    power_factor: Factor = 0.95
    circuits: tuple[Circuit, ...] = Field(min_length=1, examples=[[]])
    spare_circuits: Whole = 0
    """How many circuits may fail with the site at full power (1 is N-1)."""
    ramp: units.Ramp | None = None
    """The most that the load may change in a minute."""
    phases: tuple[GridPhase, ...] = ()
    contracts: tuple[Contract, ...] = ()


class GridGuard(Part):
    """When new racks must not be powered: a gate that rollouts obey."""

    ecowatt: Literal[1, 2, 3] | None = None
    """RTE EcoWatt level from which the gate is closed (3 is red)."""
    intensity: units.Intensity | None = None
    """Grid intensity above which the gate is closed."""
    unknown: Literal["hold", "open"] = "hold"
    """What a gate does when its data is missing or stale."""
    ecowatt_max_age: units.Span = 48 * 3600.0
    """From which age on EcoWatt's signals, made daily, are stale."""
    intensity_max_age: units.Span = 2 * 3600.0
    """From which age on éCO2mix's newest step, made every quarter of an hour, is stale."""


class EnergyUse(Part):
    """How the site uses energy, for yearly figures."""

    pue: Annotated[float, Field(ge=1, le=3, examples=[1.1])]
    """Power usage effectiveness at design: facility over IT energy."""
    load: Factor = 1.0
    """Mean facility power over the connection's."""
    location_intensity: units.Intensity
    """Location-based grams CO2e of the grid's energy."""
    residual_intensity: units.Intensity | None = None
    """Market-based grams CO2e of what no contract covers (residual mix)."""
    renewable_share: Share = 0.0
    """Part of the energy from renewable sources, as REF counts it (guarantees of origin, PPA, on site)."""
    water: units.Water = 0.0
    """Water for each kilowatt-hour of IT energy (WUE)."""
    source: str
    guard: GridGuard | None = None


class Feeds(Part):
    """Power distribution below the grid, for admission; each limit is for N with the spares out."""

    hall: units.Load | None = None
    """Usable power of a hall's transformers."""
    busway: units.Load | None = None
    """Usable power of one busway; it serves a row (scalable unit) with `busways_per_row` of them."""
    busways_per_row: Count = 2
    spare_busways: Whole = 0
    rack: units.Load | None = None
    """Usable power of one rack feed."""
    feeds_per_rack: Count = 2
    spare_feeds: Whole = 0
    source: str


class Cooling(Part):
    """The technical loop of the liquid-cooled racks."""

    supply: units.CoolantTemperature
    """Coolant into the racks."""
    rack_flow: units.Flow | None = None
    """The most a rack's manifold passes."""
    row_flow: units.Flow | None = None
    """The most a row's pipes pass."""
    cooler: Name | None = None
    """CDU model."""
    coolers_per_row: Count = 1
    spare_coolers: Whole = 0
    specific_heat: Annotated[float, Field(ge=0.5, le=10, examples=[4.186])] = 4.186
    """Coolant, kJ/(kg K); water."""
    density: Annotated[float, Field(ge=0.5, le=3, examples=[1.0])] = 1.0
    """Coolant, kg/L; water."""


class HeatCommitment(Part):
    """Heat sold to a buyer."""

    buyer: str
    power: units.Load
    """Thermal."""
    temperature: units.HeatTemperature
    hours: Annotated[int, Field(ge=0, le=8784, examples=[8760])]
    """Hours a year."""
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = tuple(range(1, 13))
    heat_pump: bool = False
    """Whether a heat pump lifts the coolant's return to the temperature."""


class Announcement(Part):
    """Announced figures; the plan compares them with those that follow from the declaration."""

    accelerators: Annotated[int, Field(ge=1, le=10**9, strict=True, examples=[1])]
    power: units.Load
    in_service: Day
    cost: units.Money | None = None
    rack_cost: units.Money | None = None
    """Of a compute rack, an estimate."""
    first_tranche: Annotated[int, Field(ge=1, le=10**9, strict=True, examples=[1])] | None = None
    """Accelerators whose funding is settled."""
    carbon_free: bool = False
    source: str
