"""A site's scheduler as the service that machines leave and enter; gives back what Slurm took out itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.rollout import ssh
from infra.rollout.cordon import cordoned_names
from infra.rollout.inventory.roster import group_name
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.slurm import NoService, Slurm

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.rollout.nodes import Service


def service_of(site: str) -> Service:
    """Slurm on the site's head; nothing to leave where the site has none.

    Raises:
        UserError: the declaration is wrong.
    """
    from infra.rollout.inventory.facts import site_at  # noqa: PLC0415 (polars is slow to import)

    declaration = paths.inventory(site) / "site.yaml"
    roster, known = roster_at(declaration), site_at(declaration)
    ssh.write_config(site, known.machines())
    slurm = known.planned.site.schedulers.slurm
    heads = [
        roster.names[row] for row in (roster.members("role_management") if slurm else ())
        if slurm and roster.names[row].startswith(f"{site}-{slurm.controller}")
    ]  # fmt: skip
    if not slurm or not heads:
        return NoService()
    partitions = [group_name("partition", partition.name) for partition in slurm.partitions]
    scheduled = {
        roster.names[row] for name in partitions if name in roster.groups for row in roster.members(name)
    }
    return Slurm(site, heads[0], scheduled)


def give_back_repaired(site: str, say: Callable[[str], None], service: Service | None = None) -> list[str]:
    """Resume the nodes that Slurm itself took out, now that they are configured again; their names.

    A node that is still at fault is taken out again when it registers, with its reason.

    Args:
        site: its name.
        say: told of each node, with Slurm's reason.
        service: instead of the site's own.
    """
    slurm = service or service_of(site)
    if not isinstance(slurm, Slurm):
        return []
    held = set(cordoned_names(site))
    taken = {name: why for name, why in slurm.taken_by_itself().items() if name not in held}
    back = []
    for name, refused in slurm.resume(taken):
        back += [name] * (refused is None)
        say(
            f"{name}: {refused}"
            if refused
            else f"{name}: back in Slurm, which had taken it out: {taken[name]}"
        )
    return back
