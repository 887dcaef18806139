"""Cables, optics, ports and addresses that change between two plans, in the pods that the change touches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.plan.views.change import Change, compare_values, span
from infra.plan.views.wiring import fittings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def changed_pods(before: Plan, after: Plan) -> tuple[list[int], list[int]]:
    """Pods of each side whose cables or addresses can differ from the other side's."""
    if _rule(before) != _rule(after):
        return list(before.scope), list(after.scope)
    own = [_local(plan) for plan in (before, after)]
    both = range(max(before.scope.start, after.scope.start), min(before.scope.stop, after.scope.stop))
    touched = [pod for pod in both if own[0].get(pod) != own[1].get(pod)]
    gone = [pod for pod in before.scope if pod not in both]
    new = [pod for pod in after.scope if pod not in both]
    return touched + gone, touched + new


def _rule(plan: Plan) -> Any:
    """All of the declaration that every pod's cables and addresses follow from."""
    site = plan.site
    layout = site.layout.model_copy(update={"pods": 1})
    tiers = [
        (tier.fabric, tier.level, tier.per_block, tier.down, tier.up) for tier in plan.geometry.every_tier
    ]
    rack = layout.rack.model_copy(update={"power": "rated"})
    return (
        layout.model_copy(update={"rack": rack}),
        site.fabrics,
        site.servers,
        site.addresses,
        site.stand_ins,
        tiers,
        # a larger pod moves those after it
        plan.geometry.sizes.own,
    )


def _local(plan: Plan) -> dict[int, list[Any]]:
    result: dict[int, list[Any]] = {}
    for area, exception, _ in plan.geometry.areas:
        rack = exception.rack.model_copy(update={"power": "rated"}) if exception.rack else None
        if rack or exception.missing:
            result.setdefault(area.pod, []).append((area, rack, exception.missing))
    if not plan.geometry.sizes.uniform:
        for pod in plan.scope:
            result.setdefault(pod, []).append(plan.geometry.sizes.rows(pod))
    return result


def compare_cables(before: Plan, after: Plan) -> Iterator[Change]:
    """Compare cables by kind, optics, ports and addresses of the pods that the change touches."""
    left, right = changed_pods(before, after)
    if not left and not right:
        return
    one, two = [_pods(plan, pods) for plan, pods in ((before, left), (after, right))]
    ends = ["a", "a_port", "z", "z_port"]
    for word, these, those in (("cables removed", one, two), ("cables added", two, one)):
        only = these[0].join(those[0], on=ends, how="anti")
        for row in only.group_by("fabric", "tier").len("count").sort("fabric", "tier").iter_rows(named=True):
            pair = (row["count"], None) if word == "cables removed" else (None, row["count"])
            yield Change("cables", f"{word}: {row['fabric']} {row['tier'].replace('_', '–')}", *pair)
    names = [f"pod-{pod + 1:02d}" for pod in sorted({*left, *right})]
    where = f"in {span(names[0], names[-1])}"
    yield from compare_values("ports", "switch ports in use", _ports(one[0]), _ports(two[0]), where=where)
    stocks = [_stock(before, one[0]), _stock(after, two[0])]
    for kind in sorted({*stocks[0], *stocks[1]}):
        layer = "optics" if kind.startswith("optic ") else "cables"
        item = kind.removeprefix("optic ")
        yield from compare_values(layer, item, stocks[0].get(kind, 0), stocks[1].get(kind, 0), where=where)
    yield from _addresses(one[1], two[1])


def _pods(plan: Plan, pods: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    slices = [plan.pod(f"pod-{pod + 1:02d}") for pod in pods]
    empty = plan.pod(plan.pods[0]) if plan.pods else plan
    links = [part.links for part in slices] or [empty.links.clear()]
    addresses = [part.addresses for part in slices] or [empty.addresses.clear()]
    return pl.concat(links), pl.concat(addresses)


def _ports(links: pl.DataFrame) -> int:
    """Switch ports: one for each host cable, two for the others."""
    hosts = links.filter(pl.col("tier") == "host_leaf").height
    return 2 * links.height - hosts


def _stock(plan: Plan, links: pl.DataFrame) -> dict[str, int]:
    result: Counter[str] = Counter()
    for item, count in fittings(plan.geometry, links).items():
        if item.kind == "optic":
            result[f"optic {item.item}"] += count
        else:
            result[f"{item.item} {item.metres:g} m"] += count
    return result


def _addresses(one: pl.DataFrame, two: pl.DataFrame) -> Iterator[Change]:
    keys = ["pool", "owner", "interface"]
    both = one.join(two, on=keys, how="full", coalesce=True, suffix=" after")
    for word, rows in (
        ("renumbered", both.filter(pl.col("address") != pl.col("address after"))),
        ("freed", both.filter(pl.col("address after").is_null())),
        ("taken", both.filter(pl.col("address").is_null())),
    ):
        for pool, count in rows.group_by("pool").len("count").sort("pool").rows():
            pair = (count, None) if word == "freed" else (None, count)
            yield Change("addresses", f"{pool} addresses {word}", *pair)
