"""Slurm clusters of a site: one for each block of pods, each with a controller of its own.

A cluster follows from the plan alone: which pods somebody works on just now changes nothing in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.render.scheduler import SlurmFacts, Tray, slurm_facts
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine
    from infra.spec.site import Site

_MIB = 2**20


def servers_of(site: str, group: str, machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """Machines of a declared group of servers that have an address, in order (see `positions.servers`)."""
    return tuple(
        machine for machine in machines if machine.loopback and is_server_of(machine.name, site, group)
    )


def is_server_of(name: str, site: str, group: str) -> bool:
    """Return whether a machine of this name belongs to a declared group of servers."""
    own, group = re.escape(f"{site}-{group}"), re.escape(group)
    return re.fullmatch(rf"{own}(-[0-9]{{2,}})?|pod-[0-9]{{2,}}-{group}-[0-9]{{2,}}", name) is not None


def pods_per_cluster(site: Site) -> int:
    """Pods of a full cluster."""
    layout, slurm = site.layout, site.schedulers.slurm
    sizes = {
        "pod": 1,
        "hall": layout.pods_per_hall,
        "building": layout.pods_per_hall * layout.halls_per_building,
        "site": layout.pods,
    }
    return sizes[slurm.per if slurm else "site"]


def controllers(site: Site, machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """The machines that run slurmctld, by cluster; fewer than clusters where too few are declared."""
    slurm = site.schedulers.slurm
    if slurm is None:
        return ()
    return servers_of(site.name, slurm.controller, machines)[: -(-site.layout.pods // pods_per_cluster(site))]


def clusters_of(planned: Plan, servers: Sequence[Machine], pod: str | None = None) -> tuple[SlurmFacts, ...]:
    """Clusters with all of their trays.

    Args:
        planned: the plan.
        servers: the site's own machines.
        pod: only the cluster that this pod is in.
    """
    site, slurm = planned.site, planned.site.schedulers.slurm
    if slurm is None:
        return ()
    size, pods = pods_per_cluster(site), planned.pods
    wanted = None if pod is None else (int(pod[4:]) - 1) // size
    found = []
    for number, controller in enumerate(controllers(site, servers)):
        members = pods[number * size : (number + 1) * size]
        if members and wanted in {None, number}:
            name = slurm.cluster if slurm.per == "site" else f"{slurm.cluster}-{slurm.per}-{number + 1:02d}"
            trays = [tray for member in members for tray in _trays(planned.pod(member))]
            made = slurm_facts(slurm, name, (controller.name, str(controller.loopback)), trays)
            found += [made] if made else []
    return tuple(found)


def _trays(part: Plan) -> Iterator[Tray]:
    """Trays of a pod, from the columns: a cluster has thousands."""
    stand_ins = part.site.stand_ins
    sizes = stand_ins.sizes.get("tray", stand_ins.default) if stand_ins else None
    addresses = part.addresses
    loopbacks = dict(addresses.filter(addresses["pool"] == "loopback").select("owner", "address").iter_rows())
    columns = ("name", "pod", "su", "rack", "platform", "pool")
    for name, pod, su, rack, platform, pool in part.nodes.select(columns).iter_rows():
        yield Tray(
            name, loopbacks[name].split("/")[0], pod, su, rack, platform,
            catalog.platform(platform).node.accelerators, sizes.vcpus if sizes else None,
            int(sizes.memory // _MIB) if sizes else None, pool,
        )  # fmt: skip


def cluster_of(clusters: Sequence[SlurmFacts], name: str, pod: str | None) -> SlurmFacts | None:
    """Find the cluster of a machine: of its pod, or the one that it controls, else the first."""
    for cluster in clusters:
        if pod in cluster.pods if pod else name == cluster.controller:
            return cluster
    return clusters[0] if clusters and not pod else None
