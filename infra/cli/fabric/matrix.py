"""`gigasite fabric matrix`: which zones and machines may reach which, on what, and why."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.render.matrix import Matrix


def command(
    site: arguments.Site,
    machines: Annotated[
        list[str] | None,
        typer.Argument(metavar="[A B]", help="Two machines: what B lets in from A, address by address."),
    ] = None,
    as_json: arguments.Json = False,
) -> None:
    """Show for each pair of zones what is allowed and why, and why all else is denied.

    ICMP is let in from everywhere. Firewalls stand at the target; rails' own addresses are in zones too.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.render.matrix import ROCE, Matrix, endpoints  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    whole = plan(load_site(site))
    matrix = Matrix(whole.site)
    if machines and len(machines) != 2:
        raise UserError("two machines make a pair", hint="`gigasite fabric matrix SITE A B`")
    if not machines:
        _show_pairs(matrix, as_json=as_json)
        return
    ends = [endpoints(whole, [name]) for name in machines]
    roles = [found[0].role for found in ends]
    pairs = [
        pair
        for pair in matrix.pairs()
        if pair.source in matrix.known[roles[0]] and pair.target in matrix.known[roles[1]]
    ]
    passes = [one for pair in pairs for one in pair.passes]
    roce = matrix.decide(roles[0], roles[1], "udp", ROCE)
    data = {
        "source": [one._asdict() for one in ends[0]],
        "target": [one._asdict() for one in ends[1]],
        "allowed": [{**asdict(one), "ports": one.ports} for one in passes],
        "roce": roce._asdict(),
    }
    if as_json:
        print(json.dumps(data, indent=1, ensure_ascii=False))
        return
    for word, own in zip(("from", "to"), ends, strict=True):
        print(f"{word} {own[0].machine}: " + ", ".join(f"{one.interface} {one.address}" for one in own))
    for one in passes:
        print(f"allow {one.ports}: {one.reason} [{one.rule}]")
    verdict = "allow" if roce.allowed else "deny"
    if not any(one.protocol == "udp" and one.first <= ROCE <= one.last for one in passes):
        print(f"{verdict} udp/{ROCE} (RoCE): {roce.reason} [{roce.rule}]")
    if matrix.known[roles[1]]:
        print("deny all else but ICMP")


def _show_pairs(matrix: Matrix, *, as_json: bool) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 (slow to import)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    pairs = list(matrix.pairs())
    if as_json:
        print(json.dumps([asdict(pair) for pair in pairs], indent=1, ensure_ascii=False))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("from", "to", "", "ports", "reason", "rule"):
        table.add_column(column)
    for pair in pairs:
        for index, one in enumerate(pair.passes):
            names = (pair.source, pair.target) if not index else ("", "")
            table.add_row(*names, "allow", one.ports, one.reason, one.rule.removeprefix("$.security."))
        if not pair.passes:
            verdict = "allow" if pair.open else "deny"
            table.add_row(pair.source, pair.target, verdict, "all", pair.reason, "")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print("ICMP is let in from everywhere; other ports of an allowed pair are denied.")
