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
from infra.plan.views.materials import cable_kinds, chosen

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
    phases = [(entry.name, str(entry.date), entry.pods) for entry in site.phases]
    if not phases or phases[-1][2] < site.layout.pods:
        phases.append(("" if not phases else "later", "", site.layout.pods))
    result, done, first = [], 0, True
    for name, due, pods in phases:
        if pods <= done and not first:
            continue
        plan = Plan(site, range(done, pods), site_level=first)
        where = f"pod-{done + 1:02d} to pod-{pods:02d}" if pods - done > 1 else f"pod-{pods:02d}"
        for number, (what, count, detail, site_wide) in enumerate(_steps(plan), 1):
            result.append(Step(name, due, number, what, count, detail, "site" if site_wide else where))
        done, first = pods, False
    return result


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
        yield "CDUs", coolers, f"{plan.site.cooling.cooler}" if plan.site.cooling else "", False
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
        names.setdefault(chosen(row["gbit"], row["metres"]).title, []).append(row["metres"])
    detail = "; ".join(
        f"{title}, {lengths[-1]:g}" + (f"–{lengths[0]:g}" if len(lengths) > 1 else "") + " m"
        for title, lengths in names.items()
    )
    yield f"{fabric} {word} ({step_name(level).replace('_', '–')})", int(part["count"].sum()), detail, False
