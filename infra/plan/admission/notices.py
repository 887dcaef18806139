"""What a declaration leaves open, so that something cannot be judged or is not done: told, not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.admission.findings import Finding, Severity
from infra.plan.tables.power import balance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan

DEFAULT: dict[str, Severity] = {"pue-undeclared": "warning"}
"""Severity of each notice unless the declaration says otherwise under `findings`."""


def notices(plan: Plan) -> Iterator[Finding]:
    """Findings about what the declaration does not say; a pod's slice has none."""
    if not plan.site_level:
        return
    for name, message, path, source in _pue(plan):
        severity = plan.site.findings.get(name, DEFAULT[name])
        yield Finding(name, severity, message, path, plan.site.name, source)


def _pue(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Without a PUE only IT power can be compared with a connection, which carries the facility's."""
    totals = balance(plan)
    if plan.site.grid and totals.pue is None:
        message = (
            f"no PUE is declared, so the facility's power is not known: the grid connection is compared with"
            f" {totals.it / 1e6:,.2f} MW of IT alone; declare `energy.pue`"
        )
        yield "pue-undeclared", message, "$.grid.power", "facility power is IT power times the PUE"
