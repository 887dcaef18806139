"""Differences: a provider's answer, or the engine's by comparing inputs, and how options change it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from infra.engine.events import DiffKind, PropertyDiff
from infra.engine.resource import property_path, values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.engine.resource.property_path import Path
    from infra.engine.resource.values import Properties, Value

_INVERSE = {
    DiffKind.ADD: DiffKind.DELETE,
    DiffKind.ADD_REPLACE: DiffKind.DELETE_REPLACE,
    DiffKind.DELETE: DiffKind.ADD,
    DiffKind.DELETE_REPLACE: DiffKind.ADD_REPLACE,
}
INIT_ERROR = "#initerror"
"""The name by which replaceOnChanges may ask for a replacement after a failed initialisation."""


class Changes(IntEnum):
    """Whether anything differs; the numbers are the protocol's."""

    UNKNOWN = 0
    NONE = 1
    SOME = 2


@dataclass(frozen=True, slots=True)
class Diff:
    """The answer to "what would change".

    Attributes:
        changes: whether anything does.
        replace_keys: properties that force a replacement.
        stable_keys: properties that stay as they are.
        changed_keys: properties that differ.
        detailed: path to difference; None if the provider does not say.
        delete_before_replace: the provider cannot have both at once.
    """

    changes: Changes = Changes.UNKNOWN
    replace_keys: tuple[str, ...] = ()
    stable_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: dict[str, PropertyDiff] | None = field(default=None)
    delete_before_replace: bool = False

    @property
    def replaces(self) -> bool:
        """Whether it forces a replacement."""
        return bool(self.replace_keys) or any(d.kind.replaces for d in (self.detailed or {}).values())

    def inverted(self) -> Diff:
        """The same, seen from the other side."""
        if self.detailed is None:
            return self
        turned = {
            path: PropertyDiff(_INVERSE.get(item.kind, item.kind), item.input_diff)
            for path, item in self.detailed.items()
        }
        return replace(self, detailed=turned)


NO_CHANGES = Diff(Changes.NONE)


def replacing(key: str) -> Diff:
    """A replacement for a reason that is no property of the resource."""
    return Diff(Changes.SOME, replace_keys=(key,))


def of_inputs(old: Properties, new: Properties) -> Diff:
    """Compare inputs, secret marks aside: for providers that do not say."""
    found = dict(_differences(values.unwrap(old), values.unwrap(new), ()))
    if not found:
        return NO_CHANGES
    keys = tuple(sorted({str(path[0]) for path in found}))
    detailed = {property_path.text_of(path): PropertyDiff(kind, True) for path, kind in found.items()}
    return Diff(Changes.SOME, changed_keys=keys, detailed=detailed)


def _differences(old: Value, new: Value, path: Path) -> Iterable[tuple[Path, DiffKind]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if before is None and after is not None:
                yield (*path, key), DiffKind.ADD
            elif before is not None and after is None:
                yield (*path, key), DiffKind.DELETE
            else:
                yield from _differences(before, after, (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(old):
                yield (*path, index), DiffKind.ADD
            elif index >= len(new):
                yield (*path, index), DiffKind.DELETE
            else:
                yield from _differences(old[index], new[index], (*path, index))
    elif not values.equal(old, new):
        yield path, DiffKind.UPDATE


def with_replace_on_changes(diff: Diff, paths: list[str], *, has_init_errors: bool) -> Diff:
    """Turn differences at or below the paths into replacements.

    Raises:
        PathError: one of them, or of the provider's, cannot be parsed.
    """
    if diff.changes is not Changes.SOME and not has_init_errors:
        return diff
    parsed = [property_path.parse(path) for path in paths]

    def covered(path: Path) -> bool:
        return any(property_path.contains(mine, path) for mine in parsed)

    def covered_key(key: str) -> bool:
        try:
            return bool(parsed) and covered(property_path.parse(key))
        except property_path.PathError:
            return False

    detailed = None
    if diff.detailed is not None:
        detailed = {
            path: PropertyDiff(as_replace(item.kind), item.input_diff)
            if covered(property_path.parse(path))
            else item
            for path, item in diff.detailed.items()
        }
    keys = dict.fromkeys(diff.replace_keys) | dict.fromkeys(
        key for key in diff.changed_keys if covered_key(key)
    )
    changes = diff.changes
    if has_init_errors and covered_key(INIT_ERROR):
        keys[INIT_ERROR] = None
        changes = Changes.SOME
        if detailed is not None:
            detailed[INIT_ERROR] = PropertyDiff(DiffKind.UPDATE_REPLACE)
    return replace(diff, changes=changes, replace_keys=tuple(keys), detailed=detailed)


def as_replace(kind: DiffKind) -> DiffKind:
    """The kind that forces a replacement."""
    return kind if kind.replaces else DiffKind(f"{kind}-replace")


def ignoring(paths: list[str], old: Properties, new: Properties) -> tuple[Properties, list[str]]:
    """The new inputs with what ignoreChanges names as it was.

    Returns:
        The inputs, and the paths that could not be followed on both sides.
    """
    if not paths:
        return new, []
    inputs: Properties = property_path.copy_value(new)
    failed: list[str] = []
    for path in paths:
        try:
            parsed = property_path.parse(path)
        except property_path.PathError:
            continue
        if not property_path.reset(parsed, old, inputs):
            failed.append(path)
    return inputs, failed
