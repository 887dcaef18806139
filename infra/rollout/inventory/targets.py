"""The machines that a playbook or a check can be run on, with their facts and the way to reach them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.plan import machines_of, plan
from infra.render.clusters import clusters_of
from infra.render.facts import MachineFacts, SiteFacts, machine_facts
from infra.render.network import common_of
from infra.render.site_facts import site_facts
from infra.render.site_hosts import hosts_of
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster import Roster, group_name
from infra.rollout.inventory.roster_table import roster_of
from infra.rollout.inventory.variables import SiteVariables
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

    def variables_of(self, machine: Machine) -> dict[str, Any]:
        """Return the variables of a machine's roles.

        Raises:
            UserError: a value in group_vars or host_vars is wrong.
        """
        facts = self.facts_of(machine)
        return self._values.of(
            machine.name, facts.applied, lambda: {"machine": asdict(facts), "site": asdict(self.facts)}
        )

    @cached_property
    def _values(self) -> SiteVariables:
        return SiteVariables(self.site, self.roster)

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
        wanted = {self.roster.names[row] for row in select(self.roster, limit, Observed(self.roster))}
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
    hosts = tuple(hosts_of(planned, own))
    facts = site_facts(planned.site, own, clusters, hosts, pods, common_of(planned))
    return Targets(planned.site.name, tuple(machines), facts, roster_of(planned, pod))
