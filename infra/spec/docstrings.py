"""The docstrings below a model's fields, read from source only when a schema or a reference is made.

Pydantic's `use_attribute_docstrings` reads them when a class is made: 0.1 s of each run's start.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel


def read_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return field → docstring of a model, those of its bases included; fields without one are left out."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        found |= _read_module(cls.__module__).get(cls.__qualname__, {}) if _has_fields(cls) else {}
    return found


def describe_properties(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the docstring of each field into a model's JSON Schema; for `json_schema_extra`."""
    properties = schema.get("properties", {})
    for name, docstring in read_docstrings(model).items():
        if name in properties:
            properties[name]["description"] = docstring


def _has_fields(cls: type) -> bool:
    return bool(getattr(cls, "model_fields", None))


@cache
def _read_module(name: str) -> dict[str, dict[str, str]]:
    """Return class → field → docstring of a module, from its source."""
    return dict(_read_classes(ast.parse(inspect.getsource(sys.modules[name])).body))


def _read_classes(body: list[ast.stmt]) -> Iterator[tuple[str, dict[str, str]]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name, dict(_read_fields(node.body))


def _read_fields(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(value=ast.Constant(value=str(docstring))):
                    yield field.target.id, inspect.cleandoc(docstring)
