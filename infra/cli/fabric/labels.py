"""`gigasite fabric labels`: labels for both ends of the cables of a place, to print."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import arguments


def command(
    site: arguments.Site,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A pod, scalable unit, rack or device.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Sheets to print (HTML); CSV without it.")
    ] = None,
) -> None:
    """Print labels for both ends of each cable that begins in a place.

    FILE is a page of A4 sheets with 3 by 8 labels of 70 by 37 mm; print it without margins. Without --out the
    labels are printed as CSV, for a label printer's own program.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.report.diagrams.labels import PER_SHEET, Label, labels_of, print_sheets  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    found = labels_of(plan(load_site(site)), place)
    if out is None:
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(Label._fields)
        table.writerows(found)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(print_sheets(found, f"Cable labels of {place}"), encoding="utf-8")
    sheets = -(-len(found) // PER_SHEET)
    print(f"{len(found):,} labels of {len(found) // 2:,} cables on {sheets:,} sheets: {out}")
