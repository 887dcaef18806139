"""The data sheet as CSV files that a spreadsheet opens as they are."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.energy.eu.rows import Table, Value

HEADER = ("id", "point", "indicator", "symbol", "unit", "value", "status", "how", "source")


def text(table: Table) -> str:
    """One annex as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in table.rows:
        asked, given = row.indicator, row.given
        words = (asked.id, asked.point, asked.name, asked.symbol, asked.unit)
        writer.writerow([*words, cell(given.value), given.status, _safe(given.how), _safe(given.source)])
    return out.getvalue()


def write(tables: Iterable[Table], folder: Path) -> tuple[Path, ...]:
    """Write each annex to `FOLDER/NAME.csv`; UTF-8 with BOM, by which spreadsheets know the encoding.

    Raises:
        UserError: the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            path = folder / f"{table.name}.csv"
            path.write_bytes(text(table).encode("utf-8-sig"))
            written.append(path)
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=str(folder)) from error
    return tuple(written)


def cell(value: Value) -> str:
    """A value as a cell: whole numbers from 1,000 on, six significant digits below, nothing for unknown."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _safe(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.6g}"


def _safe(words: str) -> str:
    """Text that a spreadsheet would run as a formula, made harmless (names may come from anywhere)."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words
