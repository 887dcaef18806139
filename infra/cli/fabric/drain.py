"""`gigasite fabric drain`: in which waves switches can be taken out for a change."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from infra.cli import arguments

SHOWN = 4
"""Names of a wave that are printed; --json has all."""


def command(
    site: arguments.Site,
    pod: Annotated[str | None, typer.Option(help="Only the switches of this pod.")] = None,
    as_json: arguments.Json = False,
) -> None:
    """Show waves of switches that can be drained together without taking anything's last path.

    Switches that something has as its only one on a fabric are named with it: drain that first.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.render.network.drains import drain_waves  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    whole = plan(load_site(site))
    found = drain_waves(whole.pod(pod) if pod else whole)
    if as_json:
        print(json.dumps({"waves": found.waves, "alone": found.alone}, indent=1))
        return
    for number, wave in enumerate(found.waves, 1):
        more = f" and {len(wave) - SHOWN:,} more" if len(wave) > SHOWN else ""
        print(f"wave {number}: {len(wave):,} switches: {', '.join(wave[:SHOWN])}{more}")
    for switch, names in found.alone.items():
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        print(f"{switch} is the only one of its fabric for {', '.join(names[:SHOWN])}{more}")
