"""Facts of a site's machines, each made when somebody asks for it."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from infra.plan import machines_of, plan
from infra.render.clusters import clusters_of
from infra.render.facts import MachineFacts, SiteFacts, machine_facts
from infra.render.network import common_of
from infra.render.site_facts import site_facts, site_for
from infra.render.site_hosts import hosts_of
from infra.rollout.inventory.variables import SiteVariables
from infra.spec import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine
    from infra.rollout.inventory.roster import Roster


class SiteOfMachines:
    """Machines and facts of one declaration.

    Args:
        planned: the plan.
        pod: only the site level and this pod; all pods without it.
        roster: names and groups of the same machines.
    """

    def __init__(self, planned: Plan, pod: str | None, roster: Roster) -> None:
        self.planned, self.pod = planned, pod
        self.pod_of = _PodOf(roster.rows, roster.pods)
        """Name → pod, for machines at the other end of a cable."""
        self.values = SiteVariables(roster.site, roster)
        self._pods: dict[str | None, dict[str, Machine]] = {}
        self._mappings: dict[tuple[str | None, str | None], dict[str, Any]] = {}

    @property
    def pods(self) -> tuple[str, ...]:
        """Names of the pods in scope."""
        return (self.pod,) if self.pod else self.planned.pods

    def machine(self, name: str) -> Machine:
        """One machine, made with all others of its pod.

        Raises:
            KeyError: there is none of this name.
        """
        return self._of(self.pod_of[name])[name]

    def machines(self) -> Iterator[Machine]:
        """All machines in scope; of a big site this takes a minute."""
        for pod in (None, *self.pods):
            yield from self._of(pod).values()

    def _of(self, pod: str | None) -> dict[str, Machine]:
        if pod not in self._pods:
            made = machines_of(self.planned, pod) if pod else machines_of(self.planned, site_level=True)
            self._pods[pod] = {machine.name: machine for machine in made}
        return self._pods[pod]

    @cached_property
    def peers(self) -> Mapping[str, Machine]:
        """Machines by name, found when asked for."""
        return _Peers(self)

    @cached_property
    def common(self) -> SiteFacts:
        """Build the facts that follow from the declaration and the site's servers, for a site of any size."""
        own = tuple(self._of(None).values())
        return site_facts(self.planned.site, own, network=common_of(self.planned))

    @cached_property
    def whole(self) -> SiteFacts:
        """All that templates may name."""
        own = tuple(self._of(None).values())
        clusters = clusters_of(self.planned, own, self.pod)
        hosts = tuple(hosts_of(self.planned, own))
        return site_facts(self.planned.site, own, clusters, hosts, network=self.common.network)

    def machine_variables(self, name: str) -> dict[str, Any]:
        """The variable `machine`."""
        return asdict(machine_facts(self.machine(name), self.peers, self.common))

    def site_variables(self) -> dict[str, Any]:
        """The variable `site`: what is the same size for a site of any size."""
        return {**asdict(self.common), "hosts": [], "slurm": None}

    def role_variables(self, facts: MachineFacts) -> dict[str, Any]:
        """Return the variables of a machine's roles.

        Raises:
            UserError: a value in group_vars or host_vars is wrong.
        """
        return self.values.of(
            facts.name, facts.applied, lambda: {"machine": asdict(facts), "site": self.site_variables()}
        )

    def known(self, name: str) -> dict[str, Any]:
        """Return all that the templates of a machine's roles may name: `machine`, `site`, roles' variables.

        Raises:
            UserError: a value in group_vars or host_vars is wrong.
        """
        known = {"machine": self.machine_variables(name), "site": self.site_mapping(name)}
        return {**known, **self.values.of(name, known["machine"]["applied"], lambda: known)}

    def site_mapping(self, name: str) -> dict[str, Any]:
        """Convert a machine's part of the site's facts for templates."""
        machine = self.machine(name)
        own = site_for(machine_facts(machine, _Peers(self), self.common), self.whole)
        key = (machine.pod, own.slurm.cluster if own.slurm else None)
        if key not in self._mappings:
            self._mappings[key] = asdict(replace(own, clusters=()))
        return self._mappings[key]


class _Peers(dict):  # type: ignore[type-arg]
    """Machines by name, found when asked for."""

    def __init__(self, owner: SiteOfMachines) -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, name: str) -> Machine:
        self[name] = found = self._owner.machine(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Like a mapping's."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        return name in self._owner.pod_of


def site_of_plan(planned: Plan) -> SiteOfMachines:
    """Machines and facts of a plan that lies in no file, such as one of an earlier revision."""
    from infra.rollout.inventory.roster_table import roster_of  # noqa: PLC0415 (as below)

    roster = roster_of(planned, None)
    return SiteOfMachines(planned, None, roster)


@cache
def site_at(declaration: Path, pod: str | None = None) -> SiteOfMachines:
    """Machines and facts of a declaration; the same object for each caller in a process and its forks.

    Raises:
        UserError: the declaration or the pod is wrong.
    """
    from infra.rollout.inventory.roster_cache import roster_at  # noqa: PLC0415 (it knows a plan's roster, and asks this for none)

    roster = roster_at(declaration, pod)
    return SiteOfMachines(plan(load(declaration)), pod, roster)


class _PodOf(dict):  # type: ignore[type-arg]
    """Name of a machine → name of its pod."""

    def __init__(self, rows: Mapping[str, int], pods: Any) -> None:
        super().__init__(rows)
        self._pods = pods

    def __getitem__(self, name: str) -> str | None:
        row = super().__getitem__(name)
        found: str | None = self._pods[row]
        return found
