"""Energy and captured heat of a calendar year: months cut at the days on which phases enter service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.energy.calendar import hours, midnight, month_bounds

if TYPE_CHECKING:
    from datetime import datetime

    from infra.energy.inputs import SiteEnergy


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time within one month in which one set of phases is in service.

    Attributes:
        month: 1 to 12.
        phase: the latest phase in service.
        start, end: [start, end) in UTC.
        facility_mw, it_mw, capture_mw: mean powers, the load factor in them.
    """

    month: int
    phase: str
    start: datetime
    end: datetime
    facility_mw: float
    it_mw: float
    capture_mw: float

    @property
    def hours(self) -> float:
        """Its length."""
        return hours(self.start, self.end)

    @property
    def edc_mwh(self) -> float:
        """Total energy."""
        return self.facility_mw * self.hours

    @property
    def eit_mwh(self) -> float:
        """Energy of IT equipment."""
        return self.it_mw * self.hours

    @property
    def captured_mwh(self) -> float:
        """Heat in the coolant."""
        return self.capture_mw * self.hours


def stretches(site: SiteEnergy, year: int) -> tuple[Stretch, ...]:
    """The year's stretches in service, ascending and without overlap; none before the first phase."""
    starts = [(midnight(step.start), step) for step in sorted(site.steps, key=lambda step: step.start)]
    found: list[Stretch] = []
    for month in range(1, 13):
        first, last = month_bounds(year, month)
        for index, (begin, step) in enumerate(starts):
            until = starts[index + 1][0] if index + 1 < len(starts) else last
            start, end = max(begin, first), min(until, last)
            if start < end:
                powers = (power * site.load for power in (step.facility_mw, step.it_mw, step.capture_mw))
                found.append(Stretch(month, step.phase, start, end, *powers))
    return tuple(found)
