"""The package's Pulumi schema, made from the resource types' declarations."""

from __future__ import annotations

import dataclasses
import inspect
import json
import typing
from enum import StrEnum
from typing import Any

from infra.provider.resources import registry
from infra.provider.settings import Settings
from infra.provider.shape import fields_of, optional

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def package_schema(version: str) -> str:
    """The schema as JSON text."""
    types: dict[str, Any] = {}
    resources = {}
    for token, kind in registry().items():
        module = token.split(":")[1]
        inputs = _object(kind.inputs, module, types)
        outputs = {name: {**item.schema, "description": item.doc} for name, item in kind.outputs.items()}
        resources[token] = {
            "description": kind.doc,
            "inputProperties": inputs["properties"],
            "requiredInputs": inputs["required"],
            "properties": {**inputs["properties"], **outputs},
            "required": [*inputs["required"], *outputs],
        }
    config = _object(Settings, "index", types)
    package = {
        "name": "gigasite",
        "version": version,
        "description": "Machines, racks and what feeds them, from the declaration of an AI site.",
        "license": "Apache-2.0",
        "config": {"variables": config["properties"], "required": config["required"]},
        "provider": {"inputProperties": config["properties"], "requiredInputs": config["required"]},
        "types": types,
        "resources": resources,
    }
    return json.dumps(package, indent=2, sort_keys=True)


def _object(shape: type, module: str, types: dict[str, Any]) -> dict[str, Any]:
    properties, required = {}, []
    for name, (kind, rule, default) in fields_of(shape).items():
        inner, may_be_none = optional(kind)
        entry = {**_schema(inner, module, types), "description": rule.doc}
        if rule.replaces:
            entry["willReplaceOnChanges"] = True
        if default is dataclasses.MISSING and not may_be_none:
            required.append(name)
        elif isinstance(default, (bool, int, float, str)):
            entry["default"] = default
        properties[name] = entry
    return {"type": "object", "properties": properties, "required": required}


def _schema(kind: Any, module: str, types: dict[str, Any]) -> dict[str, Any]:
    if dataclasses.is_dataclass(kind):
        named = typing.cast("type", kind)
        token = f"gigasite:{module}:{named.__name__.removesuffix('Inputs')}Args"
        if token not in types:
            types[token] = {}
            types[token] = {**_object(named, module, types), "description": inspect.getdoc(named) or ""}
        return {"$ref": f"#/types/{token}"}
    origin = typing.get_origin(kind)
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(typing.get_args(kind)[1], module, types)}
    if origin is tuple:
        return {"type": "array", "items": _schema(typing.get_args(kind)[0], module, types)}
    if issubclass(kind, StrEnum):
        token = f"gigasite:index:{kind.__name__}"
        types[token] = {
            "type": "string",
            "enum": [{"value": str(item)} for item in kind],
            "description": inspect.getdoc(kind) or "",
        }
        return {"$ref": f"#/types/{token}"}
    return {"type": _SCALARS[kind]}
