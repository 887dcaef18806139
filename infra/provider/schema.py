"""The package's Pulumi schema, made from the resource types' models."""

from __future__ import annotations

import inspect
import json
import typing
from enum import StrEnum
from typing import Any

from infra.provider.inputs import is_model, item_kind, properties_of
from infra.provider.resources import registry
from infra.provider.settings import Settings

if typing.TYPE_CHECKING:
    from infra.provider.inputs import InputModel

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def package_schema(version: str) -> str:
    """The schema as JSON text."""
    types: dict[str, Any] = {}
    resources = {}
    for token, kind in registry().items():
        inputs = _object(kind.inputs, types)
        outputs = {name: {**item.schema, "description": item.doc} for name, item in kind.outputs.items()}
        resources[token] = {
            "description": kind.doc,
            "inputProperties": inputs["properties"],
            "requiredInputs": inputs["required"],
            "properties": {**inputs["properties"], **outputs},
            "required": [*inputs["required"], *outputs],
        }
    config = _object(Settings, types)
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


def module_of(model: type[InputModel]) -> str:
    """Return the module of the package that a model belongs to: the Python module that declares it."""
    return model.__module__.rpartition(".")[2].removesuffix("_inputs")


def args_name(model: type[InputModel]) -> str:
    """Return the name of a model's counterpart in a program: `RackArgs` of `RackInputs`."""
    return f"{model.__name__.removesuffix('Inputs')}Args"


def _object(model: type[InputModel], types: dict[str, Any]) -> dict[str, Any]:
    properties, required = {}, []
    for name, declared in properties_of(model).items():
        entry = {**_schema(declared.kind, types), "description": declared.doc}
        if declared.replaces:
            entry["willReplaceOnChanges"] = True
        if declared.required:
            required.append(name)
        elif isinstance(declared.default, (bool, int, float, str)):
            entry["default"] = declared.default
        properties[name] = entry
    return {"type": "object", "properties": properties, "required": required}


def _schema(kind: Any, types: dict[str, Any]) -> dict[str, Any]:
    if is_model(kind):
        token = f"gigasite:{module_of(kind)}:{args_name(kind)}"
        if token not in types:
            types[token] = {}
            types[token] = {**_object(kind, types), "description": inspect.getdoc(kind) or ""}
        return {"$ref": f"#/types/{token}"}
    inner = item_kind(kind)
    if inner is not None:
        if typing.get_origin(kind) is dict:
            return {"type": "object", "additionalProperties": _schema(inner, types)}
        return {"type": "array", "items": _schema(inner, types)}
    if issubclass(kind, StrEnum):
        token = f"gigasite:index:{kind.__name__}"
        types[token] = {
            "type": "string",
            "enum": [{"value": str(item)} for item in kind],
            "description": inspect.getdoc(kind) or "",
        }
        return {"$ref": f"#/types/{token}"}
    return {"type": _SCALARS[kind]}
