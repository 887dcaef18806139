"""What a resource takes, declared once: frozen dataclasses whose fields carry their rules.

From the same declaration come the checks (every mistake at once, each with its path), the defaults, the
parsed object that a resource works with, which changes replace, and the package's Pulumi schema.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from infra.provider.properties import UNKNOWN, Unknown, join

HOST_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MAC = r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"

T = TypeVar("T")
_MISSING = dataclasses.MISSING


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one property beyond its type.

    Attributes:
        doc: what it means, with its unit.
        minimum, maximum: bounds of a number, both allowed.
        pattern: a regular expression that the whole string matches.
        like: what the pattern stands for, in words with an example.
        replaces: whether a change needs a new resource.
        key_pattern: the same as pattern, for the keys of a map.
    """

    doc: str
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    like: str | None = None
    replaces: bool = False
    key_pattern: str | None = None


def prop(
    doc: str,
    *,
    default: Any = _MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    like: str | None = None,
    replaces: bool = False,
    key_pattern: str | None = None,
) -> Any:
    """A property of a resource; see `Rule`. Without a default it is required."""
    rule = Rule(doc, minimum, maximum, pattern, like, replaces, key_pattern)
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=default.copy, metadata={"rule": rule})
    if default is _MISSING:
        return dataclasses.field(metadata={"rule": rule})
    return dataclasses.field(default=default, metadata={"rule": rule})


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """One mistake in a resource's inputs."""

    path: str
    reason: str


@cache
def fields_of(shape: type) -> dict[str, tuple[Any, Rule, Any]]:
    """Name → (type, rule, default or `dataclasses.MISSING`) for each property of a shape."""
    hints = typing.get_type_hints(shape)
    found: dict[str, tuple[Any, Rule, Any]] = {}
    for field in dataclasses.fields(shape):
        default = field.default_factory() if field.default_factory is not _MISSING else field.default
        found[field.name] = (hints[field.name], field.metadata["rule"], default)
    return found


def optional(kind: Any) -> tuple[Any, bool]:
    """`X | None` as (X, True); any other type as (type, False)."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        rest = [item for item in typing.get_args(kind) if item is not type(None)]
        return rest[0], True
    return kind, False


def check(shape: type, value: Any, failures: list[Failure], path: str = "") -> Any:
    """The inputs with defaults filled in; every mistake goes to `failures`. Unknown values pass."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if not isinstance(value, Mapping):
        failures.append(Failure(path, f"must be an object, not {_shown(value)}"))
        return value
    known = fields_of(shape)
    done: dict[str, Any] = {}
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(known)}"
            failures.append(Failure(join(path, key), f"is not a property of this resource; {hint}"))
    for name, (kind, rule, default) in known.items():
        here = join(path, name)
        given = value.get(name)
        inner, may_be_none = optional(kind)
        if given is None:
            if default is _MISSING and not may_be_none:
                failures.append(Failure(here, f"is required: {rule.doc}"))
            elif default is not _MISSING and default is not None:
                done[name] = bare(default)
            continue
        done[name] = _check_value(inner, rule, given, failures, here)
    return done


def _check_value(  # noqa: PLR0911 (one return for each form of value)
    kind: Any, rule: Rule, value: Any, failures: list[Failure], path: str
) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN
    if dataclasses.is_dataclass(kind):
        return check(typing.cast("type", kind), value, failures, path)
    origin = typing.get_origin(kind)
    if origin is dict:
        if not isinstance(value, Mapping):
            failures.append(Failure(path, f"must be a map, not {_shown(value)}"))
            return value
        item_kind = typing.get_args(kind)[1]
        failures.extend(
            Failure(join(path, key), f"`{key}` is not {rule.like or 'a valid name'}")
            for key in value
            if rule.key_pattern and not re.fullmatch(rule.key_pattern, key)
        )
        return {
            key: _check_value(item_kind, rule, item, failures, join(path, key)) for key, item in value.items()
        }
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            failures.append(Failure(path, f"must be a list, not {_shown(value)}"))
            return value
        item_kind = typing.get_args(kind)[0]
        return [_check_value(item_kind, rule, item, failures, f"{path}[{i}]") for i, item in enumerate(value)]
    reason = _scalar_fault(kind, rule, value)
    if reason:
        failures.append(Failure(path, reason))
    return value


def _scalar_fault(kind: Any, rule: Rule, value: Any) -> str | None:
    """Why a scalar is not right, or None."""
    if issubclass(kind, StrEnum):
        choices = [str(item) for item in kind]
        return None if value in choices else f"must be one of {', '.join(choices)}, not {_shown(value)}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}[kind]
    accepted: Any = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        return f"must be {words}, not {_shown(value)}"
    return _bounds_fault(rule, value)


def _bounds_fault(rule: Rule, value: Any) -> str | None:
    if rule.minimum is not None and value < rule.minimum:
        return f"must be at least {rule.minimum:g}, not {value:g}"
    if rule.maximum is not None and value > rule.maximum:
        return f"must be at most {rule.maximum:g}, not {value:g}"
    if rule.pattern and isinstance(value, str) and not re.fullmatch(rule.pattern, value):
        return f"`{value}` is not {rule.like or 'of the form ' + rule.pattern}"
    return None


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"`{value}`" if isinstance(value, str) else str(value).lower()


def build(shape: type[T], value: Mapping[str, Any]) -> T:
    """The parsed object of inputs that `check` has passed and that hold no unknown."""
    arguments = {}
    for name, (kind, _, default) in fields_of(typing.cast("Any", shape)).items():
        inner, may_be_none = optional(kind)
        given = value.get(name)
        if given is None:
            if default is not _MISSING:
                arguments[name] = default
            elif may_be_none:
                arguments[name] = None
        else:
            arguments[name] = _build_value(inner, given)
    return shape(**arguments)


def _build_value(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return build(typing.cast("type", kind), value)
    origin = typing.get_origin(kind)
    if origin is dict:
        return {key: _build_value(typing.get_args(kind)[1], item) for key, item in value.items()}
    if origin is tuple:
        return tuple(_build_value(typing.get_args(kind)[0], item) for item in value)
    return kind(value)


def bare(value: Any) -> Any:
    """A parsed value (dataclass, tuple, enum) as plain Python; what is None is left out, as in a state."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: bare(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {key: bare(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value
