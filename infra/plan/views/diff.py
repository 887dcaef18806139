"""Effects of a change of the declaration, across all layers: figures, racks, cables, addresses, findings.

Figures come from arithmetic on counts, racks from one frame of each side. Cables and addresses are only
compared for the pods that the change touches, so a small change costs little however large the site is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.plan.admission.admission import findings
from infra.plan.views import declared
from infra.plan.views.cable_changes import compare_cables
from infra.plan.views.change import Change, compare_values
from infra.plan.views.rack_changes import feeds, racks
from infra.plan.views.summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def diff(before: Plan, after: Plan) -> tuple[Change, ...]:
    """All changes from one plan to another, layer by layer."""
    changes: list[Change] = []
    changes += _figures(before, after)
    changes += racks(before, after)
    changes += feeds(before, after)
    changes += compare_cables(before, after)
    changes += declared.stand_ins(before, after)
    changes += declared.keys(before, after)
    changes += _findings(before, after)
    order = {layer: index for index, layer in enumerate(LAYERS)}
    return tuple(sorted(changes, key=lambda change: order[change.layer]))


LAYERS = (
    "places",
    "racks",
    "nodes",
    "power",
    "cooling",
    "heat",
    "carbon",
    "switches",
    "ports",
    "cables",
    "optics",
    "addresses",
    "storage",
    "scheduler",
    "stand-ins",
    "declaration",
    "configuration",
    "findings",
)
"""Layers in the order in which they are told."""


_FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("places", "buildings", "buildings", ""),
    ("places", "halls", "halls", ""),
    ("places", "pods", "pods", ""),
    ("places", "scalable units", "scalable_units", ""),
    ("racks", "racks", "racks", ""),
    ("nodes", "nodes", "nodes", ""),
    ("nodes", "accelerators", "accelerators", ""),
    ("nodes", "CPUs", "cpus", ""),
    ("nodes", "servers", "servers", ""),
    ("power", "facility", "power.facility_mw", "MW"),
    ("power", "IT", "power.it_mw", "MW"),
    ("power", "compute", "power.compute_mw", "MW"),
    ("power", "a rack in the mean", "power.rack_kw", "kW"),
    ("power", "PUE", "power.pue", ""),
    ("cooling", "heat into liquid", "cooling.liquid_mw", "MW"),
    ("cooling", "coolant", "cooling.flow_m3_s", "m³/s"),
    ("cooling", "temperature rise", "cooling.rise_k", "K"),
    ("storage", "local", "storage.local_eb", "EB"),
    ("storage", "hot", "storage.hot_eb", "EB"),
    ("storage", "object", "storage.object_eb", "EB"),
    ("storage", "read", "storage.read_tb_s", "TB/s"),
    ("storage", "write", "storage.write_tb_s", "TB/s"),
    ("scheduler", "Slurm clusters", "schedulers.slurm.clusters", ""),
    ("scheduler", "nodes of a Slurm cluster", "schedulers.slurm.nodes_per_cluster", ""),
    ("scheduler", "Kubernetes clusters", "schedulers.kubernetes.clusters", ""),
    ("carbon", "energy a year", "energy.twh_per_year", "TWh"),
    ("carbon", "location-based CO2e a year", "energy.tco2e_location", "t"),
    ("heat", "highest ERF", "energy.erf_ceiling", ""),
)
"""Layer, item, key of the summary, unit."""


def _figures(before: Plan, after: Plan) -> Iterator[Change]:
    one, two = summary(before), summary(after)
    for layer, item, key, unit in _FIGURES:
        yield from compare_values(layer, item, _at(one, key), _at(two, key), unit=unit)
    for layer, part in (("nodes", "platforms"), ("nodes", "companions")):
        for name in sorted({*one[part], *two[part]}):
            yield from compare_values(layer, name, one[part].get(name), two[part].get(name))
    for layer, part, word in (("switches", "switches", ""), ("cables", "cables", "")):
        flat_one, flat_two = dict(_flat(one[part])), dict(_flat(two[part]))
        for name in {**flat_one, **flat_two}:
            yield from compare_values(layer, f"{name}{word}", flat_one.get(name), flat_two.get(name))
    sold = [sum(entry.power * entry.hours for entry in plan.site.heat) / 1e9 for plan in (before, after)]
    yield from compare_values("heat", "sold a year", sold[0], sold[1], unit="GWh")


def _at(figures: Any, key: str) -> Any:
    for step in key.split("."):
        figures = figures.get(step) if isinstance(figures, dict) else None
    return figures


def _flat(part: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for fabric, levels in part.items():
        name = fabric.replace("_", "-")
        if isinstance(levels, dict):
            for level, value in levels.items():
                if level != "total":
                    yield f"{name} {level.replace('_', '–')}", value
        else:
            yield name, levels


def _findings(before: Plan, after: Plan) -> Iterator[Change]:
    one = {(f.id, f.path): f for f in findings(before)}
    two = {(f.id, f.path): f for f in findings(after)}
    for key in {**one, **two}:
        old, new = one.get(key), two.get(key)
        if old is None or new is None or old.message != new.message or old.severity != new.severity:
            yield Change("findings", key[0], f"{old.severity}: {old.message}" if old else None,
                         f"{new.severity}: {new.message}" if new else None, where=key[1])  # fmt: skip
