"""One calendar year of a site: energy, indicators, both carbon claims, heat; and the year's phases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.energy import balance, carbon, heat, hourly
from infra.energy.caveats import list_caveats
from infra.energy.figures import PhaseShare, Year
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.energy.eco2mix import Eco2mix
    from infra.energy.inputs import SiteEnergy


def compute(site: SiteEnergy, year: int, mix: Eco2mix | None = None) -> Year:
    """A calendar year of a site.

    Raises:
        UserError: nothing is in service in that year.
    """
    parts = balance.stretches(site, year)
    if not parts or not sum(part.edc_mwh for part in parts):
        first = min((step.start for step in site.steps), default=None)
        raise UserError(
            f"site {site.name} has no power in service in {year}",
            hint=f"its first phase begins {first}" if first else "it declares no phases",
        )
    edc = sum(part.edc_mwh for part in parts)
    location = carbon.location_based(site, parts, mix)
    found = carbon.claims(site, year, edc, parts[0].start)
    market = carbon.market_based(site, edc, found, sum(location.tonnes))
    eit = sum(part.eit_mwh for part in parts)
    water = None if site.water_l_per_kwh is None else site.water_l_per_kwh * eit
    result = Year(
        site.name,
        year,
        sum(part.hours for part in parts),
        parts,
        _phases(parts, location, market, edc),
        location,
        market,
        found,
        heat.months(site.sales, parts, year),
        water,
        hourly.matching(site, parts, mix),
        (),
    )
    return replace(result, notes=list_caveats(result, site))


def _phases(
    parts: tuple[balance.Stretch, ...], location: carbon.Location, market: carbon.Market, edc: float
) -> tuple[PhaseShare, ...]:
    names = dict.fromkeys(part.phase for part in parts)
    found = []
    for name in names:
        mine = [
            (part, tonnes) for part, tonnes in zip(parts, location.tonnes, strict=True) if part.phase == name
        ]
        energy = sum(part.edc_mwh for part, _ in mine)
        found.append(
            PhaseShare(
                name,
                sum(part.hours for part, _ in mine),
                energy,
                sum(part.eit_mwh for part, _ in mine),
                sum(part.captured_mwh for part, _ in mine),
                sum(tonnes for _, tonnes in mine),
                # Contracts match yearly sums: each phase has its share of the year's claim by energy.
                market.tonnes * energy / edc,
            )
        )
    return tuple(found)
