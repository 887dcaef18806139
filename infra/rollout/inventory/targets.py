"""The machines that a playbook or a check can be run on, with their facts and the way to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.plan import machines_of, plan
from infra.render.clusters import clusters_of
from infra.render.facts import MachineFacts, SiteFacts, machine_facts, site_facts
from infra.render.site_hosts import hosts_of
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster import Roster, group_name
from infra.rollout.inventory.roster_table import roster_of
from infra.spec import load_site

__all__ = ["Targets", "group_name", "targets", "targets_of"]

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
        roster: their names and groups.
    """

    site: str
    machines: tuple[Machine, ...]
    facts: SiteFacts
    roster: Roster

    @cached_property
    def by_name(self) -> Mapping[str, Machine]:
        """The machines by name."""
        return {machine.name: machine for machine in self.machines}

    def facts_of(self, machine: Machine) -> MachineFacts:
        """Facts of one machine."""
        return machine_facts(machine, self.by_name, self.facts)

    def groups_of(self, machine: Machine) -> tuple[str, ...]:
        """Its Ansible groups: `role_tray`, `site_lab`, `pod_pod_01` and so on."""
        return self.roster.groups_of(self.roster.rows[machine.name])

    def only(self, limit: str | None) -> tuple[Machine, ...]:
        """The machines that Ansible's pattern picks; all without one.

        Raises:
            UserError: a part of the pattern names nothing.
        """
        if not limit:
            return self.machines
        wanted = {self.roster.names[row] for row in select(self.roster, limit)}
        return tuple(machine for machine in self.machines if machine.name in wanted)


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
    own = tuple(machine for machine in machines if machine.pod is None)
    pods = planned.pods if pod is None else (pod,)
    clusters = clusters_of(planned, own, pod)
    facts = site_facts(planned.site, own, clusters, tuple(hosts_of(planned, own)), pods)
    return Targets(planned.site.name, tuple(machines), facts, roster_of(planned, pod))
