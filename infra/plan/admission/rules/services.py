"""Schedulers and storage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.plan.admission.limits import Limit
from infra.plan.tables import schedulers
from infra.plan.tables.storage import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def slurm(plan: Plan) -> Iterator[Limit]:
    """Nodes of a Slurm cluster."""
    slurm = plan.site.schedulers.slurm
    if slurm:
        nodes = max(schedulers.clusters(plan, slurm.per), default=0)
        fewest = schedulers.fewest(plan, slurm.nodes_per_cluster)
        yield Limit(f"Slurm cluster of a {slurm.per}", "N", nodes, slurm.nodes_per_cluster, "nodes",
                    "$.schedulers.slurm.per", "slurm.h: MAX_SLURM_NODES is 65,536",
                    f"{fewest} clusters or more hold all nodes")  # fmt: skip


def slurm_controllers(plan: Plan) -> Iterator[Limit]:
    """Controllers of Slurm clusters: each has one of its own."""
    slurm = plan.site.schedulers.slurm
    if slurm:
        clusters = len(schedulers.clusters(plan, slurm.per))
        servers = sum(group.count for group in plan.site.servers if group.name == slurm.controller)
        yield Limit(f"a cluster for each {slurm.per}", "N", servers, clusters, "servers",
                    "$.schedulers.slurm.controller", "slurm.conf: SlurmctldHost",
                    f"give `{slurm.controller}` {clusters} servers", at_least=True)  # fmt: skip


def kubernetes(plan: Plan) -> Iterator[Limit]:
    """Nodes of a Kubernetes cluster."""
    kubernetes = plan.site.schedulers.kubernetes
    if kubernetes:
        nodes = max(schedulers.clusters(plan, kubernetes.per), default=0)
        fewest = schedulers.fewest(plan, kubernetes.nodes_per_cluster)
        yield Limit(
            f"Kubernetes cluster of a {kubernetes.per}",
            "N",
            nodes,
            kubernetes.nodes_per_cluster,
            "nodes",
            "$.schedulers.kubernetes.per",
            "Kubernetes: considerations for large clusters, 5,000 nodes",
            f"{fewest} clusters or more hold all nodes",
        )


def checkpoint_write(plan: Plan) -> Iterator[Limit]:
    """Write bandwidth of all tiers against what the declared job's checkpoints ask."""
    need = plan.site.storage.checkpoint
    if need:
        write = float(plan.storage["write_bytes_s"].sum())
        asked = checkpoint(need).write_bytes_s
        units = math.ceil(asked / (write / plan.geometry.sizes.units_in(plan.scope))) if write else 0
        yield Limit(
            plan.site.name,
            "N",
            write / 1e12,
            asked / 1e12,
            "TB/s",
            "$.storage.checkpoint",
            need.source,
            f"{units} scalable units write as fast" if units else "no tier declares write bandwidth",
            at_least=True,
        )
