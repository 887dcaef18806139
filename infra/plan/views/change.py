"""One line of a diff between two plans."""

from __future__ import annotations

from dataclasses import dataclass


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
