"""Admission: each rule measures one kind of limit at every place of its level, N and with the spares out.

A rule is a function that yields `Limit`s and a line in `RULES`. It says nothing by itself; what exceeds its
limit becomes a finding. So the same code answers "does it fit" and "how much is left".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan import schedulers
from infra.plan.cooling import cooling, rise_k
from infra.plan.findings import Finding, Severity
from infra.plan.fit import fit
from infra.plan.limits import Limit, megawatts, number
from infra.plan.power import balance, power, rack_watts
from infra.plan.storage import checkpoint, storage
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.plan.plan import Plan
    from infra.spec.tiers import ResolvedTier


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of limit.

    Attributes:
        id: stable name, also of its findings.
        title: what is compared.
        measure: yields every limit of the kind.
        severity: of a breach, unless the declaration says otherwise under `findings`.
    """

    id: str
    title: str
    measure: Callable[[Plan], Iterator[Limit]]
    severity: Severity = "error"


def limits(plan: Plan) -> Iterator[tuple[Rule, Limit]]:
    """Every limit of a plan, kept or not; a pod's slice has none, because limits are judged for the whole."""
    if not plan.site_level:
        return
    for rule in RULES:
        for limit in rule.measure(plan):
            yield rule, limit


def breaches(plan: Plan) -> Iterator[Finding]:
    """Findings for the limits that are not kept; equal ones of many places are one finding with their number."""
    grouped: dict[tuple[str, str, str, float, float], list[Limit]] = {}
    rules: dict[str, Rule] = {}
    for rule, limit in limits(plan):
        if not limit.holds:
            rules[rule.id] = rule
            key = (rule.id, limit.case, limit.path, round(limit.value, 6), round(limit.limit, 6))
            grouped.setdefault(key, []).append(limit)
    for (name, *_), places in grouped.items():
        rule, first = rules[name], places[0]
        severity = plan.site.findings.get(rule.id, rule.severity)
        word = "less than" if first.at_least else "more than"
        more = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
        case = "" if first.case == "N" else f" at {first.case}"
        message = (
            f"{rule.title}{case}: {number(first.value)} {first.unit} is {word} {number(first.limit)} {first.unit}"
            f" ({first.place}{more}); {first.fits}"
        )
        yield Finding(rule.id, severity, message, first.path, first.place, first.source)


def _spare(count: int, spare: int) -> list[tuple[str, int]]:
    """Cases to check: everything working, and the declared number of spares out."""
    return [("N", count)] + ([(f"N-{spare}", count - spare)] if spare else [])


def facility_w(plan: Plan) -> float:
    """Watts at the connection point of what is in scope."""
    table = power(plan)
    return float(table.item(0, "facility_w")) if table.height else 0.0


def _grid_power(plan: Plan) -> Iterator[Limit]:
    site, totals = plan.site, balance(plan)
    if site.grid:
        facility = facility_w(plan)
        pods = fit(plan).pods
        yield Limit(site.name, "N", megawatts(facility), megawatts(site.grid.power), "MW", "$.grid.power",
                    f"the grid connection, at PUE {totals.pue:g}", f"{pods} pods fit")  # fmt: skip


def _rack_share(plan: Plan) -> Iterator[Limit]:
    """A share of nothing is no power: what the grid leaves for compute must be positive."""
    if plan.site.layout.rack.power == "share":
        yield Limit(plan.site.name, "N", balance(plan).rack / 1e3, 0.001, "kW a rack", "$.layout.rack.power",
                    "what the grid leaves after switches, storage and management", "fewer pods leave more",
                    at_least=True)  # fmt: skip


def _grid_phases(plan: Plan) -> Iterator[Limit]:
    grid, totals = plan.site.grid, balance(plan)
    if not grid or not grid.phases:
        return
    each = totals.facility / plan.geometry.pods
    for index, phase in enumerate(plan.site.phases):
        granted = [entry.power for entry in grid.phases if entry.date <= phase.date]
        limit = max(granted, default=0.0)
        fits = (
            f"{math.floor(limit / each * (1 + 1e-9))} pods fit by {phase.date}"
            if each
            else "no pods are planned"
        )
        yield Limit(f"phase {phase.name}", "N", megawatts(phase.pods * each), megawatts(limit), "MW",
                    f"$.phases[{index}].pods", "the operator's connection phases", fits)  # fmt: skip


def _circuits(plan: Plan) -> Iterator[Limit]:
    grid = plan.site.grid
    if not grid:
        return
    facility = facility_w(plan)
    ordered = sorted(grid.circuits, key=lambda circuit: circuit.capacity)
    for case, left in _spare(len(ordered), grid.spare_circuits):
        capacity = sum(circuit.capacity for circuit in ordered[: max(left, 0)])
        yield Limit(plan.site.name, case, megawatts(facility), megawatts(capacity), "MW", "$.grid.circuits",
                    "capacity of the circuits that are left", f"{number(megawatts(capacity))} MW fit")  # fmt: skip


def _circuit_current(plan: Plan) -> Iterator[Limit]:
    grid = plan.site.grid
    if not grid:
        return
    facility = facility_w(plan)
    for case, left in _spare(len(grid.circuits), grid.spare_circuits):
        for index, circuit in enumerate(grid.circuits):
            amps = current(facility / max(left, 1), circuit.voltage, grid.power_factor)
            most = math.sqrt(3) * circuit.voltage * circuit.current_limit * grid.power_factor
            yield Limit(f"circuit {circuit.name}", case, amps, circuit.current_limit, "A",
                        f"$.grid.circuits[{index}].current_limit", "thermal limit of the circuit",
                        f"{number(megawatts(most))} MW fit on it")  # fmt: skip


def current(watts: float, volts: float, power_factor: float) -> float:
    """Amperes in each conductor of a three-phase circuit."""
    return watts / (math.sqrt(3) * volts * power_factor)


def _halls(plan: Plan) -> Iterator[Limit]:
    feeds = plan.site.feeds
    if feeds and feeds.hall is not None:
        for row in power(plan).filter(pl.col("level") == "hall").iter_rows(named=True):
            yield Limit(row["name"], "N", megawatts(row["facility_w"]), megawatts(feeds.hall), "MW",
                        "$.feeds.hall", feeds.source, f"{number(megawatts(feeds.hall))} MW fit in a hall")  # fmt: skip


def _busways(plan: Plan) -> Iterator[Limit]:
    feeds = plan.site.feeds
    if not feeds or feeds.busway is None:
        return
    rows = power(plan).filter(pl.col("level") == "scalable-unit").select("name", "it_w").rows()
    racks = plan.geometry.racks
    for case, left in _spare(feeds.busways_per_row, feeds.spare_busways):
        limit = feeds.busway * left
        for name, watts in rows:
            yield Limit(name, case, watts / 1e3, limit / 1e3, "kW", "$.feeds.busway", feeds.source,
                        f"{math.floor(limit / (watts / racks))} racks fit in a row" if watts else "")  # fmt: skip


def _rack_feeds(plan: Plan) -> Iterator[Limit]:
    feeds = plan.site.feeds
    if not feeds or feeds.rack is None:
        return
    rows = list(zip(plan.rack_frame["name"], rack_watts(plan), strict=True))
    for case, left in _spare(feeds.feeds_per_rack, feeds.spare_feeds):
        limit = feeds.rack * left
        for name, watts in rows:
            yield Limit(name, case, watts / 1e3, limit / 1e3, "kW", "$.feeds.rack", feeds.source,
                        f"racks of {number(limit / 1e3)} kW fit")  # fmt: skip


def _power_shelves(plan: Plan) -> Iterator[Limit]:
    watts = balance(plan).forms
    for index, form in enumerate(plan.geometry.forms):
        for companion, _ in form.companions:
            if companion.rating is None:
                continue
            for case, left in _spare(companion.count, companion.spare):
                limit = companion.rating * left
                yield Limit(f"rack of {form.platform}", case, watts[index] / 1e3, limit / 1e3, "kW",
                            _form_path(plan, index), f"catalog: {form.platform}, {companion.name}",
                            f"racks of {number(limit / 1e3)} kW fit")  # fmt: skip


def _rack_rating(plan: Plan) -> Iterator[Limit]:
    """A cap above what the platform can draw is a mistake of the declaration."""
    watts = balance(plan).forms
    for index, form in enumerate(plan.geometry.forms):
        yield Limit(f"rack of {form.platform}", "N", watts[index] / 1e3, form.rated_w / 1e3, "kW",
                    _form_path(plan, index), f"catalog: {form.platform}, rack.power",
                    f"the platform draws {number(form.rated_w / 1e3)} kW at most")  # fmt: skip


def _form_path(plan: Plan, form: int) -> str:
    for index, exception in enumerate(plan.site.exceptions):
        if exception.rack is plan.geometry.declared[form]:
            return f"$.exceptions[{index}].rack"
    return "$.layout.rack"


def _rack_units(plan: Plan) -> Iterator[Limit]:
    own = sum(tier.per_block * tier.model.height for tier in plan.geometry.every_tier if tier.per == "rack")
    for index, form in enumerate(plan.geometry.forms):
        yield Limit(f"rack of {form.platform}", "N", form.top - 1 + own, form.height, "U", _form_path(plan, index),
                    f"catalog: {form.platform}, rack.height",
                    f"{form.height - form.top + 1} U are left for switches")  # fmt: skip


def _rack_flow(plan: Plan) -> Iterator[Limit]:
    loop = plan.site.cooling
    if loop and loop.rack_flow is not None:
        rows = cooling(plan).filter(pl.col("level") == "rack").select("name", "flow_l_min").rows()
        for name, flow in rows:
            yield Limit(name, "N", flow, loop.rack_flow, "L/min", "$.cooling.rack_flow", "the rack manifold",
                        f"{number(loop.rack_flow)} L/min fit")  # fmt: skip


def _row_flow(plan: Plan) -> Iterator[Limit]:
    loop = plan.site.cooling
    if loop and loop.row_flow is not None:
        rows = cooling(plan).filter(pl.col("level") == "scalable-unit").select("name", "flow_l_min").rows()
        for name, flow in rows:
            fits = math.floor(loop.row_flow / (flow / plan.geometry.racks)) if flow else plan.geometry.racks
            yield Limit(name, "N", flow, loop.row_flow, "L/min", "$.cooling.row_flow", "the row's pipes",
                        f"{fits} racks fit in a row")  # fmt: skip


def _cdu_heat(plan: Plan) -> Iterator[Limit]:
    yield from _cdu(plan, "liquid_w", 1e3, "kW", "capacity")


def _cdu_flow(plan: Plan) -> Iterator[Limit]:
    yield from _cdu(plan, "flow_l_min", 1.0, "L/min", "flow")


def _cdu(plan: Plan, column: str, scale: float, unit: str, field: str) -> Iterator[Limit]:
    loop = plan.site.cooling
    if not loop or not loop.cooler:
        return
    each = float(getattr(catalog.cooler(loop.cooler), field))
    rows = cooling(plan).filter(pl.col("level") == "scalable-unit").select("name", column).rows()
    for case, left in _spare(loop.coolers_per_row, loop.spare_coolers):
        for name, value in rows:
            needed = math.ceil(value / each) + loop.spare_coolers
            yield Limit(name, case, value / scale, each * left / scale, unit, "$.cooling.coolers_per_row",
                        f"catalog: {loop.cooler}, {field}", f"{needed} CDUs a row fit")  # fmt: skip


def _switch_ports(plan: Plan) -> Iterator[Limit]:
    for path, tier in _tiers(plan):
        yield Limit(f"each {tier.name}", "N", tier.down + tier.up, tier.ports, "ports", path,
                    f"catalog: {tier.model.name}, ports", f"{tier.ports - tier.up} ports are left to face down")  # fmt: skip


def _down_ports(plan: Plan) -> Iterator[Limit]:
    for path, tier in _tiers(plan):
        needed = math.ceil(tier.needed * tier.count / tier.down)
        yield Limit(f"each {tier.name}", "N", tier.needed, tier.down, "ports that face down", path,
                    f"catalog: {tier.model.name}, ports", f"{needed} instead of {tier.count} switches fit")  # fmt: skip


def _tiers(plan: Plan) -> Iterator[tuple[str, ResolvedTier]]:
    for fabric, tiers in plan.geometry.tiers.items():
        for tier in tiers:
            yield f"$.fabrics.{fabric.replace('-', '_')}.tiers[{tier.level}]", tier


def _slurm(plan: Plan) -> Iterator[Limit]:
    slurm = plan.site.schedulers.slurm
    if slurm:
        nodes = schedulers.nodes_per(plan.geometry, slurm.per)
        fewest = schedulers.fewest(plan, slurm.nodes_per_cluster)
        yield Limit(f"Slurm cluster of a {slurm.per}", "N", nodes, slurm.nodes_per_cluster, "nodes",
                    "$.schedulers.slurm.per", "slurm.h: MAX_SLURM_NODES is 65,536",
                    f"{fewest} clusters or more hold all nodes")  # fmt: skip


def _kubernetes(plan: Plan) -> Iterator[Limit]:
    kubernetes = plan.site.schedulers.kubernetes
    if kubernetes:
        nodes = schedulers.nodes_per(plan.geometry, kubernetes.per)
        fewest = schedulers.fewest(plan, kubernetes.nodes_per_cluster)
        yield Limit(f"Kubernetes cluster of a {kubernetes.per}", "N", nodes, kubernetes.nodes_per_cluster, "nodes",
                    "$.schedulers.kubernetes.per", "Kubernetes: considerations for large clusters, 5,000 nodes",
                    f"{fewest} clusters or more hold all nodes")  # fmt: skip


def _checkpoint(plan: Plan) -> Iterator[Limit]:
    need = plan.site.storage.checkpoint
    if need:
        write = storage(plan)["write_bytes_s"].sum()
        asked = checkpoint(need).write_bytes_s
        units = math.ceil(asked / (write / (len(plan.scope) * plan.geometry.sus))) if write else 0
        yield Limit(plan.site.name, "N", write / 1e12, asked / 1e12, "TB/s", "$.storage.checkpoint", need.source,
                    f"{units} scalable units write as fast" if units else "no tier declares write bandwidth",
                    at_least=True)  # fmt: skip


def _heat(plan: Plan) -> Iterator[Limit]:
    """Sold heat against the captured heat of each month; capture follows the declared load."""
    site = plan.site
    if not site.heat or not plan.scope:
        return
    load = site.energy.load if site.energy else 1.0
    captured = cooling(plan).item(0, "liquid_w") * load
    for month in range(1, 13):
        sold = sum(entry.power for entry in site.heat if month in entry.months)
        yield Limit(f"month {month}", "N", megawatts(sold), megawatts(captured), "MW thermal", "$.heat",
                    f"heat into liquid at {load:.0%} load", f"{number(megawatts(captured))} MW can be sold")  # fmt: skip


def _heat_temperature(plan: Plan) -> Iterator[Limit]:
    loop = plan.site.cooling
    if not loop or not plan.scope:
        return
    row = cooling(plan).row(0, named=True)
    back = loop.supply + rise_k(row["liquid_w"], row["flow_l_min"], loop.specific_heat, loop.density)
    for index, entry in enumerate(plan.site.heat):
        if not entry.heat_pump:
            yield Limit(f"buyer {entry.buyer}", "N", entry.temperature, back, "°C", f"$.heat[{index}].temperature",
                        "the coolant's return temperature", f"{back:.1f} °C fit without a heat pump")  # fmt: skip


WASTE_HEAT_LAW_W = 1e6
"""France, law 2025-391 of 30 April 2025, article 25: waste heat of data centres of 1 MW and more."""


def _waste_heat_law(plan: Plan) -> Iterator[Limit]:
    if plan.site.heat or not plan.site.grid:
        return
    facility = facility_w(plan)
    yield Limit(plan.site.name, "N", megawatts(facility), megawatts(WASTE_HEAT_LAW_W), "MW",
                "$.heat", "France, law 2025-391, article 25", "declare a buyer under `heat`")  # fmt: skip


def _stand_in_ports(plan: Plan) -> Iterator[Limit]:
    stand_ins = plan.site.stand_ins
    if stand_ins and stand_ins.kind == "vm":
        machines = plan.server_frame.height + plan.geometry.pods * (
            schedulers.nodes_per(plan.geometry, "pod") + plan.geometry.switches_per_pod
        )
        yield Limit("this host", "N", machines, stand_ins.limit, "machines", "$.stand_ins.limit",
                    "ports laid out from port_base", "raise `limit`, or take pods out")  # fmt: skip
        # 32768 is where Linux takes ports for outgoing connections from (net.ipv4.ip_local_port_range).
        last = stand_ins.port_base + 4 * stand_ins.limit
        yield Limit("this host", "N", last, 32768, "as the last port", "$.stand_ins.port_base",
                    "Linux: net.ipv4.ip_local_port_range", "begin lower")  # fmt: skip


RULES: tuple[Rule, ...] = (
    Rule("grid-power", "facility power against the grid connection", _grid_power),
    Rule("rack-share", "power left for a rack", _rack_share),
    Rule("grid-phase", "facility power of a phase against what the operator grants by then", _grid_phases),
    Rule("circuit-capacity", "facility power against the circuits", _circuits),
    Rule("circuit-current", "current of a circuit", _circuit_current),
    Rule("hall-power", "power of a hall", _halls),
    Rule("busway-power", "power of a row against its busways", _busways),
    Rule("rack-feed", "power of a rack against its feeds", _rack_feeds),
    Rule("power-shelves", "power of a rack against its shelves", _power_shelves),
    Rule("rack-rating", "declared power of a rack against its platform", _rack_rating, "warning"),
    Rule("rack-units", "height of a rack's contents", _rack_units),
    Rule("rack-flow", "coolant of a rack", _rack_flow),
    Rule("row-flow", "coolant of a row", _row_flow),
    Rule("cdu-heat", "heat of a row against its CDUs", _cdu_heat),
    Rule("cdu-flow", "coolant of a row against its CDUs", _cdu_flow),
    Rule("switch-ports", "ports of a switch", _switch_ports),
    Rule("down-ports", "cables into a tier", _down_ports),
    Rule("slurm-nodes", "nodes of a Slurm cluster", _slurm),
    Rule("kubernetes-nodes", "nodes of a Kubernetes cluster", _kubernetes),
    Rule("checkpoint-write", "write bandwidth for checkpoints", _checkpoint),
    Rule("heat-capture", "heat sold against heat captured", _heat),
    Rule("heat-temperature", "temperature of heat sold", _heat_temperature),
    Rule("waste-heat-law", "facility power of a site whose heat is not used", _waste_heat_law, "warning"),
    Rule("stand-in-ports", "stand-ins on this host", _stand_in_ports),
)
"""All rules, in the order in which they are told."""
