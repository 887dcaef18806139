"""Order in which a site's racks, switches and cables are put in, phase by phase.

The network stands before the racks that it serves: whoever plugs a host's cable in sees at once whether the
other end answers. Long trunks are pulled while rows are still open; management ports come before data ports,
because a machine is reached by its BMC first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.plan import Plan
from infra.plan.tables.counts import step_name
from infra.plan.tables.feeds import loops_of
from infra.plan.tables.geometry import Geometry
from infra.plan.views.wiring import cable_kinds, choose_cable
from infra.spec.sizes import InService, in_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.site import Site
    from infra.spec.tiers import ResolvedTier


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a phase.

    Attributes:
        phase: name, or empty for a site without phases.
        due: date of the phase in ISO form, or empty.
        number: from 1 in each phase.
        what: is put in.
        count: of racks, switches or cables.
        detail: kinds and lengths.
        where: pods, or the site.
    """

    phase: str
    due: str
    number: int
    what: str
    count: int
    detail: str
    where: str


def installation_order(site: Site) -> list[Step]:
    """List the steps of each declared phase; of all pods at once without phases."""
    phases = [(entry.name, str(entry.date), in_service(entry)) for entry in site.phases]
    whole = InService(site.layout.pods, 0, 0)
    if not phases or phases[-1][2] < whole:
        phases.append(("" if not phases else "later", "", whole))
    result, done, first = [], InService(0, 0, 0), True
    for name, due, until in phases:
        if until <= done and not first:
            continue
        pods = range(done.pods, until.scope)
        plan = Plan(site, pods, site_level=first, geometry=Geometry(site, until))
        names = [f"pod-{pods.start + 1:02d}", f"pod-{pods.stop:02d}"]
        where, earlier = " to ".join(dict.fromkeys(names)), _before(site, done)
        steps = [step for step in _steps(plan) if step[1] > earlier.get(step[0], 0)]
        for number, (what, count, detail, site_wide) in enumerate(steps, 1):
            more = count - earlier.get(what, 0)
            if what == "compute racks" and earlier:
                detail = f"with {plan.node_frame.height - earlier['trays']:,} trays"  # noqa: PLW2901
            result.append(Step(name, due, number, what, more, detail, "site" if site_wide else where))
        done, first = until, False
    return result


def _before(site: Site, done: InService) -> dict[str, int]:
    """Count the steps done already in a pod of which a part is in service."""
    if done.scope == done.pods:
        return {}
    part = Plan(site, range(done.pods, done.scope), site_level=False, geometry=Geometry(site, done))
    return {"trays": part.node_frame.height} | {what: count for what, count, _, _ in _steps(part)}


def _steps(plan: Plan) -> Iterator[tuple[str, int, str, bool]]:
    racks = plan.racks
    for kind in ("network", "servers"):
        part = racks.filter(pl.col("kind") == kind)
        if part.height:
            yield f"{kind} racks".replace("servers racks", "server racks"), part.height, "", kind == "servers"
    switches = plan.switches
    for tier in _top_down(plan):
        own = switches.filter((pl.col("fabric") == tier.fabric) & (pl.col("tier") == tier.name))
        # Switches in compute racks come with them.
        if own.height and tier.per != "rack":
            yield (
                f"{tier.fabric} {tier.name} switches",
                own.height,
                tier.model.title,
                own["pod"].null_count() > 0,
            )
    kinds = cable_kinds(plan.links)
    for tier in _top_down(plan):
        if tier.level:
            yield from _cables(kinds, tier.fabric, tier.level, "trunks")
    compute = racks.filter(pl.col("kind") == "compute")
    inside = switches.join(compute.select(pl.col("name").alias("rack")), on="rack", how="semi").height
    coolers = racks.filter(pl.col("kind") == "cdu").height
    if coolers:
        models = {loop.cooler: None for loop, _, _ in loops_of(plan.site) if loop.cooler}
        yield "CDUs", coolers, ", ".join(models), False
    words = f"with {plan.nodes.filter(pl.col('role') == 'tray').height:,} trays"
    yield "compute racks", compute.height, words + (f" and {inside:,} switches" if inside else ""), False
    fabrics = sorted(plan.geometry.tiers, key=lambda name: plan.geometry.kinds[name] != "out-of-band")
    for fabric in fabrics:
        yield from _cables(kinds, fabric, 0, "host cables")


def _top_down(plan: Plan) -> list[ResolvedTier]:
    """Tiers of the management network first, then from the highest level down."""
    return sorted(
        plan.geometry.every_tier, key=lambda tier: (tier.kind != "out-of-band", -tier.level, tier.fabric)
    )


def _cables(kinds: pl.DataFrame, fabric: str, level: int, word: str) -> Iterator[tuple[str, int, str, bool]]:
    part = kinds.filter((pl.col("fabric") == fabric) & (pl.col("tier") == step_name(level)))
    if not part.height:
        return
    names: dict[str, list[float]] = {}
    for row in part.sort("metres", descending=True).iter_rows(named=True):
        names.setdefault(choose_cable(row["gbit"], row["metres"]).title, []).append(row["metres"])
    detail = "; ".join(
        f"{title}, {lengths[-1]:g}" + (f"–{lengths[0]:g}" if len(lengths) > 1 else "") + " m"
        for title, lengths in names.items()
    )
    yield f"{fabric} {word} ({step_name(level).replace('_', '–')})", int(part["count"].sum()), detail, False
