"""How much of a year's use its contracts would cover step by step, not in yearly sums.

The share is that of 24/7 carbon-free energy matching ("24/7 Carbon-Free Energy: Methodologies and Metrics",
Google, 2021), contracted part only: in each step, at most the use of that step counts. No contract's own
generation is known to a plan, so each technology follows its national profile in éCO2mix: a proxy, and named
so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from infra.energy.calendar import midnight
from infra.energy.carbon import WHOLE_YEAR_HOURS
from infra.energy.inputs import Technology

if TYPE_CHECKING:
    from infra.energy.balance import Stretch
    from infra.energy.eco2mix import Eco2mix
    from infra.energy.inputs import Contract, SiteEnergy

PROFILES = {
    Technology.NUCLEAR: "nuclear_mw",
    Technology.WIND: "wind_mw",
    Technology.SOLAR: "solar_mw",
    Technology.HYDRO: "hydro_mw",
}
"""Technology → column of éCO2mix whose shape its contracts take."""

_YEAR_HOURS = 8760.0


@dataclass(frozen=True, slots=True)
class Matching:
    """Step-by-step cover of a year.

    Attributes:
        share: of the year's energy, 0 to 1, that carbon-free contracts cover in the step in which it is used.
        yearly_share: the same by yearly sums, for comparison.
        without_profile: contracts left out because their technology has no profile.
    """

    share: float
    yearly_share: float
    without_profile: tuple[str, ...]


def matching(site: SiteEnergy, parts: tuple[Stretch, ...], mix: Eco2mix | None) -> Matching | None:
    """Cover of the stretches, each by the steps of its calendar month; None without a whole year of data."""
    free = [contract for contract in site.contracts if contract.gco2_per_kwh == 0]
    known = [contract for contract in free if contract.technology in PROFILES]
    if mix is None or not known:
        return None
    columns = sorted({PROFILES[contract.technology] for contract in known})
    steps = mix.frame.drop_nulls(columns).with_columns(
        month=pl.col("time").dt.convert_time_zone("Europe/Paris").dt.month(), hours=pl.col("minutes") / 60
    )
    if float(steps["hours"].sum() or 0) < WHOLE_YEAR_HOURS or steps["month"].n_unique() < 12:
        return None
    # Each profile with mean 1 over the data; negative values (stations' own use) generate nothing.
    shapes = steps.with_columns(pl.col(columns).clip(0))
    means = {
        name: float((shapes[name] * shapes["hours"]).sum()) / float(shapes["hours"].sum()) for name in columns
    }
    covered = yearly = total = 0.0
    for part in parts:
        month = shapes.filter(pl.col("month") == part.month)
        offered = pl.lit(0.0)
        mean_offer = 0.0
        for contract in known:
            name = PROFILES[contract.technology]
            power = _running(contract, part) * contract.mwh_per_year / _YEAR_HOURS
            mean_offer += power
            if means[name]:
                offered = offered + pl.col(name) / means[name] * power
        used = month.select(
            (pl.min_horizontal(offered, pl.lit(part.facility_mw)) * pl.col("hours")).sum()
            / pl.col("hours").sum()
        ).item()
        covered += float(used) * part.hours
        yearly += mean_offer * part.hours
        total += part.edc_mwh
    return Matching(
        covered / total, min(1.0, yearly / total), tuple(each.name for each in free if each not in known)
    )


def _running(contract: Contract, part: Stretch) -> float:
    """The part of a stretch's time in which a contract runs."""
    begin = max(part.start, midnight(contract.start))
    end = min(part.end, midnight(contract.end + timedelta(days=1)))
    return max(0.0, (end - begin) / (part.end - part.start))
