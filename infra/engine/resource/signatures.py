"""Special values as the objects that stand for them on the wire and in the checkpoint, by their signature."""

from __future__ import annotations

from typing import Any, Final

from infra.engine.resource.values import (
    ARCHIVE,
    ASSET,
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
    """The value that an object with a signature stands for; as it is, if the signature is not known."""
    kind = plain.pop(SIGNATURE)
    if kind == SECRET:
        return Secret(plain.get("value"))
    if kind == ASSET:
        return Asset(plain.get("hash") or "", plain.get("text"), plain.get("path"), plain.get("uri"))
    if kind == ARCHIVE:
        return Archive(plain.get("hash") or "", plain.get("assets"), plain.get("path"), plain.get("uri"))
    if kind == REFERENCE:
        return ResourceReference(plain["urn"], _reference_id(plain), plain.get("packageVersion") or "")
    if kind == OUTPUT:
        known = "value" in plain
        dependencies = tuple(plain.get("dependencies") or ())
        return OutputValue(plain.get("value") if known else UNKNOWN, bool(plain.get("secret")), dependencies)
    plain[SIGNATURE] = kind
    return plain


def _reference_id(plain: dict[str, Any]) -> Value:
    if "id" not in plain:
        return None
    return UNKNOWN if plain["id"] == "" else plain["id"]


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
    """A double as the checkpoint shows it: no fraction if integral (so does Go's JSON below 1e21)."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value
