"""Facts of a site, out of its declaration and machines, and the part of them that one machine gets."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.render.clusters import cluster_of, controllers, servers_of
from infra.render.exports import mount_unit, quota_of
from infra.render.facts import Group, Host, Mount, SiteFacts, User
from infra.render.firewall import allowed_inbound, zones_of
from infra.render.rollout_cluster import rollout_cluster
from infra.roles import declared_parts
from infra.spec import tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine
    from infra.render.facts import MachineFacts
    from infra.render.network.facts import Common
    from infra.render.scheduler import SlurmFacts
    from infra.spec.site import Site


def gid_of(group: str) -> int:
    """A group's number, from its name alone; above people's and below containers' (systemd's table)."""
    return 100_000 + zlib.crc32(group.encode()) % 100_000


def site_facts(  # noqa: PLR0917 (each is a part of what is known)
    site: Site,
    machines: Sequence[Machine],
    clusters: Sequence[SlurmFacts] = (),
    hosts: Sequence[Host] | None = None,
    pods: Sequence[str] = (),
    network: Common | None = None,
) -> SiteFacts:
    """Facts of a site.

    Args:
        site: the declaration.
        machines: its own servers at least.
        clusters: its Slurm clusters (see `clusters.clusters_of`).
        hosts: all machines with an address; those of `machines` if not given.
        pods: see `SiteFacts`.
        network: see `SiteFacts`.
    """
    if hosts is None:
        hosts = [
            Host(machine.name, machine.loopback, str(machine.role), machine.pod)
            for machine in machines
            if machine.loopback
        ]
    addresses = site.addresses
    fabric = [str(net) for net in (addresses.loopbacks, addresses.links) if net]
    names = sorted({group for user in site.users for group in user.groups})
    return SiteFacts(
        name=site.name,
        pods=tuple(pods),
        domain=site.services.domain,
        hosts=tuple(hosts),
        fabric=tuple(fabric),
        asn_bases={
            name: one.asn_base
            for name, one in site.fabrics.named().items()
            if tiers.routing(one) in {"bgp", "static"}
        },
        time_servers=_loopbacks(site, site.services.ntp, machines),
        name_servers=_loopbacks(site, site.services.dns, machines),
        users=tuple(User(user.name, user.uid, tuple(user.public_keys)) for user in site.users),
        groups=tuple(
            Group(name, gid_of(name), tuple(user.name for user in site.users if name in user.groups))
            for name in names
        ),
        mounts=_mounts(site, machines),
        slurm=clusters[0] if clusters else None,
        clusters=tuple(clusters),
        controllers=tuple(one.name for one in controllers(site, machines)),
        monitors=tuple(one.name for one in _servers(site, site.services.monitoring, machines)),
        rollout=rollout_cluster(site, machines),
        zones=zones_of(site),
        matrix=allowed_inbound(site),
        declared=dict(declared_parts(site)),
        network=network,
    )


def _servers(site: Site, group: str | None, machines: Sequence[Machine]) -> Sequence[Machine]:
    """Servers that a service of the declaration names; none where it names none."""
    return servers_of(site.name, group, machines) if group else ()


def _loopbacks(site: Site, group: str | None, machines: Sequence[Machine]) -> tuple[str, ...]:
    return tuple(str(one.loopback) for one in _servers(site, group, machines))


def _mounts(site: Site, machines: Sequence[Machine]) -> tuple[Mount, ...]:
    """Folders of tiers that machines serve by NFS, each from the first of its tier's servers."""
    return tuple(
        Mount(
            server.name,
            str(server.loopback),
            export.path,
            export.mount,
            mount_unit(export.mount),
            int(export.size),
            tuple(quota_of(export.path, quota) for quota in export.quotas),
        )
        for tier in site.storage.tiers
        if tier.kind == "nfs" and tier.servers
        for server in servers_of(site.name, tier.servers, machines)[:1]
        for export in tier.exports
    )


def site_for(machine: MachineFacts, site: SiteFacts) -> SiteFacts:
    """Return the part of a site's facts that one machine gets, whichever pods are selected.

    Its cluster is its own. The hosts that it knows by name are the site's own and those of its cluster's pods
    (of its pod, without a cluster); the site's own machines know all.
    """
    cluster = cluster_of(site.clusters, machine.name, machine.pod)
    if machine.pod is None:
        return replace(site, pods=(), slurm=cluster)
    pods = {None, machine.pod, *(cluster.pods if cluster else ())}
    hosts = tuple(host for host in site.hosts if host.pod in pods)
    return replace(site, pods=(), slurm=cluster, hosts=hosts)
