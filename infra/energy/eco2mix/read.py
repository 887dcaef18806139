"""The reader of éCO2mix files: rows of text to a frame in UTC, with a finding for everything odd."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from infra.energy.eco2mix import columns
from infra.energy.eco2mix.data import SCHEMA, Eco2mix, gaps
from infra.energy.eco2mix.text import LIMIT, decode, rows, unpack
from infra.energy.eco2mix.times import Stamp, looks_dated, place, read_stamp
from infra.energy.findings import Log, Oddity
from infra.errors import UserError

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

_ABSENT = {"nd", "-", "--", "n/a", "na", "nan", "null", "none", "*"}
"""Marks of "no value"; RTE writes ND ("non disponible") and, in older files, a dash."""

_MOST = 1500.0
"""gCO2/kWh that no mix exceeds (lignite: about 1,100); a larger one is another unit or a damaged row."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    stamp: Stamp
    co2: float | None
    energy: tuple[float | None, ...]
    nature: str

    @property
    def silent(self) -> bool:
        return self.co2 is None and all(value is None for value in self.energy)


def load(path: Path) -> Eco2mix:
    """Read one file; see `parse`.

    Raises:
        UserError: the file cannot be read, or `parse` refuses it.
    """
    try:
        if path.stat().st_size > LIMIT:
            raise UserError(f"more than {LIMIT >> 20} MiB", where=str(path))
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror}", where=str(path)) from error
    return parse(raw, str(path))


def parse(raw: bytes, file: str) -> Eco2mix:
    """The content of one published file (text or .zip).

    Args:
        raw: its bytes.
        file: its name, for messages.

    Returns:
        Rows that have a CO2 rate, in UTC, ascending, each time once; and every oddity.

    Raises:
        UserError: no header, no time column or no CO2 rate column in it.
    """
    log = Log(file)
    try:
        numbered = list(rows(decode(unpack(raw, file))))
    except csv.Error as error:
        raise UserError(f"cannot split into fields: {error}", where=file) from error
    start = next((index for index, (_, cells) in enumerate(numbered) if any(c.strip() for c in cells)), None)
    if start is None:
        raise UserError("the file is empty", where=file)
    index = _header(numbered[start][1], file, numbered[start][0])
    read = [row for line, cells in numbered[start + 1 :] if (row := _row(line, cells, index, log))]
    times = place([(row.line, row.stamp) for row in read], log)
    dated = [(time, row) for time, row in zip(times, read, strict=True) if time is not None]
    return Eco2mix(_frame(_whole(dated, log), log), log.findings(), (file,))


def _header(cells: list[str], file: str, line: int) -> dict[str, int]:
    index: dict[str, int] = {}
    for position, label in enumerate(cells):
        index.setdefault(columns.field(label), position)
    if "date_heure" not in index and not {"date", "heure"} <= index.keys():
        seen = ", ".join(name for name in index if name)[:120]
        raise UserError(
            f"no time column in the header ({seen})",
            where=f"{file}:{line}",
            hint="expected date_heure, or Date and Heures, in the first row",
        )
    if columns.CO2 not in index:
        raise UserError(
            "no CO2 rate column (taux_co2) in the header",
            where=f"{file}:{line}",
            hint="regional and metropolitan files have none: take the national file",
        )
    return index


def _row(line: int, cells: list[str], index: dict[str, int], log: Log) -> _Row | None:
    cells = [cell.strip() for cell in cells]
    if not any(cells):
        log.add(line, Oddity.BLANK, "skipped")
        return None

    def cell(name: str) -> str:
        at = index.get(name)
        return cells[at] if at is not None and at < len(cells) else ""

    stamp = _stamp(line, cells, (cell("date"), cell("heure"), cell("date_heure")), log)
    if stamp is None:
        return None
    perimeter = cell("perimetre")
    if perimeter and perimeter.lower() != "france":
        log.add(line, Oddity.PERIMETER, f"{perimeter!r} is not France; row skipped")
        return None
    # Published rows may end with empty fields; a row that was cut ends before the CO2 rate.
    width = max(index.values()) + 1
    if len(cells) <= index[columns.CO2] or any(cells[width:]):
        log.add(line, Oddity.FIELDS, f"{len(cells)} instead of {width}; row skipped")
        return None
    co2 = _number(line, columns.CO2, cell(columns.CO2), log)
    if co2 is not None and not 0 <= co2 <= _MOST:
        log.add(line, Oddity.RANGE, f"{co2:g} g/kWh; value dropped")
        co2 = None
    energy = tuple(_number(line, name, cell(name), log) if name in index else None for name in columns.ENERGY)
    return _Row(line, stamp, co2, energy, cell("nature"))


def _stamp(line: int, cells: list[str], times: tuple[str, str, str], log: Log) -> Stamp | None:
    if not looks_dated(*times):
        if columns.field(times[0] or times[2]) in ("date", "date_heure"):
            log.add(line, Oddity.HEADER, "skipped")
        else:
            log.add(line, Oddity.TEXT, f"skipped: {' '.join(c for c in cells if c)[:60]!r}")
        return None
    stamp = read_stamp(*times)
    if stamp is None:
        log.add(line, Oddity.TIME, f"{' '.join(t for t in times if t)[:40]!r}; row skipped")
        return None
    moment = stamp.instant or stamp.wall
    assert moment is not None
    if moment.minute % 15 or moment.second or moment.microsecond:
        log.add(line, Oddity.OFF_STEP, f"{moment:%H:%M:%S}; row skipped")
        return None
    return stamp


def _number(line: int, column: str, text: str, log: Log) -> float | None:
    if not text:
        return None
    if text.lower() in _ABSENT:
        log.add(line, Oddity.VALUE, f"{column} is {text!r}")
        return None
    plain = text.replace("\u202f", "").replace("\xa0", "").replace(" ", "").replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        log.add(line, Oddity.NUMBER, f"{column} is {text[:20]!r}; value dropped")
        return None
    if value in (float("inf"), float("-inf")) or value != value:  # noqa: PLR0124 (NaN is not itself)
        log.add(line, Oddity.NUMBER, f"{column} is {text[:20]!r}; value dropped")
        return None
    return value


@cache
def _rank(nature: str) -> int:
    name = columns.slug(nature)
    return 2 if "definiti" in name else 1 if "consolid" in name else 0


def _whole(dated: list[tuple[datetime, _Row]], log: Log) -> list[tuple[datetime, int, _Row]]:
    """Rows with a CO2 rate and their step in minutes, ascending, each time once."""
    dated = sorted(dated, key=lambda item: (item[0], item[1].line))
    # A day is quarter-hourly if any of its quarters has a rate: half-hourly days leave :15 and :45 empty.
    quarterly: set[date] = {
        time.date() for time, row in dated if row.co2 is not None and (time.minute % 30 or _live(row.nature))
    }
    last = max((time for time, row in dated if not row.silent), default=None)
    kept: dict[datetime, _Row] = {}
    for time, row in dated:
        if row.co2 is None:
            _explain(time, row, last, log, half_hourly=time.date() not in quarterly)
            continue
        other = kept.get(time)
        if other is not None:
            same = (other.co2, other.energy) == (row.co2, row.energy)
            log.add(
                row.line,
                Oddity.DUPLICATE if same else Oddity.CONFLICT,
                "first one kept" if same else "the better nature, else the last one, kept",
            )
            if same or _rank(other.nature) > _rank(row.nature):
                continue
        kept[time] = row
    return [(time, 15 if time.date() in quarterly else 30, row) for time, row in kept.items()]


@cache
def _live(nature: str) -> bool:
    return "temps" in columns.slug(nature)


def _explain(time: datetime, row: _Row, last: datetime | None, log: Log, *, half_hourly: bool) -> None:
    within = last is not None and time < last + timedelta(minutes=30)
    if not row.silent:
        log.add(row.line, Oddity.VALUE, "other values without a CO2 rate; step dropped")
    elif not within:
        log.add(row.line, Oddity.FUTURE, "forecasts only, after the last value")
    elif half_hourly and time.minute % 30:
        log.add(row.line, Oddity.EMPTY, "no values at :15 and :45 of half-hourly data")
    elif last is not None and time > last:
        log.add(row.line, Oddity.FUTURE, "forecasts only, after the last value")
    else:
        log.add(row.line, Oddity.EMPTY, "no values; step dropped")


def _frame(kept: list[tuple[datetime, int, _Row]], log: Log) -> pl.DataFrame:
    names = list(columns.ENERGY.values())
    data: dict[str, list[object]] = {
        "time": [time for time, _, _ in kept],
        "minutes": [minutes for _, minutes, _ in kept],
        "gco2_per_kwh": [row.co2 for _, _, row in kept],
        **{name: [row.energy[at] for _, _, row in kept] for at, name in enumerate(names)},
        "nature": [row.nature for _, _, row in kept],
        "rank": [_rank(row.nature) for _, _, row in kept],
    }
    frame = pl.DataFrame(data, schema=SCHEMA)
    lines = {time: row.line for time, _, row in kept}
    for begin, end, steps in gaps(frame):
        span = f"{begin:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"
        log.add(lines[end], Oddity.GAP, f"no CO2 rate from {span}, steps: {steps}", steps)
    return frame
