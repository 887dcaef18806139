"""`gigasite fabric SITE`: what the paths of a site's fabrics are worth; other verbs on fabrics.

A verb on fabrics is a module with a function `command` (typer annotations) and its line in `VERBS` here:
`gigasite fabric VERB …`. Without a verb, `gigasite fabric SITE` is `gigasite fabric show SITE`.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from infra.cli import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.paths import FabricPaths

VERBS: dict[str, str] = {
    "path": "infra.cli.fabric.path",
    "cabling": "infra.cli.fabric.cabling",
    "matrix": "infra.cli.fabric.matrix",
    "prove": "infra.cli.fabric.prove",
    "draw": "infra.cli.fabric.draw",
    "labels": "infra.cli.fabric.labels",
    "order": "infra.cli.fabric.order",
    "drain": "infra.cli.fabric.drain",
}
"""Verb → module."""

COLUMNS = (
    "tier", "switches", "from below", "uplinks", "oversubscribed", "links of a pair", "loss of one switch",
)  # fmt: skip


class ShowByDefault(TyperGroup):
    """A first word that is no verb is a site to show."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, or show."""
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


def show(site: arguments.Site, as_json: arguments.Json = False) -> None:
    """Paths, oversubscription, bisection, and what the loss of one switch of each tier costs.

    Exit code 1 if leaves have no path to each other or a declared limit is not kept.
    """
    from infra.plan import findings as judge  # noqa: PLC0415 (polars is slow to import)
    from infra.plan import plan as make  # noqa: PLC0415
    from infra.plan.tables.paths import fabric_paths  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    plan = make(load_site(site))
    judged = [fabric_paths(plan.geometry, name) for name in plan.geometry.tiers]
    wrong = [finding for finding in judge(plan) if finding.path.startswith("$.fabrics")]
    if as_json:
        data = {"site": plan.site.name, "fabrics": {entry.fabric: entry.data() for entry in judged},
                "findings": [finding.data() for finding in wrong]}  # fmt: skip
        print(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        for entry in judged:
            _print(entry)
        for finding in wrong:
            print(f"{finding.severity} {finding.id}: {finding.message} [{finding.path}]")
    if any(finding.severity == "error" for finding in wrong):
        raise typer.Exit(1)


def _print(judged: FabricPaths) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    for line in _lines(judged):
        console.print(line, soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if 0 < index < 6 else "left")
    for tier in judged.tiers:
        ratio = f"{tier.oversubscription:.3g}:1" if tier.oversubscription is not None else ""
        links = f"{tier.least}" if tier.least == tier.most else f"{tier.least} or {tier.most}"
        if tier.survives is None:
            loss = f"{tier.lost_ports} host ports dark"
        else:
            part, whole = f"{tier.lost_share:.2%}", f"{tier.lost_tier_share:.2%}"
            loss = f"{part} of a lower switch's uplinks, {whole} of its tier"
            loss += "" if tier.survives else "; some leaves have no path left"
        up = _gbit(tier.up_gbit) if tier.up_gbit else ""
        links = links if ratio else ""
        table.add_row(tier.name, f"{tier.switches:,}", _gbit(tier.down_gbit), up, ratio, links, loss)
    console.print(table)


def _lines(judged: FabricPaths) -> Iterator[str]:
    from infra.plan.views.paths import sentence  # noqa: PLC0415

    yield f"{judged.fabric}: {sentence(judged)}"


def _gbit(gbit: float) -> str:
    from infra.plan.views.paths import speed  # noqa: PLC0415

    return speed(gbit)


app = typer.Typer(
    cls=ShowByDefault, add_completion=False, rich_markup_mode=None, no_args_is_help=True,
    help="What the paths of a site's fabrics are worth.",
)  # fmt: skip
app.command("show")(show)
for _name, _module in VERBS.items():
    app.command(_name)(importlib.import_module(_module).command)
