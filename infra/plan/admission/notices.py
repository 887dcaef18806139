"""What a declaration leaves open, so that something cannot be judged or is not done: told, not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.admission.findings import Finding, Severity
from infra.plan.tables import reach, switching
from infra.plan.tables.power import balance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan

DEFAULT: dict[str, Severity] = {
    "pue-undeclared": "warning",
    "out-of-band-reach": "warning",
    "time-peers": "warning",
}
"""Severity of each notice unless the declaration says otherwise under `findings`."""

NTP = 123
"""UDP port of network time (RFC 5905)."""


def notices(plan: Plan) -> Iterator[Finding]:
    """Findings about what the declaration does not say; a pod's slice has none."""
    if not plan.site_level:
        return
    for name, message, path, source in (*_pue(plan), *_reach(plan), *_time(plan)):
        severity = plan.site.findings.get(name, DEFAULT[name])
        yield Finding(name, severity, message, path, plan.site.name, source)


def _reach(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """A management address is of no use without a cable."""
    fabrics = plan.geometry.management_fabrics
    if not fabrics or not plan.scope:
        return
    parts = []
    for name in fabrics:
        first = plan.geometry.tiers[name][0]
        parts.append(reach.ends(plan, first, switching.shared(plan.scope, first.pods), 0)["a"])
    frame = plan.managed_frame.with_row_index("a")
    lost = frame.filter(~pl.col("a").is_in(pl.concat(parts).implode()))
    if lost.height:
        kinds = lost.group_by("kind", maintain_order=True).len().rows()
        words = " and ".join(f"{count:,} {_NAMES[kind][count > 1]}" for kind, count in kinds)
        message = (
            f"{words} have a management address and no cable: the management switches of their pods have no"
            f" port left ({lost['name'][0]} is the first); give the first tier more switches"
        )
        yield "out-of-band-reach", message, f"$.fabrics.{fabrics[0].replace('-', '_')}.tiers[0]", "the plan"


_NAMES = {"switch": ("switch", "switches"), "server": ("server", "servers"), "cdu": ("CDU", "CDUs")}


def _time(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Several time servers agree among themselves, which their zone must let them."""
    site = plan.site
    servers = [server for server in site.servers if server.name == site.services.ntp]
    zones = {zone.name for zone in site.security.zones if any(s.role in zone.roles for s in servers)}
    if sum(server.all(site.layout.pods) for server in servers) < 2:
        return
    for zone in sorted(zones):
        own = [allow for allow in site.security.allow if allow.source == allow.target == zone]
        spans = [span for allow in own for span in allow.spans()]
        if not any(protocol == "udp" and first <= NTP <= last for protocol, first, last in spans):
            message = (
                f"the time servers `{site.services.ntp}` cannot reach each other: zone `{zone}` lets none of"
                f" its own in on udp/123, so their clocks drift apart; allow it from `{zone}` to `{zone}`"
            )
            yield "time-peers", message, "$.security.allow", "chrony.conf: peer"


def _pue(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Without a PUE only IT power can be compared with a connection, which carries the facility's."""
    totals = balance(plan)
    if plan.site.grid and totals.pue is None:
        message = (
            f"no PUE is declared, so the facility's power is not known: the grid connection is compared with"
            f" {totals.it / 1e6:,.2f} MW of IT alone; declare `energy.pue`"
        )
        yield "pue-undeclared", message, "$.grid.power", "facility power is IT power times the PUE"
