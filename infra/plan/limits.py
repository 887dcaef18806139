"""One limit at one place: what is allowed, what is used, where the limit comes from, and what would fit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A measured limit.

    Attributes:
        place: where on the site.
        case: `N` with everything working, `N-1` (or more) with the declared spares out.
        value: what is used.
        limit: what is allowed.
        unit: of both.
        path: where in the declaration.
        source: of the limit.
        fits: what would fit, in words.
        at_least: the value must reach the limit instead of keeping below it.
    """

    place: str
    case: str
    value: float
    limit: float
    unit: str
    path: str
    source: str
    fits: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; a billionth of it is left to rounding."""
        slack = 1e-9 * max(abs(self.limit), 1.0)
        if self.at_least:
            return self.value >= self.limit - slack
        return self.value <= self.limit + slack


def number(value: float) -> str:
    """A figure as people read it: thousands marked, no more digits than say something."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:,.{digits}f}"


def megawatts(watts: float) -> float:
    """Watts as MW."""
    return watts / 1e6
