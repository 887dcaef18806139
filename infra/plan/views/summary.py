"""The plan's figures as one object: what `gigasite plan SITE --json` prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from infra.plan.admission.admission import findings
from infra.plan.tables import schedulers
from infra.plan.tables.cooling import rise_k
from infra.plan.tables.counts import Counts, counts, level_name
from infra.plan.tables.feeds import loops_of
from infra.plan.tables.paths import fabric_paths
from infra.plan.tables.power import balance
from infra.plan.tables.storage import checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.admission.findings import Finding
    from infra.plan.plan import Plan

HOURS = 8760
"""Hours of the year that the yearly figures are for (not a leap year)."""


def summary(plan: Plan, found: Sequence[Finding] | None = None) -> dict[str, Any]:
    """Return all figures of a plan as a JSON object.

    Args:
        plan: the plan.
        found: its findings, where somebody has judged it already.
    """
    geometry, number = plan.geometry, counts(plan)
    layout = plan.site.layout
    pods = len(plan.scope)
    halls = math.ceil(pods / layout.pods_per_hall)
    result: dict[str, Any] = {
        "site": plan.site.name,
        "phase": plan.phase,
        "accelerators": number.accelerators,
        "nodes": sum(number.nodes.values()),
        "racks": sum(number.racks.values()),
        "scalable_units": geometry.sizes.units_in(plan.scope),
        "pods": pods,
        "halls": halls,
        "buildings": math.ceil(halls / layout.halls_per_building),
        "cpus": number.cpus,
        "platforms": dict(sorted(number.nodes.items())),
        "companions": dict(sorted(number.companions.items())),
        "servers": plan.servers_in_scope.height,
        "switches": _switches(plan, number),
        "cables": _cables(number),
        "fabrics": _fabrics(plan),
        "power": _power(plan),
        "cooling": _cooling(plan),
        "storage": _storage(plan),
        "schedulers": _schedulers(plan),
        "energy": _energy(plan),
        "findings": [finding.data() for finding in (findings(plan) if found is None else found)],
    }
    rounded: dict[str, Any] = _rounded(result)
    return rounded


def _rounded(value: Any) -> Any:
    """Ten significant digits: what arithmetic in binary adds beyond them says nothing."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _key(fabric: str) -> str:
    return fabric.replace("-", "_")


def _switches(plan: Plan, number: Counts) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for fabric, tiers in plan.geometry.tiers.items():
        by_level = {level_name(tier.level): number.switches[fabric, tier.name] for tier in tiers}
        by_level |= {leaf.name: number.switches[fabric, leaf.name] for leaf in plan.geometry.leaves[fabric]}
        total = sum(by_level.values())
        # Out-of-band switches are all alike: one number, unless they come in tiers.
        result[_key(fabric)] = (
            by_level | {"total": total} if tiers[0].kind != "out-of-band" or len(tiers) > 1 else total
        )
    return result


def _cables(number: Counts) -> dict[str, dict[str, int]]:
    result: dict[str, dict[str, int]] = {}
    for (fabric, step), value in number.cables.items():
        part = result.setdefault(_key(fabric), {})
        part[step] = part.get(step, 0) + value
    for part in result.values():
        part["total"] = sum(part.values())
    return result


def _fabrics(plan: Plan) -> dict[str, Any]:
    """Of the whole declaration, whatever is in scope: a phase's switches are the same."""
    return {_key(name): fabric_paths(plan.geometry, name).data() for name in plan.geometry.tiers}


def _power(plan: Plan) -> dict[str, float | None]:
    totals = balance(plan)
    part = plan.geometry.sizes.racks_in(plan.scope) / totals.racks
    watts = plan.power.filter(plan.power["kind"] == "compute")["compute_w"]
    compute = float(watts.sum())
    nodes = sum(counts(plan).nodes.values())
    it = compute + totals.other * part
    racks = plan.power.filter(plan.power["level"] == "rack").select("own_w", "cooling_w").sum()
    own, coolers = racks.row(0)
    return {
        "facility_mw": it * totals.pue / 1e6 if totals.pue else None,
        "it_mw": it / 1e6,
        "compute_mw": compute / 1e6,
        "east_west_mw": totals.east_west * part / 1e6,
        "north_south_mw": totals.north_south * part / 1e6,
        **({"storage_network_mw": totals.storage_network * part / 1e6} if totals.storage_network else {}),
        "out_of_band_mw": totals.out_of_band * part / 1e6,
        "storage_mw": totals.storage * part / 1e6,
        "management_mw": totals.management * part / 1e6,
        "other_mw": totals.other * part / 1e6,
        "in_racks_mw": own / 1e6,
        "coolers_mw": coolers / 1e6,
        "rack_kw": compute / max(watts.len(), 1) / 1e3,
        "rack_kw_least": min(watts, default=0.0) / 1e3,
        "rack_kw_most": max(watts, default=0.0) / 1e3,
        "node_kw": compute / max(nodes, 1) / 1e3,
        "pue": totals.pue,
    }


def _cooling(plan: Plan) -> dict[str, float]:
    if not plan.scope:
        return {
            "liquid_mw": 0.0,
            "other_mw": 0.0,
            "flow_m3_s": 0.0,
            "flow_l_min_per_rack": 0.0,
            "rise_k": 0.0,
        }
    table = plan.cooling
    rows = table.filter(table["level"] == "rack")
    liquid, flow = float(rows["liquid_w"].sum()), float(rows["flow_l_min"].sum())
    compute = rows.filter(rows["kind"] == "compute")["flow_l_min"]
    loop = next((loop for loop, _, _ in loops_of(plan.site)), None)
    heat, density = (loop.specific_heat, loop.density) if loop else (4.186, 1.0)
    return {
        "liquid_mw": liquid / 1e6,
        "other_mw": float(_power(plan)["it_mw"] or 0.0) - liquid / 1e6,
        "flow_m3_s": flow / 60 / 1000,
        "flow_l_min_per_rack": float(compute.sum()) / max(compute.len(), 1),
        "rise_k": rise_k(liquid, flow, heat, density),
    }


def _storage(plan: Plan) -> dict[str, Any]:
    table = plan.storage
    result: dict[str, Any] = {"local_eb": 0.0, "hot_eb": 0.0, "object_eb": 0.0}
    names = {"local": "local_eb", "nfs": "hot_eb", "parallel": "hot_eb", "object": "object_eb"}
    for row in table.iter_rows(named=True):
        result[names[row["kind"]]] += row["capacity_bytes"] / 1e18
    result["read_tb_s"] = float(table["read_bytes_s"].sum()) / 1e12
    result["write_tb_s"] = float(table["write_bytes_s"].sum()) / 1e12
    need = plan.site.storage.checkpoint
    if need:
        size = checkpoint(need)
        result["checkpoint"] = {
            "tb": size.bytes / 1e12,
            "mtbf_min": size.mtbf_s / 60,
            "interval_s": size.interval_s,
            "write_tb_s": size.write_bytes_s / 1e12,
        }
    return result


def _schedulers(plan: Plan) -> dict[str, Any]:
    result: dict[str, Any] = {}
    declared = plan.site.schedulers
    if declared.slurm:
        nodes = schedulers.clusters(plan, declared.slurm.per)
        result["slurm"] = {
            "clusters": len(nodes),
            "fewest": schedulers.fewest(plan, declared.slurm.nodes_per_cluster),
            "nodes_per_cluster": max(nodes, default=0),
            "block_sizes": list(schedulers.block_sizes(plan)),
        }
    if declared.kubernetes:
        nodes = schedulers.clusters(plan, declared.kubernetes.per)
        result["kubernetes"] = {
            "clusters": len(nodes),
            "fewest": schedulers.fewest(plan, declared.kubernetes.nodes_per_cluster),
            "nodes_per_cluster": max(nodes, default=0),
        }
    return result


def _energy(plan: Plan) -> dict[str, float | None]:
    """A year at the declared load; `gigasite energy` has the whole account."""
    use, facility = plan.site.energy, _power(plan)["facility_mw"]
    if use is None or facility is None:
        return {"twh_per_year": None, "tco2e_location": None, "pue": None, "erf_ceiling": None}
    mwh = facility * use.load * HOURS
    return {
        "twh_per_year": mwh / 1e6,
        "tco2e_location": mwh * use.location_intensity / 1e3,
        "pue": use.pue,
        "erf_ceiling": _cooling(plan)["liquid_mw"] / facility if facility else 0.0,
    }
