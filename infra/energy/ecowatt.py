"""RTE's EcoWatt: the hourly tension of the French grid, from today to J+3.

Source: API Ecowatt v4 and v5 of data.rte-france.com, `GET /open_api/ecowatt/v5/signals`. It answers
`{"signals": [{"GenerationFichier", "jour", "dvalue", "message", "values": [{"pas", "hvalue"}]}]}`: `pas` is
the local hour, 0 to 23; `hvalue` is 1 green, 2 orange, 3 red, and since v5 also 0, green with carbon-free
generation; `dvalue` (1 to 3) sums the day up. Forecasts are made about 17 h each day (Fridays 12 h).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.energy.calendar import HOUR, PARIS, midnight
from infra.energy.findings import Finding, Log, Oddity
from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {0: "green, carbon-free", 1: "green", 2: "orange", 3: "red"}
"""Level → what RTE calls it."""

SCHEMA: dict[str, pl.DataType] = {
    "time": pl.Datetime("us", "UTC"),
    "level": pl.Int8(),
    "day_level": pl.Int8(),
    "made": pl.Datetime("us", "UTC"),
}

_LIMIT = 4 * 2**20


@dataclass(frozen=True)
class EcoWatt:
    """EcoWatt signals.

    Attributes:
        frame: one row an hour that really is (23 or 25 on days that change clocks): `time` (start, UTC),
            `level`
            (0 to 3), `day_level` (1 to 3, null if unusable), `made` (when RTE made it, null if it does not
            say).
        findings: every oddity met.
        file: its name.
    """

    frame: pl.DataFrame
    findings: tuple[Finding, ...]
    file: str

    def level(self, now: datetime) -> tuple[int, datetime | None] | None:
        """The level of the hour that `now` is in, and when RTE made it; None if there is no such hour."""
        here = self.frame.filter((pl.col("time") <= now) & (pl.col("time") > now - HOUR))
        return None if here.is_empty() else (int(here["level"][-1]), here["made"][-1])

    def next_at_most(self, limit: int, now: datetime) -> datetime | None:
        """The start of the next hour after `now` whose level is at most `limit`."""
        later = self.frame.filter((pl.col("time") > now) & (pl.col("level") <= limit))
        return None if later.is_empty() else later["time"][0]


def load(path: Path) -> EcoWatt:
    """Read the API's answer from a file; see `parse`.

    Raises:
        UserError: the file cannot be read, or is not such an answer.
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise UserError(f"more than {_LIMIT >> 20} MiB", where=str(path))
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror}", where=str(path)) from error
    return parse(raw, str(path))


def parse(raw: bytes, file: str) -> EcoWatt:
    """The API's answer.

    A day or an hour that is not as published is left out and reported, never guessed: a gate must know that
    it does not know. Of two signals for one day, the one that RTE made later counts.

    Raises:
        UserError: not JSON, or not of the API's form.
    """
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"not JSON: {error}", where=file) from error
    signals = content.get("signals") if isinstance(content, dict) else None
    if not isinstance(signals, list):
        reason = content.get("error") if isinstance(content, dict) else None
        raise UserError(
            f"no list `signals`{f' (the API answered {reason!r})' if reason else ''}",
            where=file,
            hint="expected the answer of the API Ecowatt v4 or v5",
        )
    log = Log(file)
    days: dict[date, _Day] = {}
    for number, signal in enumerate(signals, start=1):
        _signal(number, signal, days, log)
    rows = [
        (hour, levels[local], day_level, made)
        for day, (made, levels, day_level) in sorted(days.items())
        for hour, local in _hours(day)
        if local in levels
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("time")
    return EcoWatt(frame, log.findings(), file)


_Day = tuple[datetime | None, dict[int, int], int | None]
"""When it was made, level by clock hour, the day's level."""


def _signal(number: int, signal: Any, days: dict[date, _Day], log: Log) -> None:
    if not isinstance(signal, dict):
        log.add(number, Oddity.DAY, "not an object; left out")
        return
    stamp = _moment(signal.get("GenerationFichier"))
    if stamp is None:
        log.add(number, Oddity.TIME, f"GenerationFichier is {signal.get('GenerationFichier')!r}")
    day = _day(signal.get("jour"))
    if day is None:
        log.add(number, Oddity.DAY, f"jour is {signal.get('jour')!r}; left out")
        return
    day_level = signal.get("dvalue")
    if type(day_level) is not int or day_level not in (1, 2, 3):
        log.add(number, Oddity.RANGE, f"{day}: dvalue is {day_level!r}")
        day_level = None
    levels = _levels(number, day, signal.get("values"), log)
    if day in days:
        log.add(number, Oddity.DUPLICATE, f"{day} is there twice; the one made later counts")
        other = days[day][0]
        if other is not None and (stamp is None or other > stamp):
            return
    days[day] = (stamp, levels, day_level)


def _levels(number: int, day: date, values: Any, log: Log) -> dict[int, int]:
    levels: dict[int, int] = {}
    for value in values if isinstance(values, list) else []:
        step = value.get("pas") if isinstance(value, dict) else None
        level = value.get("hvalue") if isinstance(value, dict) else None
        if type(step) is not int or not 0 <= step <= 23:
            log.add(number, Oddity.HOUR, f"{day}: pas is {step!r}; hour left out")
        elif type(level) is not int or level not in COLOURS:
            log.add(number, Oddity.RANGE, f"{day} {step} h: hvalue is {level!r}; hour left out")
        elif levels.setdefault(step, level) != level:
            log.add(number, Oddity.CONFLICT, f"{day} {step} h is there twice; the worse level counts")
            levels[step] = max(levels[step], level)
    missing = [str(hour) for _, hour in _hours(day) if hour not in levels]
    if missing:
        log.add(
            number, Oddity.HOUR, f"{day}: no value for {', '.join(dict.fromkeys(missing))} h", len(missing)
        )
    return levels


def _hours(day: date) -> list[tuple[datetime, int]]:
    """The hours of a local day: start in UTC, and the clock's hour."""
    found = []
    hour, end = midnight(day), midnight(day + timedelta(days=1))
    while hour < end:
        found.append((hour, hour.astimezone(PARIS).hour))
        hour += HOUR
    return found


def _day(value: Any) -> date | None:
    """`2026-11-22` or `2026-11-22T00:00:00+01:00`: the date as it is written, which is the French one."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=PARIS)).astimezone(UTC)


def merge(parts: tuple[EcoWatt, ...]) -> EcoWatt:
    """Several answers as one: for each hour, the level that RTE made last."""
    frame = (
        pl.concat([part.frame for part in parts])
        .sort("time", "made", nulls_last=False)
        .unique("time", keep="last", maintain_order=True)
    )
    return EcoWatt(
        frame,
        tuple(finding for part in parts for finding in part.findings),
        ", ".join(part.file for part in parts),
    )
