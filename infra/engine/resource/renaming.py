"""New names in a state: every reference to a URN follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.engine.resource.urn import STACK_TYPE, Urn
from infra.engine.resource.values import REFERENCE, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.resource.stack_ref import StackRef

    Record = dict[str, Any]


def rename_resource(record: Record, moved: Callable[[str], str]) -> Record:
    """A resource of a checkpoint with its URN and all that it refers to under their new names.

    Args:
        record: the resource.
        moved: from a URN to the new one; to itself if it stays.
    """
    out = dict(record)
    for key in ("urn", "parent", "deletedWith", "viewOf"):
        if out.get(key):
            out[key] = moved(out[key])
    for key in ("dependencies", "replaceWith"):
        if key in out:
            out[key] = [moved(urn) for urn in out[key] or ()]
    if "propertyDependencies" in out:
        found = out["propertyDependencies"] or {}
        out["propertyDependencies"] = {key: [moved(urn) for urn in many or ()] for key, many in found.items()}
    if out.get("provider"):
        reference, _, identity = out["provider"].rpartition("::")
        out["provider"] = f"{moved(reference)}::{identity}"
    for key in ("inputs", "outputs", "replacementTrigger"):
        if key in out:
            out[key] = _value(out[key], moved)
    return out


def follow_aliases(resources: list[Record]) -> list[Record]:
    """The resources of a checkpoint with all that they refer to under its present URN, and no alias left."""
    taken: dict[str, str] = {alias: one["urn"] for one in resources for alias in one.get("aliases") or ()}
    if not taken:
        return resources

    def moved(urn: str) -> str:
        return taken.get(urn, urn)

    # An old copy that waits for its deletion keeps its own URN.
    out = [rename_resource(one, moved) | {"urn": one["urn"]} for one in resources]
    return [{key: value for key, value in one.items() if key != "aliases"} for one in out]


def _value(value: Any, moved: Callable[[str], str]) -> Any:
    """A property value whose references to resources follow."""
    if isinstance(value, list):
        return [_value(item, moved) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == REFERENCE:
        return value | {"urn": moved(value["urn"])}
    return {key: _value(item, moved) for key, item in value.items()}


def with_stack_renamed(deployment: Record, old: StackRef, new: StackRef) -> Record:
    """A deployment as that of a stack of another name, or of another project."""

    def moved(urn: str) -> str:
        parts = Urn.parse(urn)
        if (parts.stack, parts.project) != (old.stack, old.project):
            return urn
        is_root = parts.type == STACK_TYPE and parts.name == f"{old.project}-{old.stack}"
        name = f"{new.project}-{new.stack}" if is_root else parts.name
        return str(parts._replace(stack=new.stack, project=new.project, name=name))

    def resource(record: Record) -> Record:
        out = rename_resource(record, moved)
        return out | {"aliases": [moved(urn) for urn in out["aliases"]]} if out.get("aliases") else out

    out = dict(deployment)
    if "resources" in out:
        out["resources"] = [resource(one) for one in out["resources"] or ()]
    if "pending_operations" in out:
        pending = out["pending_operations"] or ()
        out["pending_operations"] = [one | {"resource": resource(one["resource"])} for one in pending]
    return out
