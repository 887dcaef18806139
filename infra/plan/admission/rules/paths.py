"""Paths: leaves reach each other, links are dealt evenly, ends agree, declared limits are kept."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from infra.plan.admission.limits import Limit, number
from infra.plan.tables.clos import Graph
from infra.plan.tables.paths import dealt, fabric_paths, port_ends
from infra.spec.tiers import even

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan
    from infra.plan.tables.geometry import Geometry
    from infra.spec.tiers import ResolvedTier


def _path(fabric: str, level: int | None = None) -> str:
    base = f"$.fabrics.{fabric.replace('-', '_')}"
    return base if level is None else f"{base}.tiers[{level}]"


def islands(plan: Plan) -> Iterator[Limit]:
    """Leaves of one plane, rail and top block that have no path to each other."""
    for fabric, tiers in plan.geometry.tiers.items():
        if len(tiers) == 1 and plan.site.fabrics.named()[fabric].routing == "none":
            continue  # a management network whose switches the world beyond joins
        judged = fabric_paths(plan.geometry, fabric)
        place = "{} and {}".format(*judged.apart) if judged.apart else f"{fabric}: each {judged.block}"
        level, fits = _joined(plan.geometry, tiers) if judged.apart else (0, "every leaf reaches every other")
        unit = "without a path to each other"
        yield Limit(place, "N", judged.islands, 1, unit, _path(fabric, level), "a fabric joins what is in it",
                    fits)  # fmt: skip
        for index, leaf in enumerate(plan.geometry.leaves[fabric]):
            above = tiers[1]
            alone = above.count - leaf.up + 1 if leaf.up < above.count else 1
            yield Limit(f"each {leaf.name} and leaves of trays", "N", alone, 1, unit,
                        f"{_path(fabric)}.leaves[{index}].up", "a fabric joins what is in it",
                        f"`up: {above.count}` reaches every {above.name}")  # fmt: skip


def _joined(geometry: Geometry, tiers: tuple[ResolvedTier, ...]) -> tuple[int, str]:
    """The tier that keeps leaves apart, and what would join them."""
    for below, above in pairwise(tiers):
        if below.up < above.count:
            lower = into_one_set(geometry, tiers, below, above)
            need = math.ceil(lower * below.up / above.down)
            count = even(need, below.up)
            if count <= below.up:
                return above.level, f"`count: {count}` joins them"
            most = f"{number(below.up)} {above.name}, one for each uplink, join at most {number(above.down)}"
            return above.level, f"{most} {below.name} instead of {number(lower)}: fewer, or a tier above, fit"
    if len(tiers) == 1:
        return 0, "a tier above joins them"
    level = next((tier.level for tier in tiers if tier.sets > 1 and tier.level), len(tiers) - 1)
    return level, "`groups: 1` or a tier above joins them"


def into_one_set(
    geometry: Geometry, tiers: tuple[ResolvedTier, ...], below: ResolvedTier, above: ResolvedTier
) -> int:
    """Lower switches whose uplinks go to one set of upper ones."""
    graph = Graph(geometry, tiers)
    blocks = max(graph.blocks(below) // graph.blocks(above), 1)
    if above.by_rail:
        return blocks * below.count
    if above.sets > 1:
        return blocks * below.sets * math.ceil(below.count / above.sets)
    return blocks * below.sets * below.count


def dealing(plan: Plan) -> Iterator[Limit]:
    """Links between a lower and an upper switch: as many for each pair."""
    for fabric, tiers in plan.geometry.tiers.items():
        judged = fabric_paths(plan.geometry, fabric)
        for below, above in pairwise(tiers):
            tier = judged.tiers[below.level]
            if judged.apart or not below.up:
                continue
            lower = into_one_set(plan.geometry, tiers, below, above)
            need = math.ceil(lower * below.up / above.down)
            count = even(need, below.up)
            if need <= count <= below.up:
                fits = f"{number(count)} {above.name} share {number(below.up)} uplinks evenly"
            else:
                fits = (
                    f"{number(below.up)} uplinks deal evenly to {number(below.up)} {above.name} at most,"
                    f" which join {number(above.down)} {below.name}, not {number(lower)}"
                )
            place = f"each {below.name} to {number(above.count)} {above.name}"
            yield Limit(place, "N", tier.most, tier.least, "cables a pair", _path(fabric, above.level),
                        f"{number(below.up)} uplinks, dealt in turn", fits)  # fmt: skip
    yield from server_uplinks(plan)


def server_uplinks(plan: Plan) -> Iterator[Limit]:
    """Links between leaves for servers and the switches above them: as many for each pair."""
    for fabric, leaves in plan.geometry.leaves.items():
        for index, leaf in enumerate(leaves):
            above = plan.geometry.tiers[fabric][1]
            least, most = dealt(leaf, above)
            more = math.ceil(leaf.up / above.count) * above.count
            if least:
                yield Limit(f"each {leaf.name} to {number(above.count)} {above.name}", "N", most, least,
                            "cables a pair", f"{_path(fabric)}.leaves[{index}].up",
                            f"{number(leaf.up)} uplinks, dealt in turn",
                            f"`up: {more}` deals evenly")  # fmt: skip


def loose_uplinks(plan: Plan) -> Iterator[Limit]:
    """Ports that face up where no tier is above."""
    for fabric, tiers in plan.geometry.tiers.items():
        top = tiers[-1]
        yield Limit(f"each {top.name}", "N", top.up, 0, "uplinks", _path(fabric, top.level),
                    "no tier is above it", "leave `up` out, or add a tier")  # fmt: skip


def idle_switches(plan: Plan) -> Iterator[Limit]:
    """Upper switches that no lower one has a cable to."""
    for fabric, tiers in plan.geometry.tiers.items():
        judged = fabric_paths(plan.geometry, fabric)
        for below, above in pairwise(tiers):
            yield Limit(f"{above.name} of each {above.per}", "N", judged.tiers[below.level].idle, 0,
                        "switches without a cable", _path(fabric, above.level),
                        f"{above.sets} groups of {above.count}, and {below.count} {below.name} on each rail",
                        "fewer groups or switches fit")  # fmt: skip


def speeds(plan: Plan) -> Iterator[Limit]:
    """Both ends of each kind of cable: the speed after the splits of both."""
    for fabric in plan.geometry.tiers:
        for end in port_ends(plan.geometry, fabric):
            low, high = sorted((end.gbit, end.port_gbit))
            value = high if end.gbit not in end.speeds else low
            speeds = " or ".join(f"{number(speed)} Gbit/s" for speed in sorted(end.speeds))
            yield Limit(f"{end.below} into {end.above}", "N", value, low, "Gbit/s",
                        f"{_path(fabric)}.{end.path}", "one cable has one speed",
                        f"a port of {end.above} runs at {speeds}")  # fmt: skip


def oversubscription(plan: Plan) -> Iterator[Limit]:
    """Bandwidth from below over that of the uplinks, against what is declared."""
    for name, fabric in plan.site.fabrics.named().items():
        judged = fabric_paths(plan.geometry, name)
        for level, tier in enumerate(fabric.tiers):
            ratio = judged.tiers[level].oversubscription
            if tier.oversubscription is not None and ratio is not None:
                own = plan.geometry.tiers[name][level]
                gbit = judged.tiers[level].down_gbit
                need = math.ceil(gbit / tier.oversubscription / own.up_speed)
                yield Limit(f"each {tier.name}", "N", ratio, tier.oversubscription, "to 1",
                            f"{_path(name, level)}.oversubscription", "declared",
                            f"{need} uplinks instead of {own.up} keep it")  # fmt: skip


def bisection(plan: Plan) -> Iterator[Limit]:
    """Bandwidth between two halves of the hosts against what is declared."""
    for name, fabric in plan.site.fabrics.named().items():
        if fabric.bisection is not None:
            judged = fabric_paths(plan.geometry, name)
            share, least = 100 * judged.bisection_share, 100 * fabric.bisection
            path = f"{_path(name)}.bisection"
            yield Limit(f"each {judged.block}", "N", share, least, "%", path, "declared",
                        f"{number(judged.bisection_gbit / 1e3)} Tbit/s cross each way",
                        at_least=True)  # fmt: skip


def fewest_paths(plan: Plan) -> Iterator[Limit]:
    """Shortest paths of the two leaves that have the fewest, against what is declared."""
    for name, fabric in plan.site.fabrics.named().items():
        if fabric.paths is not None:
            judged = fabric_paths(plan.geometry, name)
            known = [paths for paths in (judged.paths_near, judged.paths_far) if paths is not None]
            fewest = 0 if judged.apart else min(known, default=0)
            path = f"{_path(name)}.paths"
            yield Limit(f"each {judged.block}", "N", fewest, fabric.paths, "paths", path, "declared",
                        "more upper switches give more paths", at_least=True)  # fmt: skip
