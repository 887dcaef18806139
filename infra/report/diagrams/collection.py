"""Which diagrams there are of a site, a pod, a scalable unit or a rack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from infra.report.diagrams.rack import draw_rack
from infra.report.diagrams.rows import draw_rows
from infra.report.diagrams.tiers import draw_tiers
from infra.report.diagrams.unit import draw_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import Plan
    from infra.report.diagrams.svg import Drawing


def draw(plan: Plan, place: str | None = None) -> Iterator[tuple[str, Drawing]]:
    """Draw a place.

    Args:
        plan: of the site.
        place: a pod, a scalable unit or a rack; None for the tiers of all fabrics, and the first pod with its
            first unit and one rack of each kind: pods without exceptions are alike.

    Yields:
        name and drawing.

    Raises:
        UserError: the plan has no such place.
    """
    if place is None:
        for fabric in plan.geometry.tiers:
            yield f"tiers-{fabric}", draw_tiers(plan, fabric)
        if plan.pods:
            yield from _first_pod(plan)
        return
    if re.fullmatch(r"pod-\d+", place):
        yield f"rows-{place}", draw_rows(plan, place)
    elif re.fullmatch(r"pod-\d+-su-\d+", place):
        yield f"unit-{place}", draw_unit(_scope(plan, place), place)
    else:
        yield f"rack-{place}", draw_rack(_scope(plan, place), place)


def _scope(plan: Plan, place: str) -> Plan:
    """The place's pod alone, unless other pods' cables or the site's own end there."""
    pod = "-".join(place.split("-")[:2])
    if pod not in plan.pods or plan.geometry.pods == 1:
        return plan
    attached = any(server.attach == pod for server in plan.site.servers)
    network = "-net-" in place and "-su-" not in place
    return plan if attached or network else plan.pod(pod)


def _first_pod(plan: Plan) -> Iterator[tuple[str, Drawing]]:
    pod = plan.pods[0]
    yield from draw(plan, pod)
    scope = plan.pod(pod)
    unit = scope.racks.filter(pl.col("su").is_not_null())["su"]
    if unit.len():
        yield from draw(plan, str(unit[0]))
    for kind in ("compute", "network"):
        racks = scope.racks.filter(pl.col("kind") == kind)["name"]
        if racks.len():
            name = str(racks[0])
            yield f"rack-{name}", draw_rack(_scope(plan, name), name)
