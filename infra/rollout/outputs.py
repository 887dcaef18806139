"""Facts of machines in the stacks' state: serial numbers, addresses, power state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def checkpoints(site: str) -> Iterator[Path]:
    """The site's checkpoints in Pulumi's file backend, by name; both engines write this layout."""
    for path in sorted(_folder().glob("*.json")):
        if path.stem == site or path.stem.startswith(f"{site}."):
            yield path


def _folder() -> Path:
    return paths.ROOT / ".gigasite" / ".pulumi" / "stacks" / "gigasite"


def resources(path: Path) -> Iterator[Mapping[str, Any]]:
    """Resources of a checkpoint, as it has them.

    Raises:
        UserError: it is no checkpoint.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    latest = _mapping(_mapping(document, path).get("checkpoint"), path).get("latest")
    found = _mapping(latest, path).get("resources")
    if found is None:
        return
    if not isinstance(found, list):
        raise _unreadable(path, "its resources are no list")
    for resource in found:
        yield _mapping(resource, path)


def machine_outputs(site: str) -> Mapping[str, Mapping[str, Any]]:
    """Outputs by machine name, from the resources of the site's stacks; empty before they are up.

    Looks for machines in two places: resources with the outputs `name` and `serial`, and resources with an
    output `machines` or `trays`, a mapping of such outputs by name.

    Raises:
        UserError: a stack's state cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in checkpoints(site):
        for resource in resources(path):
            for name, values in _machines(_mapping(resource.get("outputs"), path)):
                found.setdefault(name, {}).update(values)
    return found


def _mapping(value: Any, path: Path) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unreadable(path, f"an object was expected, not {json.dumps(value)[:40]}")
    return value


def _unreadable(path: Path, why: str) -> UserError:
    earlier = path.with_name(f"{path.name}.bak")
    hint = f"the state before the last change is in {earlier.name} beside it" if earlier.exists() else None
    return UserError(f"the state of stack {path.stem} cannot be read: {why}", where=str(path), hint=hint)


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
