"""`gigasite energy`: a site's energy, heat and carbon by year, its grid guard, the EU's data sheet."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.arguments import Json, Site
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.energy.eco2mix import Eco2mix
    from infra.energy.ecowatt import EcoWatt
    from infra.energy.figures import Year
    from infra.energy.guard import Gate
    from infra.energy.site_model import SiteModel


class Report(StrEnum):
    """A report that others define."""

    EU = "eu"


def command(
    site: Site,
    eco2mix: Annotated[
        list[Path] | None,
        typer.Option(help="RTE éCO2mix file, CSV or .xls or .zip as published; several are merged."),
    ] = None,
    ecowatt: Annotated[Path | None, typer.Option(help="Answer of RTE's API Ecowatt, JSON.")] = None,
    year: Annotated[
        list[int] | None, typer.Option(help="Calendar year; several are allowed. Default: all of the phases.")
    ] = None,
    months: Annotated[bool, typer.Option("--months", help="Show heat month by month.")] = False,
    now: Annotated[
        str | None, typer.Option(help="Judge the grid guard at this time (ISO 8601). Default: now.")
    ] = None,
    report: Annotated[
        Report | None, typer.Option(help="Write a report: `eu` is the data sheet of (EU) 2024/1364.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report. Default: out/SITE/eu-YEAR.")] = None,
    measured: Annotated[
        Path | None, typer.Option(help="Metered values for the report: CSV with id,value,how,source.")
    ] = None,
    as_json: Json = False,
) -> None:
    """PUE, WUE, ERF, REF, carbon and heat of a site, by year and phase.

    Both carbon claims are shown: location-based (what the grid emits) and market-based (what was contracted).
    All figures are simulated: they follow from the plan, nothing is metered.
    """
    from infra.energy import output, site_model  # noqa: PLC0415 (polars loads only when it is needed)
    from infra.energy import year as years  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    if report is None and (out or measured):
        raise UserError("--out and --measured belong to a report", hint="add `--report eu`")
    moment = _moment(now)
    mix, signals = _read(eco2mix or [], ecowatt)
    model = site_model.build_model(load_site(site))
    wanted = sorted(set(year)) if year else model.years(moment.year)
    computed = tuple(years.compute(model.energy, each, mix) for each in wanted)
    if report is Report.EU:
        _report(model, computed, out, measured)
        return
    gates = _gates(model, moment, signals, mix)
    findings = (*(mix.findings if mix else ()), *(signals.findings if signals else ()))
    stamp = f"{moment:%Y-%m-%d %H:%M} UTC" if model.guard else None
    sheet = output.Sheet(model.energy, computed, gates, stamp, findings)
    if as_json:
        print(json.dumps(output.format_json(sheet), indent=2, ensure_ascii=False))
    else:
        print(output.format_text(sheet, months=months))


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"--now {text!r} is not a time", hint="write it like 2026-11-21T18:00+01:00"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _read(files: list[Path], ecowatt: Path | None) -> tuple[Eco2mix | None, EcoWatt | None]:
    from infra.energy import eco2mix as reader  # noqa: PLC0415
    from infra.energy import ecowatt as signals  # noqa: PLC0415

    mix = reader.merge(tuple(reader.load(path) for path in files)) if files else None
    return mix, signals.load(ecowatt) if ecowatt else None


def _gates(
    model: SiteModel, moment: datetime, signals: EcoWatt | None, mix: Eco2mix | None
) -> tuple[Gate, ...]:
    """By the files of the command line, and where it names none, by those in the site's state."""
    from infra import paths  # noqa: PLC0415
    from infra.energy import grid_data  # noqa: PLC0415
    from infra.energy.guard import gates  # noqa: PLC0415

    if model.guard is None:
        return ()
    if signals is None or mix is None:
        kept = grid_data.read_grid_data(paths.ROOT / ".gigasite" / model.energy.name / "grid")
        for problem in kept.problems:
            print(problem, file=sys.stderr)
        signals, mix = signals or kept.ecowatt, mix or kept.eco2mix
    return gates(model.guard, moment, signals, mix)


def _report(model: SiteModel, computed: tuple[Year, ...], out: Path | None, measured: Path | None) -> None:
    from infra import paths  # noqa: PLC0415
    from infra.energy import eu  # noqa: PLC0415

    if len(computed) != 1:
        raise UserError("the report covers one calendar year", hint="name it: `--year 2027`")
    (year,) = computed
    values = eu.read_measured(measured) if measured else {}
    tables = eu.tables(model.energy, year, model.facts(year.year), values)
    folder = out or paths.out(model.energy.name) / f"eu-{year.year}"
    for path in eu.write(tables, folder):
        print(path)
    rows = [row for table in tables for row in table.rows]
    unknown = [row.indicator.id for row in rows if row.given.value is None]
    print(f"{len(rows)} rows for {year.year}, {len(unknown)} unknown: {', '.join(unknown) or 'none'}")
