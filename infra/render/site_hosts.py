"""Names and addresses of all machines of a site, from the plan's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.tables.machines import Role
from infra.render.facts import Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine


def hosts_of(planned: Plan, servers: Sequence[Machine]) -> Iterator[Host]:
    """The site's own machines, then those of each pod: switches and trays."""
    for machine in servers:
        if machine.loopback:
            yield Host(machine.name, machine.loopback, str(machine.role), None)
    for pod in planned.pods:
        part = planned.pod(pod)
        switches = part.switches.filter(~part.switches["fabric"].is_in(part.geometry.management_fabrics))
        roles = dict.fromkeys(switches["name"], str(Role.SWITCH)) | dict(
            part.nodes.select("name", "role").rows()
        )
        found = part.addresses.filter(part.addresses["pool"] == "loopback").select("owner", "address")
        addresses = dict(found.iter_rows())
        for name, role in roles.items():
            if name in addresses:
                yield Host(name, addresses[name].split("/")[0], str(role), pod)
