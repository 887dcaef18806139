"""`gigasite diff`: what a change of the declaration does, across all layers."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from infra.plan.views.change import Change
    from infra.rollout.compare import Group


def command(
    before: Annotated[
        str, typer.Argument(metavar="A", help="A site, a site.yaml, REVISION:SITE, or a git revision of B.")
    ],
    after: Annotated[
        str | None, typer.Argument(metavar="[B]", help="The same; without it, A's working tree against HEAD.")
    ] = None,
    phase: Annotated[
        str | None, typer.Option(help="Compare what is in service by the end of this phase.")
    ] = None,
    as_json: arguments.Json = False,
) -> None:
    """Show what a change of the declaration does in all layers: racks, power, coolant, cables, carbon.

    Examples: `gigasite diff reference reference-hgx`, `gigasite diff HEAD~1 reference`, `gigasite diff
    reference`.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.plan.views.diff import diff  # noqa: PLC0415
    from infra.rollout.foresee import between  # noqa: PLC0415
    from infra.spec import sources  # noqa: PLC0415

    if after is None:
        if not sources.is_site(before):
            hint = f"name one after it, as in `gigasite diff {before} reference`"
            raise UserError(f"there is no site `{before}`", hint=hint)
        before, after = f"HEAD:{before}", before
    elif not sources.is_site(before):
        before = f"{before}:{after}"
    elif not sources.is_site(after):
        after = f"{after}:{before}"
    if before.count(":") > 1 or after.count(":") > 1:
        raise UserError(
            "a git revision needs a site's name at its other side", hint="as in `HEAD~1 reference`"
        )
    one, two = plan(sources.load_named(before), phase), plan(sources.load_named(after), phase)
    changes = diff(one, two)
    same_site = bool(changes) and one.site.name == two.site.name
    foreseen = between(one, two) if same_site else None
    if as_json:
        rows = [{**asdict(change), "delta": change.delta} for change in changes]
        groups = None if foreseen is None else [asdict(group) for group in foreseen]
        document = {"before": before, "after": after, "changes": rows, "configuration": groups}
        print(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        _show(before, after, changes)
        if same_site:
            _show_configuration(foreseen)


def _show_configuration(groups: tuple[Group, ...] | None) -> None:
    if groups is None:
        print("configuration: not rendered for a site of this size; `gigasite apply --plan` compares by wave")
    elif not groups:
        print("configuration: no file of a machine changes")
    for group in groups or ():
        print("\n".join(group.lines()))


def _show(before: str, after: str, changes: tuple[Change, ...]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    if not changes:
        console.print(f"{before} and {after} plan the same.")
        return
    table = Table("layer", "what", before, after, "change", "times", "where", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[1].overflow = "fold"  # keys of the declaration can be long
    for index in (2, 3, 4, 5):
        table.columns[index].justify = "right"
    last = ""
    for change in changes:
        if change.layer == "findings":
            continue
        count = f"{change.count:,}" if change.count > 1 else ""
        table.add_row(
            change.layer if change.layer != last else "",
            change.item + (f" ({change.unit})" if change.unit else ""),
            _text(change.before),
            _text(change.after),
            _delta(change),
            count,
            change.where,
        )
        last = change.layer
    console.print(table)
    for change in changes:
        if change.layer == "findings":
            for sign, text in (("-", change.before), ("+", change.after)):
                if text:
                    console.print(
                        f"{sign} {change.item}: {text} [{change.where}]", markup=False, soft_wrap=True
                    )


def _text(value: float | str | None) -> str:
    from infra.plan.admission.limits import number  # noqa: PLC0415

    return "" if value is None else value if isinstance(value, str) else number(value)


def _delta(change: Change) -> str:
    from infra.plan.admission.limits import number  # noqa: PLC0415

    delta = change.delta
    if delta is None or change.before is None or change.after is None:
        return ""
    return ("+" if delta > 0 else "") + number(delta)
