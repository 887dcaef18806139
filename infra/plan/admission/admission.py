"""Admission: each rule measures one kind of limit at every place of its level, N and with the spares out.

A rule is a function that yields `Limit`s and a line in `RULES`. It says nothing by itself; what exceeds its
limit becomes a finding. So the same code answers "does it fit" and "how much is left".
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.admission import announcement, notices
from infra.plan.admission.findings import ORDER, Finding, Severity
from infra.plan.admission.limits import Limit, apart, small
from infra.plan.admission.rules import cooling, fabric, paths, power, services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.plan.plan import Plan


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
    """Findings for the limits that are not kept; equal ones of many places are one finding."""
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
        number_of = sum(limit.count for limit in places)
        more = f" and {number_of - 1:,} more" if number_of > 1 else ""
        scale, unit = small(first)
        value, most = apart(first.value * scale, first.limit * scale)
        case = "" if first.case == "N" else f" at {first.case}"
        # Without a PUE the facility's power is not known, and IT power is not called by its name.
        title = rule.title.replace("facility", "IT") if first.unit == "MW of IT" else rule.title
        message = f"{title}{case}: {value} {unit} is {word} {most} {unit} ({first.place}{more}); {first.fits}"
        yield Finding(rule.id, severity, message, first.path, first.place, first.source)


RULES: tuple[Rule, ...] = (
    Rule("grid-power", "facility power against the grid connection", power.grid_power),
    Rule("cooler-power", "power of all CDUs against what the PUE leaves", power.cooler_power),
    Rule("server-power", "rated power of servers against what is declared", power.server_power, "warning"),
    Rule("rack-share", "power left for a rack", power.rack_share),
    Rule("accelerator-power", "power left for each accelerator", power.accelerator_power),
    Rule(
        "grid-phase", "facility power of a phase against what the operator grants by then", power.grid_phases
    ),
    Rule("circuit-capacity", "facility power against the circuits", power.circuits),
    Rule("circuit-current", "current of a circuit", power.circuit_current),
    Rule("hall-power", "power of a hall", power.halls),
    Rule("busway-power", "power of a row against its busways", power.busways),
    Rule("rack-feed", "power of a rack against its feeds", power.rack_feeds),
    Rule("power-shelves", "power of a rack against its shelves", power.power_shelves),
    Rule("rack-rating", "declared power of a rack against its platform", power.rack_rating, "warning"),
    Rule("rack-units", "height of a rack's contents", fabric.rack_units),
    Rule("rack-overlap", "rack units of two servers", fabric.server_overlap),
    Rule("rack-flow", "coolant of a rack", cooling.rack_flow),
    Rule("row-flow", "coolant of a row", cooling.row_flow),
    Rule("cdu-heat", "heat of a row against its CDUs", cooling.cdu_heat),
    Rule("cdu-flow", "coolant of a row against its CDUs", cooling.cdu_flow),
    Rule("switch-ports", "ports of a switch", fabric.switch_ports),
    Rule("down-ports", "cables into a tier", fabric.down_ports),
    Rule("fabric-islands", "leaves of one plane and rail block", paths.islands),
    Rule("uneven-links", "links between two tiers", paths.dealing, "warning"),
    Rule("loose-uplinks", "uplinks of the top tier", paths.loose_uplinks),
    Rule("idle-switches", "upper switches", paths.idle_switches),
    Rule("link-speed", "speed of a cable's two ends", paths.speeds),
    Rule("oversubscription", "oversubscription", paths.oversubscription),
    Rule("bisection", "bisection bandwidth of full", paths.bisection),
    Rule("fabric-paths", "paths between two leaves", paths.fewest_paths),
    Rule("exception-ports", "host ports of an exception", fabric.exception_ports),
    Rule("slurm-nodes", "nodes of a Slurm cluster", services.slurm),
    Rule("slurm-controllers", "controllers of Slurm clusters", services.slurm_controllers),
    Rule("kubernetes-nodes", "nodes of a Kubernetes cluster", services.kubernetes),
    Rule("checkpoint-write", "write bandwidth for checkpoints", services.checkpoint_write),
    Rule("heat-capture", "heat sold against heat captured", cooling.heat),
    Rule("heat-temperature", "temperature of heat sold", cooling.heat_temperature),
    Rule(
        "waste-heat-law", "facility power of a site whose heat is not used", cooling.waste_heat_law, "warning"
    ),
    Rule("stand-in-ports", "stand-ins on this host", fabric.stand_in_ports),
)
"""All rules, in the order in which they are told."""


def unknown(plan: Plan) -> Iterator[Finding]:
    """Severities that the declaration gives to findings that there are none of: they would change nothing."""
    known = {rule.id for rule in RULES} | announcement.DEFAULT.keys() | notices.DEFAULT.keys()
    for name in plan.site.findings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(known))}"
            message = f"there is no finding `{name}`; {hint}"
            yield Finding(
                "unknown-finding", "error", message, f"$.findings.{name}", plan.site.name, "the rules"
            )


def findings(plan: Plan) -> tuple[Finding, ...]:
    """Return all findings of a plan, errors first, in the order of the rules."""
    found = [*unknown(plan), *breaches(plan), *notices.notices(plan), *announcement.contradictions(plan)]
    return tuple(sorted(found, key=lambda finding: ORDER[finding.severity]))
