"""`gigasite plan`: expand a declaration, say what it holds and needs, and what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from infra.plan import Plan
    from infra.plan.admission.findings import Finding


def command(
    site: arguments.Site,
    phase: Annotated[str | None, typer.Option(help="What is in service by the end of this phase.")] = None,
    pod: Annotated[str | None, typer.Option(help="One pod alone, for --table and --export.")] = None,
    table: Annotated[str | None, typer.Option(help="Print one table as CSV, for example `links`.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write all tables (Parquet), the cabling sheet and the bill of materials here."),
    ] = None,
    limits: Annotated[bool, typer.Option("--limits", help="Show every limit with its margin.")] = False,
    as_json: arguments.Json = False,
) -> None:
    """Expand a site's declaration and say what it holds and needs.

    Exit code 1 if a finding is an error: the declaration asks for what cannot work.
    """
    from infra.plan import findings as judge  # noqa: PLC0415 (polars is slow to import)
    from infra.plan import plan as make  # noqa: PLC0415
    from infra.plan import summary  # noqa: PLC0415
    from infra.plan.views import export as exports  # noqa: PLC0415 (polars is slow to import)
    from infra.spec import load_site  # noqa: PLC0415

    whole = make(load_site(site), phase)
    scope = whole.pod(pod) if pod else whole
    found = judge(whole)
    if table or export:
        _refuse(whole, found)
    if table:
        print(exports.csv(scope, table), end="")
        return
    if export:
        for path in exports.write(scope, export):
            print(f"wrote {path}")
        return
    figures = summary(scope, found if scope is whole else None)
    if as_json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        _show(whole, figures, found, limits=limits)
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(1)


def _refuse(plan: Plan, found: Sequence[Finding]) -> None:
    """Nothing leaves a plan that cannot work: a table on its own does not say so."""
    wrong = [finding for finding in found if finding.severity == "error"]
    if wrong:
        lines = "\n".join(f"error {finding.id}: {finding.message} [{finding.path}]" for finding in wrong)
        raise UserError(f"{lines}\nnothing is written: {plan.site.name} asks for what cannot work")


def _show(plan: Plan, figures: dict[str, Any], found: Sequence[Finding], *, limits: bool) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from infra.plan.tables.paths import fabric_paths  # noqa: PLC0415
    from infra.plan.views.paths import sentence  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    when = f", in service by the end of phase {plan.phase}" if plan.phase else ""
    console.print(Text(f"{plan.site.title or plan.site.name}{when}", style="bold"))
    paths = {name: sentence(fabric_paths(plan.geometry, name)) for name in plan.geometry.tiers}
    console.print(_counts(figures, paths))
    if limits:
        console.print(_limits(plan))
    colours = {"error": "red", "warning": "yellow", "info": "cyan"}
    for finding in found:
        line = Text(f"{finding.severity}", style=colours[finding.severity])
        line.append(f" {finding.id}: {finding.message} [{finding.path}]", style="default")
        console.print(line, soft_wrap=True)
    if not found:
        console.print("No findings: every limit is kept.")


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _counts(figures: dict[str, Any], paths: dict[str, str]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    for label, text in _lines(figures, paths):
        table.add_row(label, text)
    return table


def _lines(figures: dict[str, Any], paths: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Labels and figures, from places to people's carbon."""
    from infra.plan.admission.limits import number  # noqa: PLC0415

    for key in ("buildings", "halls", "pods", "scalable_units", "racks", "nodes", "accelerators"):
        yield key.replace("_", " "), number(figures[key])
    yield "CPUs", number(figures["cpus"])
    if figures["companions"]:
        yield "other trays", " + ".join(f"{number(v)} {kind}" for kind, v in figures["companions"].items())
    if figures["servers"]:
        yield "servers", number(figures["servers"])
    for fabric, switches in figures["switches"].items():
        parts = switches if isinstance(switches, dict) else {"total": switches}
        yield f"{fabric.replace('_', '-')} switches", _sum_of(parts)
    for fabric, cables in figures["cables"].items():
        yield f"{fabric.replace('_', '-')} cables", _sum_of(cables)
    yield from ((f"{fabric} paths", line) for fabric, line in paths.items())
    yield from _power(figures["power"])
    cooling, storage, energy = figures["cooling"], figures["storage"], figures["energy"]
    if cooling["liquid_mw"]:
        yield (
            "liquid cooling",
            (
                f"{_watts(cooling['liquid_mw'])} thermal, {cooling['flow_m3_s']:.1f} m³/s,"
                f" {cooling['flow_l_min_per_rack']:.0f} L/min a rack, {cooling['rise_k']:.1f} K"
            ),
        )
    if storage["hot_eb"] >= 1e-3:
        yield (
            "storage",
            (
                f"{storage['local_eb']:.2f} EB local, {storage['hot_eb']:.2f} EB hot,"
                f" {storage['object_eb']:.2f} EB object,"
                f" {storage['read_tb_s']:.1f}/{storage['write_tb_s']:.1f} TB/s read/write"
            ),
        )
    if energy["twh_per_year"] is not None:
        kilotonnes = energy["tco2e_location"] / 1e3
        yield "energy", f"{energy['twh_per_year']:.2f} TWh a year, {kilotonnes:,.0f} kt CO2e location-based"
    names = {"slurm": "Slurm", "kubernetes": "Kubernetes"}
    for name, scheduler in figures["schedulers"].items():
        count = scheduler["clusters"]
        sizes = f", blocks of {scheduler['block_sizes']} nodes" if scheduler.get("block_sizes") else ""
        nodes = f"{number(scheduler['nodes_per_cluster'])} nodes{sizes}"
        yield names[name], f"{number(count)} cluster{'s' * (count != 1)} of {nodes}"


def _power(power: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if power["pue"] is None:
        yield "power", f"{_watts(power['it_mw'])} IT; no PUE is declared, so the facility's is not known"
    else:
        facility = _watts(power["facility_mw"])
        yield "power", f"{facility} facility, {_watts(power['it_mw'])} IT at PUE {power['pue']:.2f}"
    least, most = (_watts(power[f"rack_kw_{end}"] / 1e3) for end in ("least", "most"))
    unlike = f" in the mean, {least} to {most}" if least != most else ""
    yield (
        "IT balance",
        (
            f"{_watts(power['compute_mw'])} compute ({_watts(power['rack_kw'] / 1e3)} a rack{unlike})"
            f" + {_watts(power['other_mw'])} other"
        ),
    )
    coolers = f"; CDUs {_watts(power['coolers_mw'])}" if power["coolers_mw"] else ""
    yield "in planned racks", f"{_watts(power['in_racks_mw'])} IT{coolers}"


def _sum_of(parts: dict[str, int]) -> str:
    from infra.plan.admission.limits import number  # noqa: PLC0415

    inside = [f"{number(value)} {name.replace('_', '–')}" for name, value in parts.items() if name != "total"]
    return number(parts["total"]) + (f" = {' + '.join(inside)}" if inside else "")


def _watts(megawatts: float) -> str:
    from infra.plan.admission.limits import number  # noqa: PLC0415

    for unit, scale in (("MW", 1.0), ("kW", 1e3)):
        if megawatts * scale >= 1:
            return f"{number(megawatts * scale)} {unit}"
    return f"{number(round(megawatts * 1e6, 1))} W"


def _limits(plan: Plan) -> Table:
    from infra.plan.admission.admission import limits  # noqa: PLC0415
    from infra.plan.admission.limits import number  # noqa: PLC0415

    table = _table("limit", "place", "case", "used", "allowed", "")
    worst: dict[tuple[str, str], tuple[float, Any]] = {}
    for rule, limit in limits(plan):
        ratio = limit.value / limit.limit if limit.limit else float(limit.value > 0)
        if limit.at_least:
            ratio = 1 / ratio if ratio else float("inf")
        key = (rule.id, limit.case)
        if key not in worst or ratio > worst[key][0]:
            worst[key] = (ratio, limit)
    for (name, case), (ratio, limit) in worst.items():
        table.add_row(
            name,
            limit.place,
            case,
            f"{number(limit.value)} {limit.unit}",
            number(limit.limit),
            f"{ratio:.0%}",
        )
    return table
