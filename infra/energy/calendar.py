"""Legal time and UTC: how long a month or year of a zone really is, and what its wall clock means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
"""The zone of RTE's published times."""

HOUR = timedelta(hours=1)


class Wall(StrEnum):
    """Kind of a wall-clock time on its day."""

    PLAIN = "plain"
    SKIPPED = "skipped"
    """It never was: clocks went forward over it."""
    REPEATED = "repeated"
    """It was twice: clocks went back over it."""


def midnight(day: date, zone: ZoneInfo = PARIS) -> datetime:
    """The start of a local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def wall_kind(wall: datetime, zone: ZoneInfo = PARIS) -> Wall:
    """Whether a naive wall-clock time exists once, twice or never."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if early == late:
        return Wall.PLAIN
    # PEP 495: in a gap the offset of fold=0 is the smaller one, in an overlap the larger one.
    assert early is not None
    assert late is not None
    return Wall.SKIPPED if early < late else Wall.REPEATED


def to_utc(wall: datetime, *, second: bool = False, zone: ZoneInfo = PARIS) -> datetime:
    """A naive wall-clock time in UTC; `second` takes the later one of a repeated hour."""
    return wall.replace(tzinfo=zone, fold=int(second)).astimezone(UTC)


def hours(start: datetime, end: datetime) -> float:
    """Hours between two instants."""
    return (end - start) / HOUR


def year_bounds(year: int, zone: ZoneInfo = PARIS) -> tuple[datetime, datetime]:
    """A local calendar year as [start, end) in UTC."""
    return midnight(date(year, 1, 1), zone), midnight(date(year + 1, 1, 1), zone)


def month_bounds(year: int, month: int, zone: ZoneInfo = PARIS) -> tuple[datetime, datetime]:
    """A local calendar month as [start, end) in UTC; 743 or 745 h long where the clocks change."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return midnight(date(year, month, 1), zone), midnight(following, zone)
