"""`gigasite report`: the report of a site's latest run, written again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra import paths
from infra.cli.arguments import Json, Site
from infra.errors import UserError
from infra.files import write_whole


def command(
    site: Site,
    as_json: Json = False,
    fidelity: Annotated[
        Path | None, typer.Option("--fidelity", metavar="FILE", help="Write the fidelity table as Markdown.")
    ] = None,
) -> None:
    """Write out/SITE/report.html and report.json from the latest run and its checks."""
    from infra import plan, spec  # noqa: PLC0415 (polars is slow to import)
    from infra.pipeline.run_plan import describe_changes  # noqa: PLC0415
    from infra.report import checks, page, record  # noqa: PLC0415
    from infra.report import fidelity as table  # noqa: PLC0415

    declared = spec.load_site(site)
    latest = record.load(site)
    if latest is None:
        raise UserError(f"site {site} has no run to report", hint=f"run `gigasite up {site}` first")
    if changed := describe_changes(site):
        print(f"note: {changed}", file=sys.stderr)
    written = page.write(latest, plan.plan(declared))
    if fidelity:
        found = checks.load(site)
        command = f"gigasite report {site} --fidelity {fidelity}"
        write_whole(fidelity, table.markdown(found.checks if found else (), command), mode=0o644)
    if as_json:
        print(written.with_suffix(".json").read_text(encoding="utf-8"), end="")
    else:
        print(written.relative_to(paths.ROOT))
