"""The site that the steps are about: its plan, its trays and the machine that runs Slurm's controller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.acceptance.node import Node
from infra.errors import UserError
from infra.plan import Role, machines_of, plan
from infra.render.clusters import controllers, pods_per_cluster
from infra.spec import load_site

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.plan.tables.machines import Machine


@dataclass(frozen=True)
class SiteNodes:
    """A declared site and its machines.

    Attributes:
        site: name of the site.
        chosen: name of the tray that the steps of one node are about; None for the first that is in service.
    """

    site: str
    chosen: str | None = None

    @cached_property
    def plan(self) -> Plan:
        """The plan that the site's declaration gives."""
        return plan(load_site(self.site))

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """All machines of the plan."""
        return machines_of(self.plan)

    @cached_property
    def trays(self) -> tuple[Node, ...]:
        """The trays with accelerators, in the plan's order."""
        return tuple(Node(one) for one in self.machines if one.role is Role.TRAY and one.accelerators)

    @cached_property
    def node(self) -> Node:
        """The tray that the steps of one node are about.

        Raises:
            UserError: the site has no tray of that name.
        """
        for one in self.trays:
            if self.chosen in {None, one.name}:
                return one
        raise UserError(
            f"there is no tray {self.chosen}" if self.chosen else "has no tray with accelerators",
            where=self.site,
            hint="`gigasite report` names them",
        )

    @cached_property
    def head(self) -> Node:
        """The machine that runs slurmctld for the chosen tray's cluster.

        Raises:
            UserError: the site declares no Slurm.
        """
        servers = controllers(self.plan.site, self.machines)
        pod = self.node.machine.pod
        number = self.plan.pods.index(pod) // pods_per_cluster(self.plan.site) if pod else 0
        if number < len(servers):
            return Node(servers[number])
        raise UserError("declares no Slurm", where=self.site)
