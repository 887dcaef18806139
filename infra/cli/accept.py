"""`gigasite accept`: what a site's last verification proves of what buyers of an AI cloud ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.arguments import Json, Site

Checkout = Annotated[
    Path | None,
    typer.Option(
        "--isvctl",
        metavar="DIR",
        help="Run the suite itself first, from this checkout of it: it stops, starts and replaces a tray.",
    ),
]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Run these of its suites: slurm, bare_metal. All without it."),
]


def command(site: Site, isvctl: Checkout = None, suite: Suites = None, as_json: Json = False) -> None:
    """Show what the site's last verification proves, by the ids of NVIDIA's AI Cloud Validation suite.

    No row says more than a check of the last verification, or of the suite's own last run, showed.
    """
    from infra.report import acceptance  # noqa: PLC0415 (pydantic is slow to import)

    if isvctl is not None:
        from infra.acceptance.suite import run_suites  # noqa: PLC0415 (polars is slow to import)

        run_suites(site, isvctl, suite)
    rows = acceptance.rows_of(site)
    proved = sum(row.proved for row in rows)
    if as_json:
        print(json.dumps({"site": site, "proved": proved, "rows": [row.model_dump() for row in rows]}))
        return
    for row in rows:
        print(f"{row.id:12} {row.want:14} {row.level or '-':9} {row.asked} | {row.evidence}")
    print(f"{proved} of {len(rows)} proved at the level that is wanted")
