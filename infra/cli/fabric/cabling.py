"""`gigasite fabric cabling`: neighbours that were seen in the field against the planned cables."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.render.network.cabling import Cabling


def command(
    site: arguments.Site,
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="CSV: device,port,neighbor,neighbor_port[,gbit]; or a folder of lldpcli's DEVICE.json. "
            "Without it, the site's machines are asked.",
        ),
    ] = None,
    pod: Annotated[str | None, typer.Option(help="Only the cables of this pod.")] = None,
    as_json: arguments.Json = False,
) -> None:
    """Compare cabling that was seen with what is planned: missing, wrong port, swapped, wrong speed.

    What machines say by LLDP, or a file from the field. Exit code 1 if a cable is not as planned.
    """
    found = _ask(site, pod) if table is None else _read(site, pod, table)
    if as_json:
        figures = {"planned": found.planned, "right": found.right, "missing": found.missing}
        faults = [asdict(fault) for fault in found.faults]
        print(json.dumps({**figures, "wrong": found.wrong, "faults": faults}, indent=1))
    else:
        print(found.text())
    if found.faults:
        raise typer.Exit(1)


def _ask(site: str, pod: str | None) -> Cabling:
    from infra.render.network.cabling import compare  # noqa: PLC0415 (polars is slow to import)
    from infra.rollout.inventory.targets import targets  # noqa: PLC0415
    from infra.verify.neighbors import ask_neighbors, cables_among  # noqa: PLC0415

    machines = targets(site, pod)
    return compare(cables_among(machines.machines), ask_neighbors(machines))


def _read(site: str, pod: str | None, table: Path) -> Cabling:
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.render.network.cabling import compare, plan_cables, read_table  # noqa: PLC0415
    from infra.render.network.lldp import read_folder  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    if not table.exists():
        raise UserError("there is no such file", where=str(table))
    scope = plan(load_site(site))
    if pod:
        scope = scope.pod(pod)
    seen = read_folder(table) if table.is_dir() else read_table(table.read_text(encoding="utf-8"), str(table))
    return compare(plan_cables(scope), seen)
