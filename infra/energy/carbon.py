"""CO2 of a year, twice: by where the energy is drawn, and by what was contracted.

GHG Protocol, Scope 2 Guidance (2015): both are shown. Location-based is energy times the grid's factor, here
step by step where éCO2mix data is at hand. Market-based is contracted energy times the contract's factor, and
the rest times the residual mix (or, where none is declared, times the location-based factor, which is then
said).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from infra.energy.calendar import PARIS, hours, midnight, year_bounds
from infra.energy.inputs import RENEWABLE, Contract, Instrument, SiteEnergy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from infra.energy.balance import Stretch
    from infra.energy.eco2mix import Eco2mix


WHOLE_YEAR_HOURS = 8000
"""Hours of data from which on another year's mean stands for a year: seasons weigh evenly enough."""


@dataclass(frozen=True, slots=True)
class Location:
    """Location-based emissions of stretches.

    Attributes:
        tonnes: tCO2e of each stretch.
        matched_hours: hours for which éCO2mix had a value at that very time.
        total_hours: hours in service.
        basis: where the factor is from, in words.
    """

    tonnes: tuple[float, ...]
    matched_hours: float
    total_hours: float
    basis: str


def location_based(site: SiteEnergy, parts: tuple[Stretch, ...], mix: Eco2mix | None) -> Location:
    """Emissions by the grid's own factor.

    Hours with éCO2mix data count at their own rate, the others at the declared factor. Data without any hour
    in common serves by its mean if it is a whole year (a past one for a plan of a coming one).
    """
    total = sum(part.hours for part in parts)
    declared = site.location.gco2_per_kwh
    matched = 0.0
    tonnes = []
    for part in parts:
        mass, covered = 0.0, 0.0  # mass in g/kWh·h
        if mix is not None:
            steps = mix.between(part.start, part.end)
            covered = float(steps["hours"].sum())
            mass = float((steps["hours"] * steps["gco2_per_kwh"]).sum())
        matched += covered
        # MW · h · g/kWh = kg; /1000 = t
        tonnes.append(part.facility_mw * (mass + (part.hours - covered) * declared) / 1000)
    if mix is None or matched == 0:
        return _unmatched(site, parts, mix, tuple(tonnes))
    rest = "" if matched >= total - 1e-6 else f", the others at the declared {declared:g} g/kWh"
    return Location(
        tuple(tonnes), matched, total, f"éCO2mix step by step for {matched:,.1f} of {total:,.1f} h{rest}"
    )


def _unmatched(
    site: SiteEnergy, parts: tuple[Stretch, ...], mix: Eco2mix | None, tonnes: tuple[float, ...]
) -> Location:
    """Without any hour of the year itself: by a whole other year's mean, else by the declared factor."""
    total = sum(part.hours for part in parts)
    basis = f"declared {site.location.gco2_per_kwh:g} g/kWh ({site.location.source})"
    mean, span = (mix.mean(), mix.span) if mix is not None else (None, None)
    if mix is None or mean is None or span is None:
        return Location(tonnes, 0.0, total, basis)
    known = float(mix.frame["minutes"].sum()) / 60
    days = f"{span[0].astimezone(PARIS):%Y-%m-%d} to {span[1].astimezone(PARIS):%Y-%m-%d}"
    if known < WHOLE_YEAR_HOURS:
        return Location(
            tonnes,
            0.0,
            total,
            f"{basis}; éCO2mix of {days} ({known:,.0f} h) covers no hour of it, nor a year",
        )
    return Location(
        tuple(part.edc_mwh * mean / 1000 for part in parts),
        0.0,
        total,
        f"mean of éCO2mix {days} ({known:,.0f} h with data), {mean:.1f} g/kWh,"
        " for a year that it has no hour of",
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """Share of a year's energy that one contract covers.

    Attributes:
        contract: it.
        offered_mwh: its energy in the year's days in service.
        used_mwh: the part counted; never more than the site uses.
        renewable_mwh: the part of that from renewable sources.
    """

    contract: Contract
    offered_mwh: float
    used_mwh: float
    renewable_mwh: float


def claims(site: SiteEnergy, year: int, edc_mwh: float, service_start: datetime | None) -> tuple[Claim, ...]:
    """Contracts counted until the year's energy is covered, in the order of the declaration.

    Which contract covers what is a choice where they offer more than the site uses: energy matched hour by
    hour counts first, then renewable energy, then the rest in the order of the declaration. A contract counts
    for the days of the year on which it runs and the site is in service.
    """
    left = edc_mwh
    found = {}
    first, last = year_bounds(year)
    whole = hours(first, last)
    for contract in sorted(
        site.contracts, key=lambda each: (not each.hourly, each.technology not in RENEWABLE)
    ):
        begin = max(first, midnight(contract.start), service_start or last)
        finish = min(last, _day_after(contract))
        offered = contract.mwh_per_year * max(0.0, hours(begin, finish)) / whole
        used = min(offered, left)
        left -= used
        # What part of a mix is renewable, nobody has declared: none of it counts.
        renewable = used if contract.technology in RENEWABLE else 0.0
        found[id(contract)] = Claim(contract, offered, used, renewable)
    return tuple(found[id(contract)] for contract in site.contracts)


def _day_after(contract: Contract) -> datetime:
    return midnight(contract.end + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Market:
    """Market-based emissions of a year.

    Attributes:
        tonnes: tCO2e.
        covered_mwh: energy under contract.
        carbon_free_mwh: the part of it whose contract says 0 g/kWh.
        rest_mwh: energy that no contract covers.
        rest_gco2_per_kwh: its factor.
        basis: where that factor is from.
    """

    tonnes: float
    covered_mwh: float
    carbon_free_mwh: float
    rest_mwh: float
    rest_gco2_per_kwh: float
    basis: str


def market_based(site: SiteEnergy, edc_mwh: float, found: Iterable[Claim], location_tonnes: float) -> Market:
    """Emissions by contracts, the rest at the residual mix."""
    found = tuple(found)
    covered = sum(claim.used_mwh for claim in found)
    rest = max(0.0, edc_mwh - covered)
    if site.residual is not None:
        factor, basis = site.residual.gco2_per_kwh, site.residual.source
    else:
        factor = location_tonnes * 1000 / edc_mwh if edc_mwh else site.location.gco2_per_kwh
        basis = "no residual mix declared: the location-based factor stands in"
    tonnes = (
        sum(claim.used_mwh * claim.contract.gco2_per_kwh for claim in found) / 1000 + rest * factor / 1000
    )
    free = sum(claim.used_mwh for claim in found if claim.contract.gco2_per_kwh == 0)
    return Market(tonnes, covered, free, rest, factor, basis)


def renewable_by_instrument(found: Iterable[Claim]) -> dict[Instrument, float]:
    """Renewable MWh by contractual form."""
    sums = dict.fromkeys(Instrument, 0.0)
    for claim in found:
        sums[claim.contract.instrument] += claim.renewable_mwh
    return sums
