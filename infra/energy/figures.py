"""The figures of one calendar year of a site, and its indicators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.energy import carbon, indicators
from infra.energy.inputs import Instrument

if TYPE_CHECKING:
    from infra.energy import balance, heat, hourly


@dataclass(frozen=True, slots=True)
class PhaseShare:
    """Share of one phase in a year.

    Attributes:
        phase: the latest phase in service then.
        hours: how long.
        edc_mwh, eit_mwh, captured_mwh: energies.
        location_tonnes, market_tonnes: tCO2e, both claims.
    """

    phase: str
    hours: float
    edc_mwh: float
    eit_mwh: float
    captured_mwh: float
    location_tonnes: float
    market_tonnes: float


@dataclass(frozen=True, slots=True)
class Year:
    """A calendar year; energies in MWh, emissions in tCO2e. Simulated: numbers from a plan, nothing metered.

    Attributes:
        site: its name.
        year: calendar year (legal time).
        hours: in service.
        parts: stretches of constant power.
        phases: sums by phase, ascending.
        location: location-based emissions.
        market: market-based emissions.
        claims: contracts counted.
        months: heat by month.
        water_m3: water input, None if unknown.
        matching: how much contracts cover step by step; None without a whole year of éCO2mix.
        notes: what a reader must know to judge the figures.
    """

    site: str
    year: int
    hours: float
    parts: tuple[balance.Stretch, ...]
    phases: tuple[PhaseShare, ...]
    location: carbon.Location
    market: carbon.Market
    claims: tuple[carbon.Claim, ...]
    months: tuple[heat.HeatMonth, ...]
    water_m3: float | None
    matching: hourly.Matching | None
    notes: tuple[str, ...]

    @property
    def edc_mwh(self) -> float:
        """Total energy."""
        return sum(part.edc_mwh for part in self.parts)

    @property
    def eit_mwh(self) -> float:
        """Energy of IT equipment."""
        return sum(part.eit_mwh for part in self.parts)

    @property
    def captured_mwh(self) -> float:
        """Heat in the coolant."""
        return sum(part.captured_mwh for part in self.parts)

    @property
    def other_heat_mwh(self) -> float:
        """IT heat that leaves by air."""
        return self.eit_mwh - self.captured_mwh

    @property
    def reused_mwh(self) -> float:
        """Heat delivered to buyers (EREUSE)."""
        return sum(month.delivered_mwh for month in self.months)

    @property
    def location_tonnes(self) -> float:
        """Location-based tCO2e."""
        return sum(self.location.tonnes)

    @property
    def renewable_mwh(self) -> float:
        """Contracted renewable energy that counts in ERES-TOT: GOO and PPA, not plain supply."""
        sums = carbon.renewable_by_instrument(self.claims)
        return sums[Instrument.PPA] + sums[Instrument.GUARANTEES]

    @property
    def pue(self) -> float:
        """EDC / EIT."""
        return indicators.pue(self.edc_mwh, self.eit_mwh)

    @property
    def wue(self) -> float | None:
        """WIN / EIT in m³/MWh, None if water is unknown."""
        return None if self.water_m3 is None else indicators.wue(self.water_m3, self.eit_mwh)

    @property
    def erf(self) -> float:
        """EREUSE / EDC."""
        return indicators.erf(self.reused_mwh, self.edc_mwh)

    @property
    def erf_ceiling(self) -> float:
        """ERF if every captured MWh found a buyer."""
        return indicators.erf(self.captured_mwh, self.edc_mwh)

    @property
    def ref(self) -> float:
        """ERES-TOT / EDC."""
        return indicators.ref(self.renewable_mwh, self.edc_mwh)
