"""Pulumi's property values to plain Python values and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime import rpc


class Unknown:
    """The type of `UNKNOWN`: a value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


def plain(value: PropertyValue) -> Any:
    """A property value as plain Python, secrets unwrapped, whole numbers as int.

    Secrets need no marking here: the provider declines them in Configure, so the engine marks them again.
    """
    inner = value.value
    if isinstance(inner, str):
        # The SDK leaves the engine's mark for an unknown as the string that it is on the wire.
        return UNKNOWN if inner == rpc.UNKNOWN else inner
    if inner is None or isinstance(inner, bool):
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence):
        return [plain(item) for item in inner if isinstance(item, PropertyValue)]
    if isinstance(inner, Computed):
        return UNKNOWN
    raise TypeError(f"a {value.type.value} is not a value that gigasite's resources take")


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """All properties of a request as plain Python."""
    return {key: plain(value) for key, value in values.items()}


def wrap(value: Any) -> PropertyValue:
    """A plain Python value as a property value."""
    if isinstance(value, Unknown):
        return PropertyValue(rpc.UNKNOWN)
    if value is None or isinstance(value, (bool, str)):
        return PropertyValue(value)
    if isinstance(value, (int, float)):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({str(key): wrap(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([wrap(item) for item in value])
    raise TypeError(f"{type(value).__name__} has no Pulumi form")


def wrap_map(values: Mapping[str, Any], secrets: Collection[str] = ()) -> dict[str, PropertyValue]:
    """Plain properties for a response; those named in `secrets` are marked."""
    return {key: wrap(value).with_secret(key in secrets) for key, value in values.items()}


def has_unknown(value: Any) -> bool:
    """Whether anything in the tree is unknown."""
    if isinstance(value, Mapping):
        return any(map(has_unknown, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_unknown, value))
    return isinstance(value, Unknown)


def join(path: str, key: str) -> str:
    """A property path one level deeper, in Pulumi's notation: `a.b`, or `a["b.c"]` where b.c has a dot."""
    if any(sign in key for sign in '."[]'):
        quoted = key.replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{key}" if path else key
