"""What fits: pods under a grid connection, by rack power. All that is not compute scales with the pods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.plan.tables.power import balance
from infra.plan.tables.schedulers import nodes_per
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Fit:
    """One answer.

    Attributes:
        pods: that fit.
        accelerators: in them.
        racks: compute racks in them.
        rack_w: watts of a rack of accelerators.
        pod_it_w: IT watts of a pod.
        facility_w: at the connection with these pods.
        cap_w: of the connection.
        pue: facility over IT.
    """

    pods: int
    accelerators: int
    racks: int
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
    """How many pods of the layout's rule fit under the grid connection.

    Args:
        plan: gives the layout and all that is not compute.
        rack_w: watts of a compute rack; by default the plan's.
        unit_w: instead, watts of a whole scalable unit with its part of everything counted in.
        pue: instead of the declared one.
        cap_w: instead of the declared connection.

    Raises:
        UserError: the site declares no grid connection or no PUE, and none was given.
    """
    totals = balance(plan)
    geometry = plan.geometry
    cap = cap_w if cap_w is not None else totals.cap
    if math.isinf(cap):
        raise UserError(f"{plan.site.name} declares no grid connection", hint="give one with --grid 1000MW")
    factor = pue or totals.pue
    if factor is None:
        raise UserError(
            f"{plan.site.name} declares no PUE, so what a facility draws is not known",
            hint="declare `energy.pue`, or give one with --pue 1.2",
        )
    units = geometry.sus
    if unit_w is not None:
        pod = unit_w * units
        rack = unit_w / geometry.racks
    else:
        rack = totals.rack if rack_w is None else rack_w
        last = len(geometry.forms[geometry.default_form(geometry.racks - 1)].slots)
        full = len(geometry.forms[0].slots)
        pod = rack * units * (geometry.racks - 1 + last / full) + totals.other / geometry.pods
    # A billionth is left to rounding: a site capped to its connection fits exactly.
    pods = math.floor(cap / factor / pod * (1 + 1e-9)) if pod > 0 else 0
    return Fit(
        pods=pods,
        accelerators=pods * accelerators_per_pod(plan),
        racks=pods * units * geometry.racks,
        rack_w=rack,
        pod_it_w=pod,
        facility_w=pods * pod * factor,
        cap_w=cap,
        pue=factor,
    )


def accelerators_per_pod(plan: Plan) -> int:
    """Accelerators in a pod of the layout's rule."""
    geometry = plan.geometry
    rack = sum(catalog.platform(slot.platform).node.accelerators for slot in geometry.forms[0].slots)
    each = rack / max(len(geometry.forms[0].slots), 1)
    return round(nodes_per(geometry, "pod") * each)
