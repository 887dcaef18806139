"""Which crew carries a rollout out: this process, or a cluster where a batch is too large for one worker."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.rollout import applied, approvals, secrets
from infra.rollout.blueprint import PlannedWave
from infra.rollout.controller import Progress
from infra.rollout.crews.cluster import ClusterCrew, connector
from infra.rollout.crews.shards import Job, cut, ledger_of
from infra.rollout.crews.site_cluster import scheduler_of
from infra.rollout.crews.world import content_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.rollout.blueprint import Blueprint
    from infra.rollout.crews.local import Crew, LocalCrew, Noted
    from infra.rollout.inventory.roster import Roster
    from infra.rollout.nodes import Nodes, Service


@contextmanager
def crew_for(
    plan: Blueprint,
    here: LocalCrew,
    roster: Roster,
    *,
    world: Callable[[Blueprint], tuple[Nodes, Service]],
    tell: Callable[[Progress], object],
) -> Iterator[Crew]:
    """Choose the crew of a rollout; a cluster inside this process ends with the context.

    Args:
        plan: the rollout.
        here: the crew that is this process.
        roster: which pod a machine is in.
        world: makes the machines of a shard and their scheduler, on its worker.
        tell: told of the cluster.
    """
    ledger = here.ledger
    pods = roster.columns.get("pod")
    places = (
        {host: pods[roster.rows[host]] or "" for host in plan.hosts if host in roster.rows} if pods else {}
    )
    shard_of = cut(places, [wave.hosts for wave in plan.waves], plan.policy.shards.machines)
    scheduler = scheduler_of(plan)
    shared = secrets.digest(plan.site) if scheduler and not plan.simulated else ""
    job = Job(
        plan.id,
        partial(approvals.folder, plan.site, plan.id),
        plan.policy,
        int(ledger.fact("attempt") or 0),
        partial(_world, plan.model_copy(update={"waves": ()}), world, shared),
    )

    def told(text: str) -> None:
        tell(Progress("shards", int(ledger.fact("wave") or 0), text))

    connect = connector(plan.policy.shards.workers, scheduler, plan.site)
    cluster = ClusterCrew(job, ledger, shard_of, connect, told)
    try:
        yield cluster if scheduler else _Either(here, cluster)
    finally:
        cluster.close()


class _Either:
    """Works here where a batch is one shard, unless a worker began it: its ledger knows more."""

    def __init__(self, here: LocalCrew, cluster: ClusterCrew) -> None:
        self.here, self.cluster = here, cluster

    def run(self, hosts: Sequence[str], noted: Noted) -> None:
        """See `Crew`."""
        shards = {self.cluster.shard_of[host] for host in hosts}
        begun = any(ledger_of(self.cluster.job, name).exists() for name in shards)
        (self.cluster if begun or len(shards) > 1 else self.here).run(hosts, noted)


def _world(
    plan: Blueprint,
    world: Callable[[Blueprint], tuple[Nodes, Service]],
    shared: str,
    hosts: Sequence[str],
) -> tuple[Nodes, Service, Callable[[str], str]]:
    """The machines of a shard, on its worker.

    Raises:
        UserError: the worker's checkout or its secrets would give them something else.
    """
    if shared and secrets.digest(plan.site, make=False) != shared:
        raise UserError(
            "a worker's secrets are not those of the rollout",
            hint=f"bring it the coordinator's .gigasite/{plan.site}/secrets",
        )
    if applied.content_of(plan.site, plan.playbook) != plan.content:
        raise UserError(
            "a worker's playbooks, templates or declaration are not those of the rollout",
            hint="bring its checkout to the coordinator's revision",
        )
    part = plan.model_copy(update={"waves": (PlannedWave(number=1, hosts=tuple(hosts)),)})
    nodes, service = world(part)
    return nodes, service, content_for(part)
