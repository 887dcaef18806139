"""Steps of the Slurm cluster: what it has, and a node taken out while its job goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.errors import UserError

if TYPE_CHECKING:
    from infra.acceptance.node import Node
    from infra.acceptance.site_nodes import SiteNodes

WAIT_S = 60.0
PENDING_S = 8.0
"""How long a job that must not start is watched: the scheduler looks every few seconds at most."""
REASON = "gigasite-acceptance"


def setup(site: SiteNodes) -> dict[str, Any]:
    """Return the cluster's partitions with their nodes and accelerators, as slurmctld has them."""
    head = site.head
    partitions: dict[str, dict[str, Any]] = {}
    for line in head.ask("sinfo --noheader --Node --format='%R|%N|%G'").splitlines():
        name, node, gres = line.strip().split("|")
        entry = partitions.setdefault(name, {"nodes": [], "gpus": 0})
        entry["nodes"].append(node)
        entry["gpus"] += _gpus(gres)
    cluster = head.ask("scontrol show config | sed -n 's/^ClusterName *= //p'").strip()
    per_node = max((entry["gpus"] // len(entry["nodes"]) for entry in partitions.values()), default=0)
    return {
        "platform": "slurm",
        "cluster_name": cluster,
        "slurm": {
            "partitions": partitions,
            "storage_path": "/tmp",  # noqa: S108 (the jobs' own folder on the node)
            "default_partition": "gpu" if "gpu" in partitions else next(iter(partitions), ""),
            "gpu_per_node": per_node,
            "total_gpus": max((entry["gpus"] for entry in partitions.values()), default=0),
        },
    }


def _gpus(gres: str) -> int:
    """Count the accelerators of a GRES text such as `gpu:gb300:4(S:0)`."""
    return sum(
        int(word.split("(")[0].rpartition(":")[2]) for word in gres.split(",") if word.startswith("gpu:")
    )


def cordon(site: SiteNodes) -> dict[str, Any]:
    """Drain the node while a job runs on it: the job goes on, a new one does not start; then give it back."""
    head, name = site.head, site.node.name
    old = submit(head, name)
    new = ""
    try:
        _wait(head, old, "RUNNING")
        head.ask(f"scontrol update NodeName={name} State=DRAIN Reason={REASON}")
        state = head.ask(f"sinfo --noheader --nodes={name} --format=%T").split()[0]
        new = submit(head, name)
        time.sleep(PENDING_S)
        operation = {
            "node_id": name,
            "cordoned": state.startswith("drain"),
            "new_workloads_blocked": job_state(head, new) == "PENDING",
            "existing_workloads_running": job_state(head, old) == "RUNNING",
        }
    finally:
        head.ask(f"scancel {old} {new}; scontrol update NodeName={name} State=RESUME")
    return {"operation": operation}


def submit(head: Node, node: str, user: str = "gigasite", *words: str) -> str:
    """Submit a job that sleeps on a node; its number.

    Args:
        head: runs slurmctld.
        node: name.
        user: whose job it is.
        words: more of sbatch.

    Raises:
        UserError: slurmctld refuses it at once.
    """
    return head.ask(
        f"cd /tmp && sudo -u {user} sbatch --parsable --nodelist={node} --output=/dev/null "
        f"{''.join(f'{word} ' for word in words)}--wrap='sleep 300'"
    ).strip()


def job_state(head: Node, job: str) -> str:
    """Return a job's state as slurmctld has it; empty of one that is gone."""
    return head.ask(f"squeue --noheader --jobs={job} --format=%T").strip()


def _wait(head: Node, job: str, state: str) -> None:
    end = time.monotonic() + WAIT_S
    while (found := job_state(head, job)) != state:
        if time.monotonic() > end:
            raise UserError(
                f"job {job} is {found or 'gone'}, not {state}, after {WAIT_S:.0f} s", where=head.name
            )
        time.sleep(1)
