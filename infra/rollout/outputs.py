"""What the stacks' state knows of machines since they were made: serial numbers, addresses, power state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STACKS = ROOT / ".gigasite" / ".pulumi" / "stacks" / "gigasite"
"""The project's checkpoints in Pulumi's file backend; both engines write this layout."""


def machine_outputs(site: str) -> Mapping[str, Mapping[str, Any]]:
    """Outputs by machine name, from the resources of the site's stacks; empty before they are up.

    Looks for machines in two places: resources with the outputs `name` and `serial`, and resources with an
    output `machines` or `trays`, a mapping of such outputs by name.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(STACKS.glob("*.json")):
        if path.stem != site and not path.stem.startswith(f"{site}."):
            continue
        deployment = json.loads(path.read_text()).get("checkpoint", {}).get("latest") or {}
        for resource in deployment.get("resources") or ():
            for name, outputs in _machines(resource.get("outputs") or {}):
                found.setdefault(name, {}).update(outputs)
    return found


def _machines(outputs: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(outputs.get("name"), str) and "serial" in outputs:
        yield outputs["name"], _plain(outputs)
    for key in ("machines", "trays"):
        members = outputs.get(key)
        if isinstance(members, dict):
            for name, member in members.items():
                if isinstance(member, dict):
                    yield name, _plain(member)


def _plain(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Simple values only: secrets and nested values stay in the state."""
    return {
        str(name): value
        for name, value in outputs.items()
        if isinstance(value, str | int | float | bool) and not str(name).startswith("__")
    }
