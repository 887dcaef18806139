"""Steps of a node that fails: taken out by its own health check, mended, given back; who looks after it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.rollout.faults import inject

if TYPE_CHECKING:
    from infra.acceptance.site_nodes import SiteNodes

FAULT = ("gpu", "0", "lost")
ROUND_S = 240.0
"""Slurm's health check comes round each minute; an emulated machine that is busy takes its time."""


def request_replacement(site: SiteNodes) -> dict[str, Any]:
    """Let an accelerator fall off the bus and wait until nobody gets the node any more; then mend it.

    Raises:
        UserError: the node is no stand-in: nobody breaks hardware to see what happens.
    """
    node = site.node
    if node.machine.stand_in is None:
        raise UserError("faults are put only into stand-ins", where=node.name)
    inject(node.name, list(FAULT), [site.site])
    try:
        state, reason = _wait(site, "drain")
    finally:
        inject(node.name, ["clear"], [site.site])
    back, _ = _wait(site, "idle")
    return {
        "operation": {
            "requested": True,
            "node_removed_from_pool": state.startswith("drain") and "gpu_health" in reason,
            "machine_id": node.name,
            "message": reason,
            "returned": back,
        }
    }


def _wait(site: SiteNodes, wanted: str) -> tuple[str, str]:
    """State and reason of the node, once its state begins as wanted or after a while."""
    end = time.monotonic() + ROUND_S
    while True:
        state, _, reason = (
            site.head.ask(f"sinfo --noheader --Node --nodes={site.node.name} --format='%T|%E'")
            .splitlines()[0]
            .partition("|")
        )
        # An asterisk: slurmctld has not heard of it for a while.
        if (state.startswith(wanted) and "*" not in state) or time.monotonic() > end:
            return state.strip(), reason.strip()
        time.sleep(2)


def health_agents(site: SiteNodes) -> dict[str, Any]:
    """Return what watches each tray: slurmd, which runs gpu_health by itself, and what that says now."""
    config = site.head.ask("scontrol show config")
    program, interval = _setting(config, "HealthCheckProgram"), _setting(config, "HealthCheckInterval")
    planned = program.endswith("/gpu_health_slurm") and not interval.startswith("0 ")
    agents = []
    for node in site.trays:
        slurmd = node.ask("systemctl is-active slurmd || true").strip()
        verdict = json.loads(node.ask("gpu_health --json || true"))
        running = planned and slurmd == "active" and verdict["state"] != "unknown"
        agents.append({
            "node_id": node.name, "agent_name": f"gpu_health, by slurmd each {interval}", "running": running,
            "verdict": verdict["state"],
        })  # fmt: skip
    return {"agents_observable": bool(program), "agents": agents}


def _setting(config: str, name: str) -> str:
    """Return a line of `scontrol show config`."""
    lines = (line.partition("=") for line in config.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")
