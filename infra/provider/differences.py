"""Changes between a resource's recorded inputs and the new ones, named to the last property."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from infra.provider.inputs import is_model, item_kind, properties_of
from infra.provider.properties import Unknown, join

if TYPE_CHECKING:
    from infra.provider.inputs import InputModel


class Kind(StrEnum):
    """How a property changed."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One changed property.

    Attributes:
        kind: added, deleted or updated.
        replaces: whether the resource must be made anew for it.
        drift: whether the real thing changed, not the declaration.
    """

    kind: Kind
    replaces: bool = False
    drift: bool = False


def changes(
    model: type[InputModel], old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> dict[str, Change]:
    """Property path → change, for all declared properties of a model; outputs beside them are not looked at.

    An object that is there on one side only is one change; two that differ are compared inside.
    """
    found: dict[str, Change] = {}
    for name, declared in properties_of(model).items():
        found |= _compare(declared.kind, old.get(name), new.get(name), join(path, name), declared.replaces)
    return found


def _compare(kind: Any, old: Any, new: Any, path: str, replaces: bool) -> dict[str, Change]:  # noqa: FBT001
    if old is None and new is None:
        return {}
    if old is None or new is None:
        return {path: Change(Kind.ADD if old is None else Kind.DELETE, replaces)}
    if isinstance(new, Unknown) or isinstance(old, Unknown):
        return {path: Change(Kind.UPDATE, replaces)}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if is_model(kind):
            inner = changes(kind, old, new, path)
            return {
                key: dataclasses.replace(item, replaces=item.replaces or replaces)
                for key, item in inner.items()
            }
        found: dict[str, Change] = {}
        for key in [*old, *(key for key in new if key not in old)]:
            found |= _compare(item_kind(kind), old.get(key), new.get(key), join(path, key), replaces)
        return found
    return {} if old == new else {path: Change(Kind.UPDATE, replaces)}
