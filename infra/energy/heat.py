"""Heat delivered to buyers against what was promised, month by month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.energy.calendar import hours, month_bounds

if TYPE_CHECKING:
    from infra.energy.balance import Stretch
    from infra.energy.inputs import HeatSale


@dataclass(frozen=True, slots=True)
class Delivery:
    """One buyer's month, in MWh thermal."""

    buyer: str
    committed_mwh: float
    delivered_mwh: float

    @property
    def short_mwh(self) -> float:
        """Heat that is missing."""
        return self.committed_mwh - self.delivered_mwh


@dataclass(frozen=True, slots=True)
class HeatMonth:
    """One month.

    Attributes:
        month: 1 to 12.
        captured_mwh: heat in the coolant.
        deliveries: by buyer, in the order of the declaration.
    """

    month: int
    captured_mwh: float
    deliveries: tuple[Delivery, ...]

    @property
    def delivered_mwh(self) -> float:
        """Heat that left the site."""
        return sum(delivery.delivered_mwh for delivery in self.deliveries)

    @property
    def rejected_mwh(self) -> float:
        """Captured heat that nobody takes."""
        return self.captured_mwh - self.delivered_mwh


def months(sales: tuple[HeatSale, ...], parts: tuple[Stretch, ...], year: int) -> tuple[HeatMonth, ...]:
    """Every month in service.

    A commitment of fewer hours than its months have is spread evenly over them. Captured heat serves
    commitments in the order of the declaration; a commitment counts from the site's first hour in service.
    """
    spans = {month: hours(*month_bounds(year, month)) for month in range(1, 13)}
    found = []
    for month in range(1, 13):
        here = [part for part in parts if part.month == month]
        if not here:
            continue
        captured = left = sum(part.captured_mwh for part in here)
        in_service = sum(part.hours for part in here)
        deliveries = []
        for sale in sales:
            available = sum(spans[number] for number in set(sale.months))
            share = min(1.0, sale.hours / available) if available else 0.0
            committed = sale.mw * in_service * share if month in sale.months else 0.0
            delivered = min(committed, left)
            left -= delivered
            deliveries.append(Delivery(sale.buyer, committed, delivered))
        found.append(HeatMonth(month, captured, tuple(deliveries)))
    return tuple(found)
