"""One line of a diff between two plans, and how one is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a diff.

    Attributes:
        layer: such as racks, power, cables.
        item: what changes.
        before, after: figures or words; None where there is none on that side.
        count: how many equal changes this stands for.
        where: the first place of them, or the range of places.
        unit: of the figures.
    """

    layer: str
    item: str
    before: float | str | None
    after: float | str | None
    count: int = 1
    where: str = ""
    unit: str = ""

    @property
    def delta(self) -> float | None:
        """After minus before, where both are figures."""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return None
        return (self.after or 0) - (self.before or 0)


def compare_values(
    layer: str, item: str, before: Any, after: Any, *, unit: str = "", where: str = ""
) -> Iterator[Change]:
    """Yield one change, if the two figures or words differ by more than rounding."""
    if before == after:
        return
    if isinstance(before, float) and isinstance(after, float):
        scale = max(abs(before), abs(after))
        if abs(before - after) <= 1e-9 * scale:
            return
    yield Change(layer, item, before, after, where=where, unit=unit)


def span(first: str, last: str) -> str:
    """A range of places."""
    return first if first == last else f"{first} … {last}"
