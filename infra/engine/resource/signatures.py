"""Special values as the objects that stand for them on the wire and in the checkpoint, by their signature."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any, Final

from infra.engine.errors import EngineError
from infra.engine.resource.values import (
    ARCHIVE,
    ASSET,
    BYTE_STRING,
    FLOAT,
    OUTPUT,
    REFERENCE,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    Archive,
    Asset,
    OutputValue,
    ResourceReference,
    Secret,
    Value,
)

_EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing

# One sentinel per type that the protocol knows; the engine sends the one for strings for all of them.
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


def special(plain: dict[str, Any]) -> Value:
    """The value that an object with a signature stands for.

    Raises:
        EngineError: the signature is not known, or the object is not what it says.
    """
    kind = plain.pop(SIGNATURE)
    if kind == SECRET:
        if "value" not in plain:
            raise EngineError("malformed secret: missing value")
        return Secret(plain["value"])
    if kind == ASSET:
        return _asset(plain)
    if kind == ARCHIVE:
        return _archive(plain)
    if kind == REFERENCE:
        if not isinstance(plain.get("urn"), str):
            raise EngineError("malformed resource reference: missing urn")
        version = _text(plain, "packageVersion", "resource reference") or ""
        return ResourceReference(plain["urn"], _reference_id(plain), version)
    if kind == BYTE_STRING:
        return _byte_string(plain)
    if kind == OUTPUT:
        known = "value" in plain
        dependencies = tuple(plain.get("dependencies") or ())
        return OutputValue(plain.get("value") if known else UNKNOWN, bool(plain.get("secret")), dependencies)
    raise EngineError(f"unrecognized signature {kind!r} in property map")


def _text(plain: dict[str, Any], key: str, what: str) -> str | None:
    text = plain.get(key)
    if text is not None and not isinstance(text, str):
        raise EngineError(f"unexpected {what} {key} of type {type(text).__name__}")
    return text


def _asset(plain: dict[str, Any]) -> Asset:
    hash_, text, path, uri = (_text(plain, key, "asset") for key in ("hash", "text", "path", "uri"))
    if text is None and not path and not uri and hash_ in (None, "", _EMPTY):
        text = ""  # which the checkpoint leaves out
    return Asset(hash_ or "", text, path, uri)


def _archive(plain: dict[str, Any]) -> Archive:
    hash_, path, uri = (_text(plain, key, "archive") for key in ("hash", "path", "uri"))
    inside = plain.get("assets")
    if inside is not None and not isinstance(inside, dict):
        raise EngineError(f"unexpected archive contents of type {type(inside).__name__}")
    for name, item in (inside or {}).items():
        if not isinstance(item, Asset | Archive):
            raise EngineError(f"archive member {name!r} is not an asset or archive")
    return Archive(hash_ or "", inside, path, uri)


def _byte_string(plain: dict[str, Any]) -> str | bytes:
    try:
        raw = base64.b64decode(plain["value"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise EngineError(f"malformed byte string: {error}") from error
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def byte_string_fields(value: bytes) -> dict[str, Any]:
    """The object for a string that is not UTF-8."""
    return {SIGNATURE: BYTE_STRING, "value": base64.b64encode(value).decode()}


def float_fields(value: float) -> dict[str, Any]:
    """The object for a number that JSON lacks: its 64 bits in hexadecimal."""
    return {SIGNATURE: FLOAT, "value": struct.pack(">d", value).hex()}


def float_of(fields: dict[str, Any]) -> int | float:
    """The number of such an object.

    Raises:
        EngineError: it is not one.
    """
    try:
        bits = int(fields["value"], 16)
        return number(struct.unpack(">d", bits.to_bytes(8, "big"))[0])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise EngineError(f"malformed float value: {error}") from error


def _reference_id(plain: dict[str, Any]) -> Value:
    id_ = plain.get("id")
    while isinstance(id_, OutputValue):
        id_ = id_.value
    if isinstance(id_, dict):  # the CLI wrote so for a while: {"V": ID}, a map if it is unknown
        id_ = "" if isinstance(id_.get("V"), dict) else id_.get("V")
    if id_ is not None and id_ is not UNKNOWN and not isinstance(id_, str):
        raise EngineError("malformed resource reference: id must be a string")
    return UNKNOWN if id_ == "" else id_


def reference_fields(value: ResourceReference) -> dict[str, Any]:
    """The object for a reference."""
    fields: dict[str, Any] = {SIGNATURE: REFERENCE, "urn": value.urn, "packageVersion": value.package_version}
    if value.id is not None:
        fields["id"] = "" if value.id is UNKNOWN else value.id
    return fields


def asset_fields(value: Asset | Archive) -> dict[str, Any]:
    """The object for an asset or an archive."""
    fields: dict[str, Any] = {SIGNATURE: ASSET if isinstance(value, Asset) else ARCHIVE}
    if value.hash:
        fields["hash"] = value.hash
    parts = {"path": value.path, "uri": value.uri}
    if isinstance(value, Asset):
        parts["text"] = value.text
    else:
        parts["assets"] = value.assets  # type: ignore[assignment]
    return fields | {key: part for key, part in parts.items() if part is not None}


def number(value: float) -> int | float:
    """A double as the checkpoint shows it: no fraction if integral (as Go's JSON below 1e21), but of -0.0."""
    if value.is_integer() and abs(value) < 1e21 and (value or math.copysign(1, value) > 0):
        return int(value)
    return value
