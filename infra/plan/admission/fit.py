"""Pods that fit under a grid connection, by rack power. All that is not compute scales with the pods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.plan.tables.counts import pod_counts
from infra.plan.tables.power import balance, weights

if TYPE_CHECKING:
    from infra.plan.plan import Plan
    from infra.plan.tables.geometry import Geometry


@dataclass(frozen=True, slots=True)
class Fit:
    """One answer.

    Attributes:
        pods: that fit, from the first on.
        accelerators: in them.
        racks: compute racks in them.
        more_units: scalable units by the rule that what is left over carries, fewer than a pod has.
        more_racks: racks by the rule that what is then left carries, fewer than a scalable unit has.
        rack_w: watts of a rack of accelerators, the mean of those that fit.
        pod_it_w: IT watts of a pod, the mean of those that fit.
        facility_w: at the connection with these pods.
        cap_w: of the connection.
        pue: facility over IT.
    """

    pods: int
    accelerators: int
    racks: int
    more_units: int
    more_racks: int
    rack_w: float
    pod_it_w: float
    facility_w: float
    cap_w: float
    pue: float


def fit(
    plan: Plan,
    *,
    rack_w: float | None = None,
    unit_w: float | None = None,
    pue: float | None = None,
    cap_w: float | None = None,
) -> Fit:
    """How many pods fit under the grid connection: those declared, exceptions too, then more by the rule.

    Args:
        plan: gives the layout and all that is not compute.
        rack_w: watts of a full compute rack; by default what the plan gives each.
        unit_w: instead, watts of a whole scalable unit with its part of everything counted in.
        pue: instead of the declared one.
        cap_w: instead of the declared connection.

    Raises:
        UserError: the site declares no grid connection or no PUE, and none was given.
    """
    totals = balance(plan)
    geometry = plan.geometry
    size = geometry.sizes.rule
    cap = cap_w if cap_w is not None else totals.cap
    if math.isinf(cap):
        raise UserError(f"{plan.site.name} declares no grid connection", hint="give one with --grid 1000MW")
    factor = pue or totals.pue
    if factor is None:
        raise UserError(
            f"{plan.site.name} declares no PUE, so what a facility draws is not known",
            hint="declare `energy.pue`, or give one with --pue 1.2",
        )
    other = totals.other / geometry.pods

    # The last rack of a scalable unit counted in nodes may be part full.
    last = geometry.default_form(size.racks - 1)
    parts = {last: len(geometry.forms[last].slots) / max(len(geometry.forms[0].slots), 1)}

    def draws(pod: int | None) -> float:
        if unit_w is not None:
            return unit_w * (size if pod is None else geometry.sizes.of(pod)).units
        own = weights(geometry, pod)
        if rack_w is None:
            return other + sum(totals.forms[form] * weight for form, weight in own.items())
        return other + rack_w * sum(parts.get(form, 1.0) * weight for form, weight in own.items())

    rule = draws(None)
    touched = {area.pod for area, _, _ in geometry.areas}
    declared = [draws(pod) if pod in touched else rule for pod in range(geometry.pods)]
    # A billionth is left to rounding: a site capped to its connection fits exactly.
    most = cap / factor * (1 + 1e-9)
    sums = list(accumulate(declared))
    pods = next((index for index, total in enumerate(sums) if total > most), len(sums))
    drawn = sums[pods - 1] if pods else 0.0
    if pods == len(sums) and rule > 0:
        more = math.floor((most - drawn) / rule)
        pods, drawn = pods + more, drawn + more * rule
    racks = geometry.sizes.racks_in(range(min(pods, geometry.pods)))
    racks += max(pods - geometry.pods, 0) * size.units * size.racks
    # With their even part of all that is not compute.
    rest = max(most - drawn, 0.0)
    units = min(math.floor(rest / (rule / size.units)), size.units - 1) if rule > 0 else 0
    rest -= units * rule / size.units
    each_rack = rule / (size.units * size.racks)
    more_racks = min(math.floor(rest / each_rack), size.racks - 1) if rule > 0 else 0
    mean = drawn / pods if pods else declared[0]
    if unit_w is not None:
        each = unit_w / size.racks
    elif rack_w is not None:
        each = rack_w
    else:
        each = (mean - other) * pods / racks if racks else (mean - other) / (size.units * size.racks)
    return Fit(
        pods=pods,
        accelerators=accelerators(geometry, pods),
        racks=racks,
        more_units=units,
        more_racks=more_racks,
        rack_w=each,
        pod_it_w=mean,
        facility_w=drawn * factor,
        cap_w=cap,
        pue=factor,
    )


def accelerators(geometry: Geometry, pods: int) -> int:
    """Accelerators in the first pods; those beyond the declared ones are by the rule."""
    touched = {area.pod for area, _, _ in geometry.areas if area.pod < pods}
    rule = pod_counts(geometry, None).accelerators
    return rule * (pods - len(touched)) + sum(pod_counts(geometry, pod).accelerators for pod in touched)
