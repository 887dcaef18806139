"""Gaps in a declaration, so that something cannot be judged or is not done: told, not measured."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.admission.findings import Finding, Severity
from infra.plan.tables import reach, switching
from infra.plan.tables.names import names
from infra.plan.tables.paths import blocks_on_site, fabric_paths
from infra.plan.tables.power import balance
from infra.spec import catalog
from infra.spec.services import SCHEDULER_PORT, WORKER_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan
    from infra.spec.site import Site

DEFAULT: dict[str, Severity] = {
    "pue-undeclared": "warning",
    "out-of-band-reach": "warning",
    "out-of-band-uplinks": "warning",
    "time-peers": "warning",
    "names-blocked": "warning",
    "monitoring-blocked": "warning",
    "rollout-blocked": "warning",
    "imex-blocked": "warning",
    "service-undone": "info",
    "name-of-two": "error",
    "name-of-nothing": "error",
    "name-of-place": "error",
}
"""Severity of each notice unless the declaration says otherwise under `findings`."""

UNDONE = ("registry",)
"""Services that a site may declare and that nothing reads yet."""

NTP = 123
"""UDP port of network time (RFC 5905)."""
DNS = 53
"""UDP port of names (RFC 1035)."""
METRICS = 9100
"""TCP port of Prometheus' node exporter, as the role `metrics` has it."""
LOGS = 514
"""Port of syslog (RFC 5426 for UDP; the customary one for TCP, RFC 6587), as the role `logs` has it."""

IMEX = 50000
"""TCP port of NVIDIA's IMEX service (its guide, SERVER_PORT)."""


def notices(plan: Plan) -> Iterator[Finding]:
    """Findings about what the declaration does not say; a pod's slice has none."""
    if not plan.site_level:
        return
    for name, message, path, source in (
        *_pue(plan),
        *_reach(plan),
        *_uplinks(plan),
        *_time(plan),
        *_dns(plan),
        *_monitoring(plan),
        *_rollout(plan),
        *_imex(plan),
        *_undone(plan),
        *_names(plan),
    ):
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
        parts.append(reach.ends(plan, first, switching.intersect(plan.scope, first.pods), 0)["a"])
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


def _uplinks(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Management switches that nothing declared joins: from one, only what is cabled to it is reached."""
    for name in plan.geometry.management_fabrics:
        own = plan.geometry.tiers[name]
        judged = fabric_paths(plan.geometry, name)
        if judged.apart and len(own) > 1:
            continue  # an error: see the rule `fabric-islands`
        top = own[-1]
        islands = judged.blocks * (top.per_block if len(own) == 1 else 1)
        if islands > 1:
            each = "each alone" if len(own) == 1 else f"one in each {top.per}"
            message = (
                f"the {blocks_on_site(plan.geometry, own[0]) * own[0].per_block:,} management switches of"
                f" `{name}` are {islands:,} islands, {each}: no declared uplink joins them, so no machine"
                f" reaches what is cabled to another island; give `{top.name}` uplinks (`up`) and a tier"
                " above"
            )
            yield "out-of-band-uplinks", message, f"$.fabrics.{name.replace('-', '_')}.tiers", "the plan"


_NAMES = {"switch": ("switch", "switches"), "server": ("server", "servers"), "cdu": ("CDU", "CDUs")}


def _time(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Several time servers agree among themselves, which their zone must let them."""
    site = plan.site
    servers = [server for server in site.servers if server.name == site.services.ntp]
    zones = {zone.name for zone in site.security.zones if any(s.role in zone.roles for s in servers)}
    if sum(server.all(site.layout.pods) for server in servers) < 2:
        return
    for zone in sorted(zones):
        if not _allows(site, zone, zone, "udp", NTP):
            message = (
                f"the time servers `{site.services.ntp}` cannot reach each other: zone `{zone}` lets none of"
                f" its own in on udp/123, so their clocks drift apart; allow it from `{zone}` to `{zone}`"
            )
            yield "time-peers", message, "$.security.allow", "chrony.conf: peer"


def _dns(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Machines of each zone of hosts ask the servers of names."""
    site = plan.site
    if not site.services.dns:
        return
    alone = _managers(site) < 2
    for zone in site.security.zones:
        for server in (one.name for one in site.security.zones if "management" in one.roles):
            hosts = set(zone.roles) - {"switch"}
            if not hosts or (alone and zone.name == server) or _allows(site, zone.name, server, "udp", DNS):
                continue
            message = (
                f"machines of zone `{zone.name}` cannot ask the servers of names `{site.services.dns}`: zone"
                f" `{server}` lets none of them in on udp/53; allow it from `{zone.name}` to `{server}`"
            )
            yield "names-blocked", message, "$.security.allow", "the role dns_client"


def _managers(site: Site) -> int:
    """Count the management servers of the whole site."""
    return sum(server.all(site.layout.pods) for server in site.servers if server.role == "management")


def _monitoring(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Monitoring servers read metrics in each zone of hosts, and get the logs of every zone."""
    site = plan.site
    if not site.services.monitoring:
        return
    alone = _managers(site) < 2
    own = [zone.name for zone in site.security.zones if "management" in zone.roles]
    for zone, server in ((zone, server) for zone in site.security.zones for server in own):
        if alone and zone.name == server:
            continue
        hosts = set(zone.roles) - {"switch"}
        tells = hosts or (zone.roles and _switches_are_ordinary(site))
        wanted = [(server, zone.name, "metrics", METRICS)] if tells else []
        wanted += [(zone.name, server, "logs", LOGS)] if zone.roles else []
        for source, target, what, port in wanted:
            # switches send their logs by UDP
            kinds = ("tcp",) if hosts or what == "metrics" else ("tcp", "udp")
            if not any(_allows(site, source, target, kind, port) for kind in kinds):
                message = (
                    f"the monitoring servers `{site.services.monitoring}` get no {what} of zone"
                    f" `{zone.name}`: zone `{target}` lets none of `{source}` in on tcp/{port}; allow it from"
                    f" `{source}` to `{target}`"
                )
                yield "monitoring-blocked", message, "$.security.allow", "the roles metrics and logs"


def _switches_are_ordinary(site: Site) -> bool:
    """Whether a switch of the site is an ordinary machine, which tells metrics as others do."""
    fabrics = site.fabrics.named().values()
    return any(catalog.is_ordinary(tier.switch) for fabric in fabrics for tier in fabric.tiers)


def _imex(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Trays whose NVLinks join a rack agree on the memory that they share (IMEX)."""
    site = plan.site
    forms = (slot.platform for form in plan.geometry.forms for slot in form.slots)
    each = [catalog.platform(name).node.accelerator for name in {*forms}]
    if not any(one and one.interface == "nvml" and one.link_domain == "rack" for one in each):
        return
    for zone in site.security.zones:
        if "tray" in zone.roles and not _allows(site, zone.name, zone.name, "tcp", IMEX):
            message = (
                f"the trays of a rack cannot share memory over NVLink: zone `{zone.name}` lets none of its"
                f" own in on tcp/{IMEX} (IMEX); allow it from `{zone.name}` to `{zone.name}`"
            )
            yield "imex-blocked", message, "$.security.allow", "the role accelerator"


def _rollout(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Workers and the scheduler of rollouts reach each other: both are management servers."""
    site = plan.site
    cluster = site.services.rollout
    zones = [zone.name for zone in site.security.zones if "management" in zone.roles]
    if cluster is None or not zones:
        return
    groups = [server for server in site.servers if server.name in {cluster.scheduler, cluster.workers}]
    if sum(server.all(site.layout.pods) for server in groups) < 2:
        return
    workers, scheduler = f"workers on `{cluster.workers}`", f"the scheduler on `{cluster.scheduler}`"
    for port, lack in (
        (SCHEDULER_PORT, f"{workers} cannot reach {scheduler}"),
        (WORKER_PORT, f"{scheduler} gets no results of {workers}"),
    ):
        if not any(_allows(site, one, other, "tcp", port) for one in zones for other in zones):
            message = (
                f"{lack}: zone `{zones[0]}` lets none of its own in on tcp/{port}; allow it from"
                f" `{zones[0]}` to `{zones[0]}`"
            )
            yield "rollout-blocked", message, "$.security.allow", "the role rollout_cluster"


def _allows(site: Site, source: str, target: str, protocol: str, port: int) -> bool:
    """Return whether one zone lets another's machines in on a port."""
    return any(
        kind == protocol and first <= port <= last
        for allow in site.security.allow
        if (allow.source, allow.target) == (source, target)
        for kind, first, last in allow.spans()
    )


def _names(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Each declared name is of one rack or machine, and each as-is place is there."""
    declared = plan.site.names
    if declared is None:
        return
    table = names(plan).with_columns((pl.col("kind") == "rack").alias("rack"))
    places = set(table["place"])
    lost = [place for place in declared.as_is if place not in places]
    if lost:
        near = difflib.get_close_matches(lost[0], places, 1)
        hint = f"did you mean `{near[0]}`?" if near else "name a rack or machine of the plan"
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        yield "name-of-nothing", f"there is no `{lost[0]}`{more}; {hint}", "$.names.as_is", "the plan"
    called = pl.col("name").str.to_lowercase()  # names of hosts do not differ by case (RFC 1123)
    taken = table.filter((called != pl.col("place")) & called.is_in(table["place"].implode()))
    if taken.height:
        one = taken.row(0, named=True)
        message = (
            f"{one['place']} is called `{one['name']}`, and that is another's own name; call it otherwise"
        )
        key = "as_is" if one["place"] in declared.as_is else one["kind"]
        yield "name-of-place", message, f"$.names.{key}", "one name, one machine"
    several = table.filter(pl.struct("rack", called).is_duplicated())
    if several.height:
        first = several.filter(called == several["name"][0].lower())
        kind, count = first["kind"][0], several.select(called.n_unique()).item()
        more = f", and {count - 1:,} names more are of several" if count > 1 else ""
        message = (
            f"`{first['name'][0]}` is the name of {first['place'][0]} and {first['place'][1]}{more}; give the"
            f" pattern a field that tells them apart"
        )
        yield "name-of-two", message, f"$.names.{kind}", "one name, one machine"


def _undone(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """A service that is declared and that no role sets up."""
    for name in UNDONE:
        if servers := getattr(plan.site.services, name):
            message = (
                f"`{servers}` shall serve {name}, and no role sets that up: nothing on its machines follows"
                f" from this line; leave it out, or add a role for it (docs/howto-role.md)"
            )
            yield "service-undone", message, f"$.services.{name}", "roles and templates"


def _pue(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    """Without a PUE only IT power can be compared with a connection, which carries the facility's."""
    totals = balance(plan)
    if plan.site.grid and totals.pue is None:
        message = (
            f"no PUE is declared, so the facility's power is not known: the grid connection is compared with"
            f" {totals.it / 1e6:,.2f} MW of IT alone; declare `energy.pue`"
        )
        yield "pue-undeclared", message, "$.grid.power", "facility power is IT power times the PUE"
