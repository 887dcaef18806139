"""Where an announcement and the arithmetic of the declaration do not meet: shown, not hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.admission.findings import Finding, Severity
from infra.plan.admission.fit import accelerators, fit
from infra.plan.admission.limits import number
from infra.plan.tables.counts import counts
from infra.plan.tables.power import balance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan

DEFAULT: dict[str, Severity] = {
    "announced-accelerators": "warning",
    "announced-compute": "info",
    "announced-date": "warning",
    "announced-cost": "warning",
    "announced-carbon": "info",
}
"""Severity of each contradiction unless the declaration says otherwise under `findings`."""


def contradictions(plan: Plan) -> Iterator[Finding]:
    """Findings from comparing the announcement with the plan of the whole site."""
    claim = plan.site.announcement
    if claim is None or plan.phase is not None or not plan.site_level:
        return
    for name, message, path in _messages(plan):
        severity = plan.site.findings.get(name, DEFAULT[name])
        yield Finding(name, severity, message, path, plan.site.name, claim.source)


def _messages(plan: Plan) -> Iterator[tuple[str, str, str]]:
    site, totals = plan.site, balance(plan)
    claim, grid = site.announcement, site.grid
    assert claim is not None
    number_of = counts(plan)
    rated = plan.geometry.forms[0].rated_w
    if grid and totals.rack < rated * (1 - 1e-9):
        most = fit(plan, rack_w=rated, pue=totals.least_pue)
        yield (
            "announced-accelerators",
            (
                f"{number_of.accelerators:,} accelerators ({claim.accelerators:,} announced)"
                f" fit {grid.power / 1e6:,.0f} MW"
                f" at PUE {totals.least_pue:.2f} only at {totals.rack / 1e3:.1f} kW a rack or less;"
                f" at the platform's rated"
                f" {rated / 1e3:,.0f} kW {most.pods} pods fit, {most.accelerators:,} accelerators"
            ),
            "$.layout.rack.power",
        )
    if grid and totals.pue and claim.power * totals.pue > grid.power:
        yield (
            "announced-compute",
            (
                f"{claim.power / 1e9:g} GW of compute at PUE {totals.pue:.2f}"
                f" needs {claim.power * totals.pue / 1e9:.2f} GW"
                f" of grid; the connection is {grid.power / 1e9:g} GW,"
                f" which leaves {grid.power / totals.pue / 1e9:.3f} GW for IT"
            ),
            "$.grid.power",
        )
    if grid and grid.phases:
        full = next((entry for entry in grid.phases if entry.power >= claim.power), None)
        if full is None or full.date > claim.in_service:
            by_then = max(
                (entry.power for entry in grid.phases if entry.date <= claim.in_service), default=0.0
            )
            when = f"on {full.date} ({full.source})" if full else "in no phase"
            yield (
                "announced-date",
                (
                    f"operation is announced for {claim.in_service[:4]};"
                    f" the grid grants {claim.power / 1e6:,.0f} MW {when},"
                    f" and {by_then / 1e6:,.0f} MW by {claim.in_service}"
                ),
                "$.announcement.in_service",
            )
    yield from _cost(plan)
    if claim.carbon_free and site.energy and site.energy.location_intensity > 0:
        intensity = site.energy.location_intensity
        yield (
            "announced-carbon",
            (
                f"exclusively carbon-free is a contractual (market-based) claim;"
                f" location-based the energy has"
                f" {intensity:g} g CO2e/kWh"
            ),
            "$.announcement.carbon_free",
        )


def _cost(plan: Plan) -> Iterator[tuple[str, str, str]]:
    claim = plan.site.announcement
    assert claim is not None
    if claim.cost is None or claim.rack_cost is None:
        return
    racks = sum(counts(plan).racks.values())
    total = racks * claim.rack_cost
    if total <= claim.cost:
        return
    text = (
        f"{claim.cost / 1e9:g} bn EUR against {racks:,} racks at about {claim.rack_cost / 1e6:g} M EUR each,"
        f" {total / 1e9:.1f} bn EUR"
    )
    if claim.first_tranche:
        geometry = plan.geometry
        pods = sum(accelerators(geometry, pod + 1) <= claim.first_tranche for pod in range(geometry.pods))
        text += f"; the funded first tranche of {number(claim.first_tranche)} is {pods} pods,"
        text += f" {accelerators(geometry, pods):,} accelerators"
    yield "announced-cost", text, "$.announcement.cost"
