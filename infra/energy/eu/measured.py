"""Measured values for the data sheet: a CSV with id, value, how and source."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from infra.energy.eu.regulation import ANNEX_1, ANNEX_2, Indicator
from infra.energy.eu.rows import Given, Status
from infra.errors import Problem, Problems, UserError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("id", "value", "how", "source")

_ASKED = {each.id: each for each in (*ANNEX_1, *ANNEX_2)}

_AT_MOST = (
    ("EIT", "EDC"),
    ("EDC-BG", "EDC"),
    ("EREUSE", "EDC"),
    ("WIN-POT", "WIN"),
    ("SCR", "SDC"),
    ("ERES-GOO", "ERES-TOT"),
    ("ERES-PPA", "ERES-TOT"),
    ("ERES-OS", "ERES-TOT"),
)
"""The first is a part of the second."""


def read_measured(path: Path) -> dict[str, Given]:
    """Metered values by id of the indicator.

    Args:
        path: UTF-8 CSV (`,` or `;`) with the columns of `COLUMNS`; `how` and `source` must not be empty: a
            value without its meter is not a measurement.

    Raises:
        UserError: the file cannot be read or has other columns.
        Problems: every wrong row, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read: {error}", where=str(path)) from error
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    if tuple(cell.strip() for cell in next(reader, [])) != COLUMNS:
        raise UserError("has other columns", where=f"{path}:1", hint=f"expected {','.join(COLUMNS)}")
    found: dict[str, Given] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        words = [cell.strip() for cell in cells]
        message = _mistake(words, found)
        if message:
            problems.append(Problem(str(path), reader.line_num, words[0] or "$", message))
            continue
        name, value, how, source = words
        number = float(value) if _ASKED[name].unit else value
        found[name] = Given(number, Status.MEASURED, how, source)
        lines[name] = reader.line_num
    problems += [Problem(str(path), lines[name], name, message) for name, message in _clashes(found)]
    if problems:
        raise Problems(problems)
    return found


def _mistake(words: list[str], found: dict[str, Given]) -> str | None:
    if len(words) != len(COLUMNS) or not all(words):
        return f"{', '.join(COLUMNS)} must all be given, and nothing else"
    if words[0] not in _ASKED:
        return "no such row in annexes I and II"
    if words[0] in found:
        return "is there twice"
    return _bad_number(_ASKED[words[0]], words[1])


def _bad_number(asked: Indicator, text: str) -> str | None:
    if not asked.unit:
        return None
    try:
        value = float(text)
    except ValueError:
        return f"{text!r} is not a number ({asked.unit})"
    if not math.isfinite(value) or (value < 0 and asked.unit != "°C"):
        return f"{text} {asked.unit} cannot be"
    return None


def _clashes(found: dict[str, Given]) -> list[tuple[str, str]]:
    """Measured values that contradict each other."""
    values = {name: given.number for name, given in found.items() if given.number is not None}
    clashes = [
        (part, f"{values[part]:g} exceeds {whole}, {values[whole]:g}")
        for part, whole in _AT_MOST
        if part in values and whole in values and values[part] > values[whole]
    ]
    parts = ("ERES-GOO", "ERES-PPA", "ERES-OS")
    if not clashes and "ERES-TOT" in values and all(part in values for part in parts):
        total = sum(values[part] for part in parts)
        if not math.isclose(total, values["ERES-TOT"], rel_tol=1e-6):
            clashes.append(("ERES-TOT", f"{values['ERES-TOT']:g} is not the sum of its parts, {total:g}"))
    return clashes
