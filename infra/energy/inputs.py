"""Inputs of the energy arithmetic, as plain numbers: powers, contracts, heat sold, factors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


class Technology(StrEnum):
    """How contracted energy is generated."""

    NUCLEAR = "nuclear"
    WIND = "wind"
    SOLAR = "solar"
    HYDRO = "hydro"
    MIX = "mix"


RENEWABLE = frozenset({Technology.WIND, Technology.SOLAR, Technology.HYDRO})
"""Renewable by directive (EU) 2018/2001, article 2(1); nuclear is carbon-free, not renewable."""


class Instrument(StrEnum):
    """The contractual form; it decides in which part of ERES the regulation counts renewable energy."""

    PPA = "ppa"
    GUARANTEES = "guarantees-of-origin"
    SUPPLY = "supply"


@dataclass(frozen=True, slots=True)
class PowerStep:
    """Power in service from a day on, all phases up to it together, at full load.

    Attributes:
        phase: its name.
        start: local day from which it counts.
        facility_mw: at the grid connection.
        it_mw: of IT equipment.
        capture_mw: heat that the coolant carries away, MW thermal.
    """

    phase: str
    start: date
    facility_mw: float
    it_mw: float
    capture_mw: float


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract of energy from stated sources.

    Attributes:
        name: unique in the site.
        instrument: its form.
        technology: its source.
        mwh_per_year: energy of a full calendar year.
        start: first day.
        end: last day.
        gco2_per_kwh: what the contract says a kWh emits.
        hourly: whether generation is matched to use hour by hour; else only the yearly sums match.
    """

    name: str
    instrument: Instrument
    technology: Technology
    mwh_per_year: float
    start: date
    end: date
    gco2_per_kwh: float = 0.0
    hourly: bool = False


@dataclass(frozen=True, slots=True)
class HeatSale:
    """A commitment to deliver heat.

    Attributes:
        buyer: who takes it; unique in the site.
        mw: thermal power.
        celsius: temperature of delivery.
        hours: full-load hours a year, spread evenly over the months.
        months: calendar months of delivery, 1 to 12.
        heat_pump: whether a heat pump lifts it to that temperature.
    """

    buyer: str
    mw: float
    celsius: float
    hours: float = 8784.0
    months: tuple[int, ...] = tuple(range(1, 13))
    heat_pump: bool = False


@dataclass(frozen=True, slots=True)
class Factor:
    """An emission factor, gCO2e/kWh, and where it is from."""

    gco2_per_kwh: float
    source: str


@dataclass(frozen=True, slots=True)
class SiteEnergy:
    """A site as the energy arithmetic sees it.

    Attributes:
        name: of the site.
        steps: powers in service, ascending by day.
        load: mean power over full power; IT, facility and captured heat scale alike, so PUE stays.
        location: the grid's average factor, used where no éCO2mix data is.
        residual: factor of energy that no contract covers; without one, the location-based factor is used.
        contracts: in the order of the declaration.
        sales: heat commitments, the first one served first.
        water_l_per_kwh: water input per IT energy (= m³/MWh); None if unknown.
        declared_ref: the renewable share that the site claims, to be compared with its contracts; or None.
    """

    name: str
    steps: tuple[PowerStep, ...]
    load: float
    location: Factor
    residual: Factor | None = None
    contracts: tuple[Contract, ...] = ()
    sales: tuple[HeatSale, ...] = ()
    water_l_per_kwh: float | None = None
    declared_ref: float | None = None
