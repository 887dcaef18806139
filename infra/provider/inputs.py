"""Inputs of resources: the base of their pydantic models, markers of fields, and what a model declares.

From one model come the check of what a program gives, the object that a resource works with, the changes that
replace, the package's schema, the classes that programs use and the reference page.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

if typing.TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class Like:
    """Marks a field whose pattern stands for something that has a name: `a host name`."""

    words: str


@dataclass(frozen=True, slots=True)
class Replaces:
    """Marks a field whose change makes the resource anew."""


REPLACES = Replaces()
_HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

# Types of text that fields share. An example of a right value belongs to the field: `Field(examples=[…])`.
Name = Annotated[str, Field(pattern=_HOST_NAME), Like("a name of a-z, 0-9 and -")]
HostName = Annotated[str, Field(pattern=_HOST_NAME), Like("a host name")]
Uuid = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    Like("a lower-case UUID"),
]
Mac = Annotated[str, Field(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"), Like("a lower-case MAC address")]

_SCALARS = frozenset({"str", "int", "float", "bool"})


def _make_strict(node: object) -> None:
    """Set `strict` in the nodes of a core schema that are scalars."""
    if isinstance(node, dict):
        if node.get("type") in _SCALARS:
            node["strict"] = True
        for key, inner in node.items():
            if key != "metadata":
                _make_strict(inner)
    elif isinstance(node, list):
        for inner in node:
            _make_strict(inner)


class InputModel(BaseModel):
    """Base of inputs: only declared properties, no text for a number, no number for text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make scalars strict. Enumerations and tuples are not: they come as text and as lists."""
        schema = handler(source)
        _make_strict(schema)
        return schema

    def plain(self) -> dict[str, Any]:
        """Return the inputs as plain values; what is None is left out, as in a state."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class Property:
    """One property, as a model declares it.

    Attributes:
        kind: its type without `None` and markers: a scalar, an enumeration, a model, `dict[K, V]` or
            `tuple[V, ...]`.
        doc: what it means, with its unit.
        required: whether it has no default.
        default: plain value; None if there is none.
        replaces: whether a change makes the resource anew.
        minimum, maximum: bounds of a number, both allowed; None if there is none.
        like, key_like: words for what the patterns of the text, and of a map's keys, stand for; None without.
    """

    kind: Any
    doc: str
    required: bool
    default: Any
    replaces: bool
    minimum: float | None
    maximum: float | None
    like: str | None
    key_like: str | None


@cache
def properties_of(model: type[InputModel]) -> dict[str, Property]:
    """Return name → property of a model, in the order of declaration."""
    return {name: _read_field(field) for name, field in model.model_fields.items()}


def _read_field(field: FieldInfo) -> Property:
    kind, inner = _split(field.annotation)
    markers = [*field.metadata, *inner]
    return Property(
        kind=kind,
        doc=field.description or "",
        required=field.is_required(),
        default=None if field.is_required() else _to_plain(field.get_default(call_default_factory=True)),
        replaces=REPLACES in markers,
        minimum=next((marker.ge for marker in markers if hasattr(marker, "ge")), None),
        maximum=next((marker.le for marker in markers if hasattr(marker, "le")), None),
        like=_words(markers, field.examples),
        key_like=_key_words(kind),
    )


def _split(annotation: Any) -> tuple[Any, list[Any]]:
    """Return the type without `None` and markers, and the markers: those of a `Field` by themselves."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return _split(next(item for item in typing.get_args(annotation) if item is not type(None)))
    if typing.get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *markers = typing.get_args(annotation)
    return kind, [
        part
        for marker in markers
        for part in ((marker, *marker.metadata) if isinstance(marker, FieldInfo) else (marker,))
    ]


def _to_plain(default: Any) -> Any:
    if isinstance(default, InputModel):
        return default.plain()
    if isinstance(default, tuple):
        return [_to_plain(item) for item in default]
    return str(default) if isinstance(default, str) else default


def _words(metadata: Iterable[Any], examples: Iterable[Any] | None) -> str | None:
    """Return `a host name, for example `x``; None where no pattern has a name."""
    like = next((marker.words for marker in metadata if isinstance(marker, Like)), None)
    example = next(iter(examples or ()), None)
    return like if like is None or example is None else f"{like}, for example `{example}`"


def _key_words(kind: Any) -> str | None:
    """Return the words for a map's keys."""
    if typing.get_origin(kind) is not dict:
        return None
    markers = _split(typing.get_args(kind)[0])[1]
    fields = (marker for marker in markers if isinstance(marker, FieldInfo))
    return _words(markers, [example for field in fields for example in field.examples or ()])


def item_kind(kind: Any) -> Any:
    """Return the type of what a map or a list holds; None for any other type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return _split(arguments[1])[0]
    return _split(arguments[0])[0] if origin is tuple else None


def is_model(kind: Any) -> typing.TypeGuard[type[InputModel]]:
    """Return whether a type is an object with properties of its own."""
    return isinstance(kind, type) and issubclass(kind, InputModel)


def apply_defaults(model: type[InputModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain inputs with the defaults filled in, and without what is None.

    What has a wrong type or is unknown stays as it is.
    """
    properties = properties_of(model)
    filled = {name: value for name, value in given.items() if name not in properties}
    for name, declared in properties.items():
        value = given.get(name)
        if value is not None:
            filled[name] = _fill(declared.kind, value)
        elif declared.default is not None:
            filled[name] = declared.default
    return filled


def _fill(kind: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        if is_model(kind):
            return apply_defaults(kind, value)
        if is_model(inner := item_kind(kind)):
            return {key: _fill(inner, item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)) and is_model(inner := item_kind(kind)):
        return [_fill(inner, item) for item in value]
    return value
