"""A row of the data sheet: one value, what it is, and how much it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.energy.eu.regulation import Indicator

Value = str | float | None


class Status(StrEnum):
    """How a value came to be, from the best to the worst."""

    MEASURED = "measured"
    DECLARED = "declared"
    PLANNED = "planned (simulated)"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Given:
    """A value with its provenance.

    Attributes:
        value: a number or text; None if unknown, then `status` is UNKNOWN.
        status: how it came to be.
        how: how it was measured, declared or planned.
        source: where that is written.
    """

    value: Value
    status: Status
    how: str
    source: str

    def __post_init__(self) -> None:
        assert (self.value is None) == (self.status is Status.UNKNOWN), self

    @property
    def number(self) -> float | None:
        """The value if it is a number."""
        return None if self.value is None or isinstance(self.value, str) else float(self.value)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: what is asked, and what is given."""

    indicator: Indicator
    given: Given


@dataclass(frozen=True, slots=True)
class Table:
    """One annex.

    Attributes:
        name: stem of its file.
        title: the annex's title.
        rows: in the regulation's order.
    """

    name: str
    title: str
    rows: tuple[Row, ...]


def worst(given: Iterable[Given]) -> Status:
    """Return the quality of a value made of several: the worst of theirs."""
    return max((each.status for each in given), key=list(Status).index)
