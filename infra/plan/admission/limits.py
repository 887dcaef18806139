"""One limit at one place: what is allowed, what is used, where the limit comes from, and what would fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from infra.plan.plan import Plan


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
        count: places with the same value; `place` is the first of them.
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
    count: int = 1

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
    text = f"{value:,.{digits}f}"
    # Zeros behind the point say nothing, but for a figure that is only nearly zero.
    return text.rstrip("0").rstrip(".") if digits and _read(text) else text


def apart(value: float, limit: float) -> tuple[str, str]:
    """Two figures that differ, with as many digits as it takes to see that."""
    texts = number(value), number(limit)
    if _read(texts[0]) != _read(texts[1]):
        return texts
    for digits in range(1, 10):
        texts = f"{value:,.{digits}f}", f"{limit:,.{digits}f}"
        if texts[0] != texts[1]:
            break
    return texts


def small(limit: Limit) -> tuple[float, str]:
    """Factor and unit in which a limit is read: below one megawatt people count kilowatts."""
    name, _, rest = limit.unit.partition(" ")
    if name == "MW" and max(abs(limit.value), abs(limit.limit)) < 1:
        return 1e3, f"kW {rest}".strip()
    return 1.0, limit.unit


def _read(text: str) -> float:
    return float(text.replace(",", ""))


def megawatts(watts: float) -> float:
    """Watts as MW."""
    return watts / 1e6


def cases(count: int, spare: int) -> list[tuple[str, int]]:
    """Cases to check: everything working, and the declared number of spares out."""
    return [("N", count)] + ([(f"N-{spare}", count - spare)] if spare else [])


def facility_w(plan: Plan) -> float:
    """Watts at the connection point of what is in scope; of IT alone where no PUE is declared."""
    table = plan.power
    if not table.height:
        return 0.0
    known = table.item(0, "facility_w")
    return float(table.item(0, "it_w") if known is None else known)


def distinct(frame: pl.DataFrame, column: str) -> list[tuple[str, float, int]]:
    """Values of a column with the first place that has each and how many have it; most places are alike."""
    rounded = frame.select("name", pl.col(column).round(3).alias("value"), pl.col(column).alias("exact"))
    return rounded.group_by("value", maintain_order=True).agg(
        pl.col("name").first(), pl.col("exact").first(), pl.len()
    ).select("name", "exact", "len").rows()  # fmt: skip


def form_path(plan: Plan, form: int) -> str:
    """Where the declaration says what a form of rack holds."""
    for index, exception in enumerate(plan.site.exceptions):
        if exception.rack is plan.geometry.declared[form]:
            return f"$.exceptions[{index}].rack"
    return "$.layout.rack"
