"""Caveats to a year's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.energy import carbon
from infra.energy.inputs import Instrument, Technology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.energy.figures import Year
    from infra.energy.inputs import SiteEnergy


def list_caveats(year: Year, site: SiteEnergy) -> tuple[str, ...]:
    """List the caveats to a computed year, the carbon claims first."""
    return (*_claims(year), *_contracts(year), *_renewable(year, site), *_heat(year, site))


def _claims(year: Year) -> Iterator[str]:
    if any(claim.used_mwh for claim in year.claims):
        yield (
            "market-based tonnes are a contractual claim: for the same energy the grid that feeds the site"
            " emits the location-based tonnes"
        )
    if year.matching is not None:
        yield (
            f"carbon-free contracts cover {year.matching.yearly_share:.1%} of the use in yearly sums, but"
            f" {year.matching.share:.1%} of it step by step (national profiles of éCO2mix as a proxy)"
        )


def _contracts(year: Year) -> Iterator[str]:
    used = [claim for claim in year.claims if claim.used_mwh]
    hourly = [claim.contract.name for claim in used if claim.contract.hourly]
    if hourly:
        yield f"declared as matched hour by hour, which nothing here proves: {', '.join(hourly)}"
    yearly = [claim.contract.name for claim in used if not claim.contract.hourly]
    if yearly:
        yield f"matched by yearly sums only, not hour by hour: {', '.join(yearly)}"
    unused = [claim.contract.name for claim in year.claims if claim.offered_mwh > claim.used_mwh + 1e-6]
    if unused:
        yield f"contracts offer more than the year's use, the rest is not counted: {', '.join(unused)}"


def _renewable(year: Year, site: SiteEnergy) -> Iterator[str]:
    supply = carbon.renewable_by_instrument(year.claims)[Instrument.SUPPLY]
    if supply:
        yield f"{supply:,.0f} MWh of renewable supply without own guarantees of origin do not count in REF"
    if any(claim.used_mwh and claim.contract.technology is Technology.MIX for claim in year.claims):
        yield "energy of unstated mix does not count in REF"
    declared = site.declared_ref
    complete = {part.phase for part in year.parts} == {max(site.steps, key=lambda step: step.start).phase}
    if declared is not None and complete and abs(declared - year.ref) > 0.005:
        yield f"declared renewable share {declared:.3f}, but contracts that count give REF {year.ref:.3f}"


def _heat(year: Year, site: SiteEnergy) -> Iterator[str]:
    if any(sale.heat_pump for sale in site.sales):
        yield "the electricity of heat pumps is not in the plan's facility power"
    short = sum(delivery.short_mwh for month in year.months for delivery in month.deliveries)
    if short > 1e-6:
        yield f"{short:,.0f} MWh of promised heat cannot be delivered"
