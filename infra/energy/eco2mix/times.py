"""The time columns of éCO2mix rows: with and without offset, on days of 23, 24 and 25 hours."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.energy.calendar import PARIS, Wall, to_utc, wall_kind
from infra.energy.findings import Log, Oddity

_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_DATE_LIKE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{4}")


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a row says it is: an instant, or a wall-clock time that is still to be placed."""

    instant: datetime | None
    wall: datetime | None


def looks_dated(*cells: str) -> bool:
    """Whether any cell has something like a date; disclaimers and titles have none."""
    return any(_DATE_LIKE.search(cell) for cell in cells)


def read_stamp(day: str, hour: str, both: str) -> Stamp | None:
    """A row's time from its columns `date`, `heure`, `date_heure` (empty if absent); None if unreadable."""
    moment = _parse(both) if both else None
    wall = _parse(f"{day} {hour}") if day and hour else None
    if moment is not None and moment.tzinfo is not None:
        return Stamp(moment.astimezone(UTC), wall)
    wall = moment if moment is not None else wall
    if wall is None:
        return None
    return Stamp(wall.astimezone(UTC), None) if wall.tzinfo is not None else Stamp(None, wall)


def _parse(text: str) -> datetime | None:
    iso = _FRENCH.sub(lambda found: f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}", text.strip())
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        return None


def place(stamps: list[tuple[int, Stamp]], log: Log) -> list[datetime | None]:
    """Each row's start in UTC, or None for a time that never was; findings say what was decided.

    A wall-clock time of the hour that autumn repeats is taken by its order in the file: the first row is
    summer time if the file ascends. If the file has it once only, it is taken as summer time, and the winter
    hour stays empty.
    """
    walls = [stamp.wall for _, stamp in stamps if stamp.instant is None and stamp.wall is not None]
    descending = len(walls) > 1 and walls[0] > walls[-1]
    kinds = {wall: wall_kind(wall) for wall in walls}
    total = Counter(wall for wall in walls if kinds[wall] is Wall.REPEATED)
    seen: Counter[datetime] = Counter()
    placed: list[datetime | None] = []
    for line, stamp in stamps:
        if stamp.instant is not None:
            _compare(line, stamp, log)
            placed.append(stamp.instant)
            continue
        wall = stamp.wall
        assert wall is not None
        kind = kinds[wall]
        if kind is Wall.SKIPPED:
            log.add(line, Oddity.SPRING, f"{wall:%Y-%m-%d %H} h never was on a clock in France; rows dropped")
            placed.append(None)
        elif kind is Wall.REPEATED:
            seen[wall] += 1
            second = total[wall] > 1 and (seen[wall] > 1) is not descending
            if total[wall] > 1:
                log.add(
                    line, Oddity.AUTUMN, f"{wall:%Y-%m-%d %H} h is there twice; told apart by order of rows"
                )
            else:
                log.add(
                    line,
                    Oddity.AUTUMN,
                    f"{wall:%Y-%m-%d %H} h is there once; taken as summer time, the winter hour has no data",
                )
            placed.append(to_utc(wall, second=second))
        else:
            placed.append(to_utc(wall))
    return placed


def _compare(line: int, stamp: Stamp, log: Log) -> None:
    """Report a row whose date and hour are not its instant in French legal time; the instant is believed."""
    if stamp.instant is None or stamp.wall is None or stamp.wall.tzinfo is not None:
        return
    if stamp.instant.astimezone(PARIS).replace(tzinfo=None) != stamp.wall:
        log.add(
            line, Oddity.CLOCK, "date and heure are not date_heure in French legal time; date_heure taken"
        )
