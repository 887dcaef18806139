"""Settings of policy packs: enforcement levels and values, from the pack itself and from a JSON file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from pulumi.runtime.proto import analyzer_pb2

from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LEVELS: Final = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
    analyzer_pb2.REMEDIATE: "remediate",
}
_NUMBERS: Final = {name: number for number, name in LEVELS.items()}


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a file.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the policy settings {path}: {error}") from error
    if not isinstance(found, dict):
        raise EngineError(f"the policy settings {path} must be a map of policies")
    return found


def configure_policies(about: Any, version: str, config: dict[str, Any]) -> Any:
    """The settings of a pack's policies: defaults, then the pack's own, then those given.

    In both of the latter, a level for `all` stands behind that of the policy itself.

    Args:
        about: what the pack says about itself.
        version: of the pack, for messages.
        config: policy name, or `all`, to an enforcement level or an object of settings.

    Raises:
        EngineError: a level or a setting is not one of the policy's, or there is no such policy.
    """
    own = {
        name: (LEVELS[one.enforcementLevel], _plain(one.properties))
        for name, one in about.initialConfig.items()
    }
    # Environments are of Pulumi Cloud; without it there is nothing to take from them.
    given = {
        name: _split_settings(name, settings) for name, settings in config.items() if name != "environments"
    }
    unknown = sorted(given.keys() - {"all"} - {policy.name for policy in about.policies})
    if unknown:
        raise EngineError(f"the policy pack {about.name} has no policy {', '.join(unknown)}")
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    wrong: list[str] = []
    for policy in about.policies:
        schema = _plain(policy.configSchema.properties)
        level = LEVELS[policy.enforcementLevel]
        settings = {key: one["default"] for key, one in schema.items() if "default" in one}
        for layer in (own, given):
            level = layer.get(policy.name, ("", {}))[0] or layer.get("all", ("", {}))[0] or level
            settings |= layer.get(policy.name, ("", {}))[1]
        rules = {"type": "object", "properties": schema, "required": list(policy.configSchema.required)}
        for key, reason in broken_rules(settings, rules):
            wrong.append(f"{policy.name}: {key}: {reason}" if key else f"{policy.name}: {reason}")
        target = request.policyConfig[policy.name]
        target.enforcementLevel = _NUMBERS[level]
        target.properties.update(settings)
    if wrong:
        head = f"validating policy config: {about.name} {version}  "
        raise EngineError("\n".join(head + one for one in sorted(wrong)))
    return request


def _plain(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message)  # type: ignore[no-untyped-call]
    return found


def _split_settings(name: str, settings: Any) -> tuple[str, dict[str, Any]]:
    """The enforcement level that settings name, and the rest of them."""
    if isinstance(settings, str):
        level, rest = settings, {}
    elif isinstance(settings, dict):
        level, rest = settings.get("enforcementLevel", ""), dict(settings)
        rest.pop("enforcementLevel", None)
    else:
        raise EngineError(f'parsing "{name}": {settings!r} is not a valid value; must be a string or object')
    if level and level not in _NUMBERS:
        text = f'parsing enforcement level for "{name}": "{level}" is not a valid enforcement level'
        raise EngineError(text, hint=f"use one of {', '.join(_NUMBERS)}")
    return level, rest


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def broken_rules(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """List the violations of a policy's schema in its settings: path and reason.

    Of JSON Schema it knows what settings are described with: type, enum, required, properties, items, and
    bounds of numbers and lengths.
    """
    names = schema.get("type")
    wanted = [names] if isinstance(names, str) else list(names or ())
    if wanted and not any(_is(value, name) for name in wanted):
        given = next(name for name in ("boolean", "integer", *_TYPES) if _is(value, name))
        yield path, f"Invalid type. Expected: {'/'.join(wanted)}, given: {given}"
        return
    if "enum" in schema and value not in schema["enum"]:
        listed = ", ".join(json.dumps(one) for one in schema["enum"])
        yield path, f"must be one of the following: {listed}"
    yield from _out_of_bounds(value, schema, path)
    yield from _inside(value, schema, path)


def _out_of_bounds(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    size = len(value) if isinstance(value, str | list) else value
    for low, high in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
        if low in schema and size < schema[low]:
            yield path, f"Must be greater than or equal to {schema[low]:g}"
        if high in schema and size > schema[high]:
            yield path, f"Must be less than or equal to {schema[high]:g}"


def _inside(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            if key not in value:
                yield path, f"{key} is required"
        for key, rules in schema.get("properties", {}).items():
            if key in value:
                yield from broken_rules(value[key], rules, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from broken_rules(item, schema.get("items", {}), f"{path}.{index}" if path else str(index))


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool) and name in ("number", "integer"):
        return False
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, (object,)))
