"""Property values in the checkpoint: JSON, with secrets encrypted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from infra.engine.errors import EngineError
from infra.engine.resource import json_text
from infra.engine.resource.signatures import (
    UNKNOWN_TEXTS,
    asset_fields,
    byte_string_fields,
    float_fields,
    float_of,
    number,
    reference_fields,
    special,
)
from infra.engine.resource.values import (
    FLOAT,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    OutputValue,
    Properties,
    ResourceReference,
    Secret,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.engine.resource.values import Crypter


def to_json(properties: Mapping[str, Value], crypter: Crypter) -> dict[str, Any]:
    """A property map as it stands in a checkpoint; a ciphertext that is known is kept."""
    return {key: value_to_json(value, crypter) for key, value in properties.items()}


def value_to_json(value: Value, crypter: Crypter | None) -> Any:  # noqa: C901, PLR0911 (one per type)
    """One value in checkpoint form; without a crypter, secrets inside a secret lose their mark."""
    if isinstance(value, float):
        return value if math.isfinite(value) else float_fields(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {key: value_to_json(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [value_to_json(item, crypter) for item in value]
    if isinstance(value, Secret):
        return _secret_to_json(value, crypter)
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, OutputValue):
        return value_to_json(Secret(value.value) if value.secret else value.value, crypter)
    if isinstance(value, ResourceReference):
        return reference_fields(value)
    if isinstance(value, bytes):
        return byte_string_fields(value)
    fields = asset_fields(value)
    if fields.get("text") == "":
        del fields["text"]  # as the CLI leaves it out
    if "assets" in fields:
        fields["assets"] = {name: value_to_json(item, crypter) for name, item in fields["assets"].items()}
    return fields


def _secret_to_json(value: Secret, crypter: Crypter | None) -> Any:
    if crypter is None:
        return value_to_json(value.value, None)
    if value.ciphertext is None:
        value.ciphertext = crypter.encrypt(secret_text(value))
    return {SIGNATURE: SECRET, "ciphertext": value.ciphertext}


def secret_text(value: Secret) -> str:
    """The plaintext of a secret: the JSON of its value, nested secrets unwrapped."""
    return json_text.write(value_to_json(value.value, None))


def from_json(properties: Mapping[str, Any], crypter: Crypter) -> Properties:
    """A property map out of a checkpoint."""
    return {key: value_from_json(value, crypter) for key, value in properties.items()}


def value_from_json(value: Any, crypter: Crypter | None) -> Value:
    """One value out of a checkpoint."""
    if isinstance(value, dict):
        kind = value.get(SIGNATURE)
        if kind == SECRET:
            return _secret_from_json(value, crypter)
        if kind == FLOAT:
            return float_of(value)
        plain = {key: value_from_json(item, crypter) for key, item in value.items()}
        return special(plain) if SIGNATURE in plain else plain
    if isinstance(value, list):
        return [value_from_json(item, crypter) for item in value]
    if isinstance(value, str) and value in UNKNOWN_TEXTS:
        return UNKNOWN
    return number(value) if isinstance(value, float) else value


def _secret_from_json(value: dict[str, Any], crypter: Crypter | None) -> Secret:
    ciphertext = value.get("ciphertext")
    if ciphertext is None:  # `stack export --show-secrets` writes the plaintext instead
        text = value.get("plaintext")
        if not isinstance(text, str):
            raise EngineError("malformed secret: neither ciphertext nor plaintext")
        return Secret(value_from_json(json_text.parse(text), None))
    assert crypter is not None
    return Secret(value_from_json(json_text.parse(crypter.decrypt(ciphertext)), None), ciphertext)
