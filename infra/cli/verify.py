"""`gigasite verify`: the checks of tests/verify against the site's machines, by pytest itself."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infra import paths
from infra.cli.arguments import Json, Site
from infra.errors import UserError
from infra.pipeline.run_plan import describe_changes
from infra.process import stream


def command(
    site: Site,
    checks: Annotated[
        str, typer.Option("-k", metavar="EXPRESSION", help="Only checks that match, as pytest -k.")
    ] = "",
    limit: Annotated[
        str, typer.Option("--limit", "-l", metavar="PATTERN", help="Only these machines and groups.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Check the site's machines against the plan: services, mounts, time, users, links, Slurm, power."""
    from infra.pipeline.verification import results, words  # noqa: PLC0415 (polars is slow to import)

    if not (paths.inventory(site) / "site.yaml").exists():
        raise UserError(f"there is no site {site}", hint="see inventories/ for those that are there")
    if changed := describe_changes(site):
        print(f"note: {changed}", file=sys.stderr)
    extra = [*(["-k", checks] if checks else []), *(["--limit", limit] if limit else [])]
    kept = results(site, part=bool(extra))
    kept.unlink(missing_ok=True)
    code = stream(words(site, extra), (lambda _: None) if as_json else print, cwd=paths.ROOT)
    if as_json:
        if not kept.exists():
            raise UserError(
                "the checks did not run", hint=f"run `gigasite verify {site}` without --json to see why"
            )
        print(kept.read_text(encoding="utf-8"), end="")
    return int(code != 0)
