"""What changed between a resource's recorded inputs and the new ones, named to the last property."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from infra.provider.properties import Unknown, join
from infra.provider.shape import fields_of, optional


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


def changes(shape: type, old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> dict[str, Change]:
    """Property path → change, for all declared properties of a shape; outputs beside them are not looked at.

    An object that is there on one side only is one change; two that differ are compared inside.
    """
    found: dict[str, Change] = {}
    for name, (kind, rule, _) in fields_of(shape).items():
        found |= _compare(optional(kind)[0], old.get(name), new.get(name), join(path, name), rule.replaces)
    return found


def _compare(kind: Any, old: Any, new: Any, path: str, replaces: bool) -> dict[str, Change]:  # noqa: FBT001
    if old is None and new is None:
        return {}
    if old is None or new is None:
        return {path: Change(Kind.ADD if old is None else Kind.DELETE, replaces)}
    if isinstance(new, Unknown) or isinstance(old, Unknown):
        return {path: Change(Kind.UPDATE, replaces)}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if dataclasses.is_dataclass(kind):
            inner = changes(typing.cast("type", kind), old, new, path)
            return {
                key: dataclasses.replace(item, replaces=item.replaces or replaces)
                for key, item in inner.items()
            }
        item_kind = typing.get_args(kind)[1] if typing.get_origin(kind) is dict else Any
        found: dict[str, Change] = {}
        for key in [*old, *(key for key in new if key not in old)]:
            found |= _compare(item_kind, old.get(key), new.get(key), join(path, key), replaces)
        return found
    return {} if old == new else {path: Change(Kind.UPDATE, replaces)}
