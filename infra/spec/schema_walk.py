"""Walks along a location through a model's JSON Schema: minimal values, examples, known keys."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from infra.spec.document import Loc


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _resolved(model: type[BaseModel], part: Any) -> Any:
    """A schema part with references followed and the first real branch of a choice taken."""
    definitions = _schema(model).get("$defs", {})
    while isinstance(part, dict) and ("$ref" in part or "anyOf" in part):
        if "$ref" in part:
            part = definitions[part["$ref"].rsplit("/", 1)[1]]
        else:
            part = next((p for p in part["anyOf"] if p.get("type") != "null"), part["anyOf"][0])
    return part


def _walk(model: type[BaseModel], loc: Loc) -> tuple[bool, Any] | None:
    """Whether a location must be there, and its part of the schema; None if no type knows it."""
    required, part = False, _resolved(model, _schema(model))
    for step in loc:
        part = _resolved(model, part)
        if isinstance(step, int):
            required, part = True, part.get("items") or (part.get("prefixItems") or [{}])[0]
        elif step in part.get("properties", {}):
            required, part = step in part.get("required", ()), part["properties"][step]
        elif isinstance(part.get("additionalProperties"), dict):
            required, part = False, part["additionalProperties"]
        elif part.get("patternProperties"):  # a mapping whose keys have a form
            required, part = False, next(iter(part["patternProperties"].values()))
        else:
            return None
    return required, part


def minimal(model: type[BaseModel], loc: Loc) -> Any:
    """Return a minimal valid value for a location; None if it can be left out."""
    found = _walk(model, loc)
    if found is None or not found[0]:
        return None
    return _minimal(model, found[1])


_PLAIN = {"string": "x", "integer": 1, "number": 1.0, "boolean": False}


def _minimal(model: type[BaseModel], raw: Any) -> Any:
    part = _resolved(model, raw)
    examples = raw.get("examples") or part.get("examples") or part.get("enum")
    if examples:
        return examples[0]
    if part.get("type") == "object":
        return {key: _minimal(model, part["properties"][key]) for key in part.get("required", ())}
    return part.get("const", [] if part.get("type") == "array" else _PLAIN.get(part.get("type")))


def example(model: type[BaseModel], loc: Loc) -> Any:
    """Return the first example that the type at a location gives, or None."""
    found = _walk(model, loc)
    examples = _resolved(model, found[1]).get("examples") if found else None
    return examples[0] if examples else None


def keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that the mapping at a location may have, over all branches of a choice."""
    found = _walk(model, loc)
    if found is None:
        return []
    branches = found[1].get("anyOf", [found[1]])
    return [key for branch in branches for key in _resolved(model, branch).get("properties", {})]
