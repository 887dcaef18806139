"""The bytes of an éCO2mix file to rows of text: zip, encoding, separator."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 512 * 2**20
"""Bytes of text that are read at most; a year of national data has about 6 MB."""

_OLE = b"\xd0\xcf\x11\xe0"  # magic of a real .xls workbook


def unpack(raw: bytes, file: str) -> bytes:
    """The text inside a published .zip, or the bytes themselves.

    Raises:
        UserError: a real spreadsheet, a damaged archive, or more than one file in it.
    """
    if raw.startswith(_OLE):
        raise _spreadsheet(file)
    if not raw.startswith(b"PK\x03\x04"):
        return raw
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            if any(item.filename == "[Content_Types].xml" for item in members):
                raise _spreadsheet(file)
            if len(members) != 1:
                raise UserError(
                    f"the archive holds {len(members)} files, one is expected", where=file, hint="unpack it"
                )
            if members[0].file_size > LIMIT:
                raise UserError(f"more than {LIMIT >> 20} MiB of text", where=file)
            return archive.read(members[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UserError(f"cannot unpack: {error}", where=file) from error


def _spreadsheet(file: str) -> UserError:
    return UserError(
        "this is a spreadsheet, not the published text",
        where=file,
        hint="save it as CSV, or take the file as RTE publishes it",
    )


def decode(raw: bytes) -> str:
    """UTF-8 with or without BOM, UTF-16 with BOM, else Windows-1252 or Latin-1."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


def separator(header: str) -> str:
    """The separator of a header line: the one of tab, `;` and `,` that occurs most."""
    return max("\t;,", key=header.count)


def rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, fields) of each row, blank ones too; the first row decides the separator.

    Raises:
        csv.Error: a quote that is never closed, or a field beyond the module's limit.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = separator(first)
    # The tab form never quotes: a stray quote in it must not swallow the rows after it.
    quote = None if mark == "\t" else '"'
    reader = csv.reader(
        io.StringIO(text),
        delimiter=mark,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    before = 0
    for fields in reader:
        yield before + 1, fields
        before = reader.line_num
