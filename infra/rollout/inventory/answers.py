"""Print what a listing or a lookup asks of a declaration, as JSON: see `listing.ask`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.plan import plan
from infra.plan.tables.addressing import management_addresses
from infra.rollout.inventory.facts import site_at
from infra.rollout.outputs import machine_outputs
from infra.spec import load

if TYPE_CHECKING:
    from collections.abc import Callable


def variables(source: str, host: str) -> dict[str, Any]:
    """Return the variables `machine`, `made` and `site` of a machine.

    Raises:
        UserError: the declaration is wrong or has no such machine.
    """
    site = site_at(Path(source))
    if host not in site.pod_of:
        raise UserError(f"there is no machine {host!r}", where=source)
    made = machine_outputs(site.planned.site.name).get(host, {})
    return {"machine": site.machine_variables(host), "made": made, "site": site.site_variables()}


def addresses(source: str) -> dict[str, str]:
    """Return the management address, without prefix length, of all that has one.

    Raises:
        UserError: the declaration is wrong.
    """
    planned = plan(load(Path(source)))
    found: dict[str, str] = {}
    for part in (planned.own_level(), *map(planned.pod, planned.pods)):
        found |= management_addresses(part)
    return found


ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {"variables": variables, "addresses": addresses}

if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(ANSWERS[sys.argv[1]](*sys.argv[2:])))
    except UserError as error:
        sys.exit(str(error))
