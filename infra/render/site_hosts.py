"""Names and addresses of all machines of a site, from the plan's columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Role
from infra.plan.tables.names import called_names
from infra.render.facts import Host
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine


HOST_NAME = re.compile(r"(?!localhost$|[0-9]+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
"""A label of RFC 1123 by which a machine can be reached: a number alone is read as an address."""


def hosts_of(planned: Plan, servers: Sequence[Machine]) -> Iterator[Host]:
    """Yield the site's own machines, then those of each pod: switches and trays."""
    aliases = _read_aliases(planned)
    for machine in servers:
        if machine.loopback:
            yield Host(machine.name, machine.loopback, str(machine.role), None, aliases.get(machine.name))
    for pod in planned.pods:
        part = planned.pod(pod)
        switches = part.switches.filter(~part.switches["fabric"].is_in(part.geometry.management_fabrics))
        roles = dict.fromkeys(switches["name"], str(Role.SWITCH)) | dict(
            part.nodes.select("name", "role").rows()
        )
        closed = {model for model in switches["model"].unique() if not catalog.is_ordinary(model)}
        silent = set(switches.filter(switches["model"].is_in(closed))["name"])
        found = part.addresses.filter(part.addresses["pool"] == "loopback").select("owner", "address")
        addresses = dict(found.iter_rows())
        for name, role in roles.items():
            if name in addresses:
                address = addresses[name].split("/")[0]
                yield Host(name, address, str(role), pod, aliases.get(name), name not in silent)


def _read_aliases(planned: Plan) -> dict[str, str]:
    """Return machine → what it is called, where that is another name and one of a host."""
    known = called_names(planned)
    if known is None:
        return {}
    return {place: name for place, name in known.rows() if name != place and HOST_NAME.fullmatch(name)}
