"""Steps of all nodes: what was delivered against what is there, health by node and in sum, serial numbers."""

from __future__ import annotations

import csv
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.provider.drivers import Power

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.acceptance.node import Node
    from infra.acceptance.site_nodes import SiteNodes

AT_ONCE = 8
POLL_S = 2
POLLS = 2
FIELDS = "uuid,temperature.gpu,ecc.errors.uncorrected.volatile.total"
QUERY = f"nvidia-smi --query-gpu={FIELDS} --format=csv,noheader,nounits"
FAILED_UNITS = "systemctl list-units --failed --no-legend --plain | cut -d' ' -f1"
HOT_C = 90
"""From here on an accelerator is hot: NVIDIA's data-centre parts slow down at 85 to 92 °C."""


def ingestion(site: SiteNodes) -> dict[str, Any]:
    """Compare the machines of the plan with those that controllers show: identity, accelerators, health."""
    records = _each(site, _ingested)
    missing = [
        {"expected_machine_id": one["expected_machine_id"]} for one in records if not one["machine_id"]
    ]
    return {
        "site_id": site.site,
        "expected_count": len(records),
        "ingested_count": len(records) - len(missing),
        "matched_count": len(records) - len(missing),
        "missing": missing,
        "extra": [],
        "machines": records,
    }


def _ingested(node: Node) -> dict[str, Any]:
    facts = node.facts()
    inside = _accelerators(node)
    planned = node.machine.uuid if node.machine.stand_in else None
    same = planned is None or facts.uuid == planned
    well = same and facts.power_state is Power.ON and len(inside) == node.machine.accelerators
    return {
        "chassis_serial": facts.serial or "",
        "expected_machine_id": node.name,
        "machine_id": facts.uuid if same else None,
        "status": "Ready" if facts.power_state is Power.ON else "Off",
        "health": "healthy" if well and not _alerts(node, inside) else "unhealthy",
        "gpu_count": len(inside),
        "dpu_count": 0,
        "capabilities": [node.machine.platform],
    }


def governance(site: SiteNodes) -> dict[str, Any]:
    """Count nodes and accelerators that are delivered, healthy, reserved and at work."""
    states = _slurm_states(site)
    healthy = {one["host_id"] for one in health(site)["hosts"] if one["healthy"]}
    groups = {
        "delivered": list(site.trays),
        "healthy": [one for one in site.trays if one.name in healthy],
        "reserved": [one for one in site.trays if states[one.name].startswith(("alloc", "mix", "resv"))],
        "active": [one for one in site.trays if states[one.name].startswith(("alloc", "mix"))],
    }
    return {
        "metrics": {
            name: {"nodes": len(nodes), "gpus": sum(one.machine.accelerators for one in nodes)}
            for name, nodes in groups.items()
        }
    }


def inventory(site: SiteNodes) -> dict[str, Any]:
    """Return one record a node: identity, health, what works on it, hardware, owner, place."""
    states = _slurm_states(site)
    healthy = {one["host_id"]: one["healthy"] for one in health(site)["hosts"]}
    jobs = _jobs(site)

    def record(node: Node) -> dict[str, Any]:
        born = float(node.ask("stat --format=%W / | grep -v '^0$' || stat --format=%Y /etc/machine-id"))
        return {
            "node_id": node.name,
            "health_state": "healthy" if healthy[node.name] else "unhealthy",
            "instance_id": jobs.get(node.name, ("", ""))[0],
            "created_at": datetime.fromtimestamp(born, UTC).isoformat(),
            "hardware_type": node.machine.platform,
            "gpu_count": len(_accelerators(node)),
            "account_id": site.site,
            "project_id": jobs.get(node.name, ("", ""))[1],
            "in_use": states[node.name].startswith(("alloc", "mix")),
            "region": site.site,
        }

    nodes = _each(site, record)
    return {"nodes_checked": len(nodes), "nodes": nodes}


def discovery(site: SiteNodes) -> dict[str, Any]:
    """Ask the controllers twice for who is there: identifiers stay."""
    polls = []
    for turn in range(POLLS):
        time.sleep(POLL_S if turn else 0)
        polls.append({one["id"] for one in _each(site, lambda node: {"id": str(node.facts().uuid)})})
    first, last = polls[0], polls[-1]
    return {
        "polls": POLLS,
        "poll_interval_seconds": POLL_S,
        "unstable_identifiers": sorted(first ^ last),
        "resources_checked": len(last),
        "resources": [
            {"resource_id": one, "discovered": True, "delivery_reason": ""} for one in sorted(last)
        ],
    }


def health(site: SiteNodes) -> dict[str, Any]:
    """Return the health of each node: failed units, accelerators that are lost, hot or have errors."""

    def report(node: Node) -> dict[str, Any]:
        seen = _accelerators(node)
        alerts = _alerts(node, seen)
        return {
            "host_id": node.name,
            "chassis_serial": "",
            "status": "alerts" if alerts else "ok",
            "health_present": True,
            "healthy": not alerts,
            "observed_age_seconds": 0,
            "probe_ids": ["units", "accelerators", "thermal", "ecc"],
            "alerts": alerts,
            "components": {"gpus": len(seen)},
        }

    hosts = _each(site, report)
    return {"site_id": site.site, "hosts_checked": len(hosts), "hosts": hosts}


def aggregation(site: SiteNodes) -> dict[str, Any]:
    """Sum the health of the nodes by rack."""
    healthy = {one["host_id"]: one["healthy"] for one in health(site)["hosts"]}
    racks: dict[str, list[str]] = {}
    for node in site.trays:
        racks.setdefault(node.machine.rack or site.site, []).append(node.name)
    groups = []
    for rack, names in racks.items():
        ill = [name for name in names if not healthy[name]]
        groups.append({
            "group_id": rack, "group_type": "rack", "name": rack, "total": len(names),
            "healthy": len(names) - len(ill), "unhealthy": len(ill),
            "status": "Degraded" if ill else "Healthy", "unhealthy_hosts": ill,
        })  # fmt: skip
    return {"site_id": site.site, "aggregation_level": "rack", "groups": groups}


def serials(site: SiteNodes) -> dict[str, Any]:
    """Return stable identifiers of each node's parts: chassis and board by Redfish, others from inside."""

    def record(node: Node) -> dict[str, Any]:
        facts = node.facts()
        nics = node.ask("cat /sys/class/net/*/address").split()
        gpus = [one["uuid"] for one in _accelerators(node)]
        return {
            "machine_id": node.name,
            "components": {
                "chassis": {
                    "present": True,
                    "identifiers": [one for one in (facts.serial, facts.uuid) if one],
                },
                "baseboard": {"present": bool(facts.uuid), "identifiers": [facts.uuid] if facts.uuid else []},
                "cpu": {
                    "present": False,
                    "identifiers": [],
                },  # neither Redfish nor the kernel names a processor
                "gpu": {"present": bool(gpus), "identifiers": gpus},
                "nic": {
                    "present": bool(nics),
                    "identifiers": [one for one in nics if one != "00:00:00:00:00:00"],
                },
            },
        }

    machines = _each(site, record)
    return {"site_id": site.site, "machines_checked": len(machines), "machines": machines}


def _alerts(node: Node, seen: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Say what is wrong with a node and the accelerators that were seen in it, one entry each."""
    found = [_alert("units", unit, "the unit failed") for unit in node.ask(FAILED_UNITS).split()]
    if len(seen) < node.machine.accelerators:
        found.append(_alert("accelerators", node.name, f"{len(seen)} of {node.machine.accelerators} answer"))
    for one in seen:
        # `[N/A]` where the card does not tell
        if _number(one["temperature"]) >= HOT_C:
            found.append(_alert("thermal", one["uuid"], f"{one['temperature']} °C"))
        if _number(one["ecc"]):
            found.append(_alert("ecc", one["uuid"], f"{one['ecc']} uncorrected errors"))
    return found


def _number(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdigit() else 0.0


def _alert(probe: str, target: str, message: str) -> dict[str, Any]:
    return {"id": probe, "target": target, "message": message, "classifications": ["SensorCritical"]}


def _accelerators(node: Node) -> tuple[dict[str, str], ...]:
    """Return uuid, temperature (°C) and uncorrected errors of each accelerator that answers."""
    rows = csv.reader(node.ask(f"{QUERY} || true").splitlines())
    names = ("uuid", "temperature", "ecc")
    return tuple(
        dict(zip(names, (word.strip() for word in row), strict=True))
        for row in rows
        if len(row) == len(names) and row[0].startswith("GPU-")
    )


def _slurm_states(site: SiteNodes) -> dict[str, str]:
    """State by node as slurmctld has it; `unknown` for those that it does not know."""
    lines = site.head.ask("sinfo --noheader --Node --format='%N %T'").splitlines()
    found = {line.split()[0]: line.split()[1] for line in lines}
    return {one.name: found.get(one.name, "unknown") for one in site.trays}


def _jobs(site: SiteNodes) -> dict[str, tuple[str, str]]:
    """Number and account or user of a job on each node that has one."""
    lines = site.head.ask("squeue --noheader --states=running --format='%A|%u|%N'").splitlines()
    found = {}
    for line in lines:
        job, user, nodes = line.strip().split("|")
        for name in site.head.ask(f"scontrol show hostnames '{nodes}'").split():
            found[name] = (job, user)
    return found


def _each(site: SiteNodes, ask: Callable[[Node], dict[str, Any]]) -> list[dict[str, Any]]:
    if not site.trays:
        raise UserError("has no tray with accelerators", where=site.site)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, site.trays))
