"""Every key of a declaration's types, where a declaration has it, and other values for it."""

from __future__ import annotations

import re
import typing
from datetime import date

from pydantic import BaseModel

from infra.spec.fabric import Fabric, Fabrics
from infra.spec.site import Site

EACH = "*"
"""Stands for each entry of a list or mapping in a key."""


def keys(model=Site, before=()):
    """Every key that holds a value, by reflection; those of one fabric for all fabrics."""
    if model is Fabrics:
        yield from keys(Fabric, (*before, EACH))
        return
    for name, field in model.model_fields.items():
        parts = list(_parts(field.annotation, several=False))
        if not parts:
            yield *before, name
        for part, several in parts:
            yield from keys(part, (*before, name, EACH) if several else (*before, name))


def _parts(annotation, *, several):
    """Types of parts in an annotation, and whether it holds several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, several
    elif typing.get_origin(annotation) is not typing.Literal:
        for inner in typing.get_args(annotation):
            yield from _parts(inner, several=several or typing.get_origin(annotation) in {tuple, dict})


def annotation_of(key, model=Site):
    """The type of a key."""
    step, *rest = key
    if step == EACH:
        return annotation_of(rest, Fabric if model is Fabrics else model)
    found = model.model_fields[step].annotation
    parts = [part for part, _ in _parts(found, several=False)]
    return annotation_of(rest, parts[0]) if rest else found


def places(value, key):
    """Where a declaration has a key: for each, the part around it and the last step."""
    step, *rest = key
    if step == EACH:
        entries = value.values() if isinstance(value, dict) else value
        for entry in entries:
            yield from places(entry, rest)
    elif isinstance(value, dict) and step in value:
        if rest:
            yield from places(value[step], rest)
        else:
            yield value, step


def other_values(value, annotation):
    """Other values of a key's type, the likeliest first."""
    words = [word for literal in _literals(annotation) for word in typing.get_args(literal)]
    if isinstance(value, list):
        yield from _lists(value, words)
    elif isinstance(value, dict):
        yield from ({**value, key: other} for key, one in value.items() for other in other_values(one, None))
    elif words:
        yield from (word for word in words if word != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value * 2, value // 2, value + 1000)
    elif isinstance(value, date):
        yield from (value.replace(year=value.year + years) for years in (1, -1, 5))
    elif isinstance(value, float):
        yield from (value * 1.01, value * 0.99, value * 2, value / 2)
    else:
        yield from _texts(value)


def _literals(annotation):
    if typing.get_origin(annotation) is typing.Literal:
        yield annotation
    for inner in typing.get_args(annotation):
        if not isinstance(inner, (str, int)):
            yield from _literals(inner)


def _lists(value, words):
    yield value[:-1]
    yield from ([*value, word] for word in words if word not in value)
    if value and isinstance(value[-1], int):
        yield [*value, value[-1] + 1]
    if value and isinstance(value[-1], str):
        yield from ([*value[:-1], other] for other in _texts(value[-1]))


def _texts(value):
    """A quantity in other sizes, a date of another year, another number in a text, or a longer name."""
    if re.match(r"^[0-9.]+ ", value):
        yield from (_scaled(value, factor) for factor in (1.01, 0.99, 2, 0.5, 10))
    for match in re.finditer(r"[0-9]+", value):
        for step in (1, -1):
            number = f"{int(match[0]) + step:0{len(match[0])}}"
            yield value[: match.start()] + number + value[match.end() :]
    yield f"{value}-x"
    yield f"{value}x"


def _scaled(value, factor):
    number, space, unit = str(value).partition(" ")
    try:
        return f"{float(number) * factor:g}{space}{unit}" if unit else float(number) * factor
    except ValueError:
        return value
