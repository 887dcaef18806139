"""Findings in published data: every odd row is reported with its line, none is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Oddity(StrEnum):
    """The kinds of oddity met in published grid data."""

    BLANK = "blank row"
    TEXT = "text row"
    HEADER = "repeated header"
    FIELDS = "wrong number of fields"
    PERIMETER = "other perimeter"
    TIME = "unreadable time"
    OFF_STEP = "time off the quarter hour"
    CLOCK = "time columns disagree"
    SPRING = "hour that spring skips"
    AUTUMN = "hour that autumn repeats"
    DUPLICATE = "duplicate"
    CONFLICT = "duplicate with other values"
    NUMBER = "not a number"
    RANGE = "out of range"
    EMPTY = "empty step"
    FUTURE = "not yet published"
    VALUE = "value missing"
    GAP = "gap"
    DAY = "unusable day"
    HOUR = "hour missing"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One oddity, or a run of equal ones.

    Attributes:
        file: name of the file.
        line: line of the first one, from 1 (for JSON, the index of the signal, from 1).
        kind: what sort it is.
        message: what was seen and what was done about it.
        count: how many rows (or steps, for gaps) it stands for.
        last_line: line of the last one.
    """

    file: str
    line: int
    kind: Oddity
    message: str
    count: int = 1
    last_line: int = 0

    def __str__(self) -> str:
        lines = f"{self.line}-{self.last_line}" if self.last_line > self.line else str(self.line)
        times = f" ({self.count} times)" if self.count > 1 and self.kind is not Oddity.GAP else ""
        return f"{self.file}:{lines}: {self.kind}: {self.message}{times}"


class Log:
    """Collects findings; equal ones (same kind and message) become one with a count."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._seen: dict[tuple[Oddity, str], tuple[int, int, int]] = {}

    def add(self, line: int, kind: Oddity, message: str, count: int = 1) -> None:
        """Note an oddity at a line."""
        first, last, before = self._seen.get((kind, message), (line, line, 0))
        self._seen[kind, message] = (min(first, line), max(last, line), before + count)

    def findings(self) -> tuple[Finding, ...]:
        """All of them in file order."""
        return tuple(
            sorted(
                Finding(self.file, first, kind, message, count, last)
                for (kind, message), (first, last, count) in self._seen.items()
            )
        )
