"""`gigasite fit`: how many pods fit the grid connection, by rack power."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.plan.admission.fit import Fit


def command(
    site: arguments.Site,
    rack_power: Annotated[
        list[str] | None, typer.Option(help="Power of a compute rack, such as 132kW; may be given again.")
    ] = None,
    unit_power: Annotated[
        list[str] | None,
        typer.Option(help="Power of a scalable unit with everything counted in, such as 1.2MW."),
    ] = None,
    pue: Annotated[float | None, typer.Option(min=1.0, help="Instead of the declared PUE.")] = None,
    grid: Annotated[
        str | None, typer.Option(help="Instead of the declared connection, such as 500MW.")
    ] = None,
    as_json: arguments.Json = False,
) -> None:
    """How many pods fit the grid connection, by rack power; without options, as declared and as rated."""
    from infra.plan import plan as make  # noqa: PLC0415 (polars is slow to import)
    from infra.plan.admission.fit import fit  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    plan = make(load_site(site))
    cap = _watts(grid, "--grid") if grid else None
    rows: list[tuple[str, Fit]] = [
        (f"{text} a rack", fit(plan, rack_w=_watts(text, "--rack-power"), pue=pue, cap_w=cap))
        for text in rack_power or ()
    ]
    rows += [
        (f"{text} a scalable unit", fit(plan, unit_w=_watts(text, "--unit-power"), pue=pue, cap_w=cap))
        for text in unit_power or ()
    ]
    if not rows:
        rated = plan.geometry.forms[0].rated_w
        rows = [
            ("as declared", fit(plan, pue=pue, cap_w=cap)),
            ("as rated", fit(plan, rack_w=rated, pue=pue, cap_w=cap)),
        ]
    if as_json:
        parts = [_data(label, answer) for label, answer in rows]
        print(json.dumps(parts[0] if len(parts) == 1 else {**parts[0], "rows": parts}, indent=1))
    else:
        _show(plan, rows)


def _watts(text: str, option: str) -> float:
    from infra.spec import units  # noqa: PLC0415

    try:
        watts = units.parse(text, "power")
    except ValueError as error:
        message, _, hint = str(error).partition("|")
        raise UserError(message, where=option, hint=hint) from error
    if watts <= 0:
        raise UserError(f"{text} is not a power above zero", where=option)
    return watts


def _data(label: str, answer: Fit) -> dict[str, Any]:
    return {"label": label, **asdict(answer)}


def _show(plan: Plan, rows: list[tuple[str, Fit]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    first = rows[0][1]
    title = f"{plan.site.name}: what fits {first.cap_w / 1e6:,.0f} MW at PUE {first.pue:.2f}"
    columns = ("power", "kW a rack", "pods", "+ units", "+ racks", "accelerators", "MW IT a pod", "MW used")
    table = Table(*columns, box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, answer in rows:
        table.add_row(
            label, f"{answer.rack_w / 1e3:,.1f}", f"{answer.pods:,}", f"{answer.more_units:,}",
            f"{answer.more_racks:,}", f"{answer.accelerators:,}",
            f"{answer.pod_it_w / 1e6:,.2f}", f"{answer.facility_w / 1e6:,.1f}",
        )  # fmt: skip
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(table)
