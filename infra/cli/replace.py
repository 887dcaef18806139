"""`gigasite replace`: stand-ins made anew, when their disk is damaged or nobody knows what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from infra import paths
from infra.cli.arguments import Yes, sites
from infra.cli.up import bring_up
from infra.errors import UserError
from infra.report.titles import TITLES


def command(
    machine: Annotated[
        list[str], typer.Argument(metavar="MACHINE…", help="Names of stand-ins, all of one site.")
    ],
    yes: Yes = False,
) -> None:
    """Make stand-ins anew, disk included, and bring them up as declared: `up SITE --replace MACHINE`."""
    bring_up(_site_of(machine), set(TITLES), replace=machine, yes=yes)


def _site_of(names: list[str]) -> str:
    """The site whose machines these are.

    Raises:
        UserError: they are of no site that is up here, or of several.
    """
    from infra.plan import machines_of, plan  # noqa: PLC0415 (polars is slow to import)
    from infra.spec import load_site  # noqa: PLC0415

    owners: dict[str, str] = {}
    for site in sites():
        if (paths.ROOT / ".gigasite" / site / "machines").is_dir():
            known = {one.name for one in machines_of(plan(load_site(site))) if one.stand_in}
            owners |= {name: site for name in names if name in known}
    if missing := [name for name in names if name not in owners]:
        raise UserError(
            f"no stand-in {missing[0]} was made here",
            hint="`gigasite up SITE` makes them; its report names them",
        )
    if len(found := sorted(set(owners.values()))) > 1:
        raise UserError(
            f"they are of the sites {', '.join(found)}", hint="replace those of one site at a time"
        )
    return found[0]
