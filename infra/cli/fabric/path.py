"""`gigasite fabric path`: the way from one device to another, hop by hop and cable by cable."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from infra.cli import arguments
from infra.errors import UserError


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[SITE] A B", help="Two devices; without SITE, the first is SITE.DEVICE."),
    ],
    as_json: arguments.Json = False,
) -> None:
    """Show the shortest paths between two devices on each fabric that joins them.

    Examples: `gigasite fabric path lab lab-head pod-01-su-01-rack-01-tray-01`, `gigasite fabric path
    lab.lab-head lab-storage`.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.render.network.hops import paths_between  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    if len(words) == 2 and "." in words[0]:
        words = [*words[0].split(".", 1), words[1]]
    if len(words) != 3:
        raise UserError("a path needs a site and two devices", hint="`gigasite fabric path SITE A B`")
    site, one, other = words
    found = paths_between(plan(load_site(site)), one, other)
    if as_json:
        print(json.dumps([{**asdict(paths), "switches": paths.switches} for paths in found], indent=1))
        return
    for paths in found:
        print(f"{paths.fabric}: {paths.count:,} equal paths over {paths.switches} switches; the first:")
        for hop in paths.first:
            print(
                f"  {hop.device} {hop.port} – {hop.peer} {hop.peer_port}"
                f"  ({hop.gbit:g} Gbit/s, {hop.metres:.1f} m)"
            )
