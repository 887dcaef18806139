"""The machines that a playbook or a check can be run on, with their facts and the way to reach them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.plan import machines_of, plan
from infra.render.facts import MachineFacts, SiteFacts, machine_facts, site_facts
from infra.spec import load_site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine


@dataclass(frozen=True)
class Targets:
    """Machines of a site.

    Attributes:
        site: the site's name.
        machines: in plan order.
        facts: what they know of each other.
    """

    site: str
    machines: tuple[Machine, ...]
    facts: SiteFacts

    @cached_property
    def by_name(self) -> Mapping[str, Machine]:
        """The machines by name."""
        return {machine.name: machine for machine in self.machines}

    def facts_of(self, machine: Machine) -> MachineFacts:
        """Facts of one machine."""
        return machine_facts(machine, self.by_name, self.facts)

    def groups_of(self, machine: Machine) -> tuple[str, ...]:
        """Its Ansible groups: `role_tray`, `site_lab`, `pod_pod_01` and so on."""
        levels = {
            "role": machine.role,
            "site": machine.site,
            "pod": machine.pod,
            "su": machine.su,
            "rack": machine.rack,
        }
        return tuple(group_name(kind, str(name)) for kind, name in levels.items() if name)

    def only(self, limit: str | None) -> tuple[Machine, ...]:
        """The machines that a pattern picks: names and groups, with commas between; all without one.

        Raises:
            UserError: a part of the pattern names nothing.
        """
        if not limit:
            return self.machines
        wanted = {word.strip() for word in re.split(r"[,:]", limit) if word.strip()}
        known = {name for machine in self.machines for name in (machine.name, *self.groups_of(machine))}
        if strange := sorted(wanted - known - {"all"}):
            raise UserError(
                f"nothing is named {strange[0]!r}",
                where=f"site {self.site}",
                hint=f"use a machine or a group, for example {min(known)}",
            )
        return tuple(
            machine
            for machine in self.machines
            if "all" in wanted or wanted & {machine.name, *self.groups_of(machine)}
        )


def group_name(kind: str, name: str) -> str:
    """A valid Ansible group name: `pod`, `pod-01` → `pod_pod_01`."""
    return f"{kind}_{re.sub(r'[^0-9A-Za-z_]', '_', name)}"


def targets(site: str, pod: str | None = None) -> Targets:
    """All machines of a site, or of its site level and one pod.

    Raises:
        UserError: the declaration or the pod is wrong.
    """
    return targets_of(plan(load_site(site)), pod)


def targets_of(planned: Plan, pod: str | None = None) -> Targets:
    """The same from a plan that is there already."""
    if pod is None:
        machines = machines_of(planned)
    else:
        machines = (*machines_of(planned, site_level=True), *machines_of(planned, pod))
    return Targets(planned.site.name, tuple(machines), site_facts(planned.site, machines))
