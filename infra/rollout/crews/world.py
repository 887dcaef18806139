"""The machines of a rollout, their scheduler, and what each machine is given."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

from infra import paths
from infra.rollout import approvals

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.rollout.blueprint import Blueprint
    from infra.rollout.nodes import Nodes, Service

FLEET = "fleet.sqlite"


def world_of(plan: Blueprint) -> tuple[Nodes, Service]:
    """The machines of a rollout and their scheduler."""
    if plan.simulated:
        from infra.rollout.simulated import SimulatedFleet  # noqa: PLC0415

        fleet = SimulatedFleet(approvals.folder(plan.site, plan.id) / FLEET)
        fleet.add(plan.hosts)
        return fleet, fleet
    from infra.rollout.machines import Machines  # noqa: PLC0415
    from infra.rollout.slurm import find_service  # noqa: PLC0415 (polars is slow to import)

    return Machines(plan.site, plan.playbook), find_service(plan.site)


def content_for(plan: Blueprint) -> Callable[[str], str]:
    """Hash of what each machine is given: the playbooks, and the files that are rendered for it."""
    if plan.simulated:
        return lambda host: hashlib.sha256(f"{plan.content} {host}".encode()).hexdigest()[:16]
    from infra.render.deployment import render_files  # noqa: PLC0415
    from infra.render.facts import machine_facts  # noqa: PLC0415
    from infra.rollout.inventory.facts import site_at  # noqa: PLC0415

    site = site_at(paths.inventory(plan.site) / "site.yaml")

    @cache
    def of(host: str) -> str:
        facts = machine_facts(site.machine(host), site.peers, site.common)
        digest = hashlib.sha256(plan.content.encode())
        for file in render_files(facts, site.whole, site.role_variables(facts)):
            digest.update(repr(sorted(asdict(file).items())).encode())
        return digest.hexdigest()[:16]

    return of
