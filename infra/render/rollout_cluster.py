"""Cluster that carries large rollouts out: who runs its scheduler, and where its members listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.render.clusters import servers_of
from infra.spec.services import SCHEDULER_PORT, WORKER_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine
    from infra.spec.site import Site


@dataclass(frozen=True, slots=True)
class RolloutCluster:
    """The cluster of a site.

    Attributes:
        scheduler: machine that runs the scheduler.
        address: URL of the scheduler, by the machine's loopback.
    """

    scheduler: str
    address: str


@dataclass(frozen=True, slots=True)
class RolloutMember:
    """Part of a management server in the cluster.

    Attributes:
        scheduler: whether it runs the scheduler.
        host: URL of its loopback, at which it listens and at no other address.
        port: that its worker listens on.
    """

    scheduler: bool
    host: str
    port: int


def rollout_cluster(site: Site, machines: Sequence[Machine]) -> RolloutCluster | None:
    """The cluster that a declaration names; None if it names none, or before its servers have addresses."""
    declared = site.services.rollout
    first = servers_of(site.name, declared.scheduler, machines)[:1] if declared else ()
    return next((RolloutCluster(one.name, f"{_url(one)}:{SCHEDULER_PORT}") for one in first), None)


def rollout_member(machine: Machine, cluster: RolloutCluster | None) -> RolloutMember | None:
    """Part of a machine in the cluster of its site; None for one that can have none."""
    if cluster is None or machine.role != "management" or not machine.loopback:
        return None
    return RolloutMember(machine.name == cluster.scheduler, _url(machine), WORKER_PORT)


def _url(machine: Machine) -> str:
    host = f"[{machine.loopback}]" if ":" in str(machine.loopback) else machine.loopback
    return f"tls://{host}"
