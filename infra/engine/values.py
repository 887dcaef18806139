"""Property values: what plain Python cannot say (secret, unknown, asset, ...), and their two encodings.

A property value is None, a bool, an int, a float, a str, a list, a dict with string keys, or one of the
classes below. On the wire (protobuf Struct) and in the checkpoint (JSON) the special ones are objects
marked by a signature key; the signatures are those of Pulumi's property value protocol.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from google.protobuf.struct_pb2 import NULL_VALUE, Struct  # type: ignore[attr-defined]
from google.protobuf.struct_pb2 import Value as WireValue  # type: ignore[attr-defined]

from infra.engine import urn as urns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a type signature, no password)
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One sentinel per type that the protocol knows; the engine sends the one for strings for all of them.
_UNKNOWN_TEXTS: Final = frozenset(
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

Value = Any
Properties = dict[str, Value]


class Crypter(Protocol):
    """What turns the JSON text of a secret into its ciphertext, and back."""

    def encrypt(self, plaintext: str) -> str:
        """Encrypt one secret's JSON text."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """The JSON text of a ciphertext; raises EngineError if the key is wrong."""
        ...


class Unknown:
    """A value that only the update will tell (preview)."""

    _only: Self | None = None

    def __new__(cls) -> Self:
        """There is only one."""
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(slots=True, eq=False)
class Secret:
    """A value that is encrypted at rest and masked on screen.

    Attributes:
        value: the plain value; nested secrets are allowed.
        ciphertext: the text it was read from, kept so that an unchanged secret is written back unchanged.
    """

    value: Value
    ciphertext: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Secret([secret])"


@dataclass(slots=True)
class OutputValue:
    """An output as a program sends it: its value or UNKNOWN, whether secret, and from which URNs."""

    value: Value
    secret: bool = False
    dependencies: tuple[str, ...] = ()


@dataclass(slots=True)
class Asset:
    """A text, or a file by path or URI, with the hash of its content."""

    hash: str = ""
    text: str | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(slots=True)
class Archive:
    """Assets by name, or an archive file by path or URI, with the hash of its content."""

    hash: str = ""
    assets: dict[str, Asset | Archive] | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(slots=True)
class ResourceReference:
    """A resource as a value. `id` is None where the resource has none (a component), UNKNOWN in preview."""

    urn: str
    id: Value = None
    package_version: str = ""


# ---------------------------------------------------------------- wire


def from_struct(struct: Struct) -> Properties:
    """The properties of a protobuf Struct; null properties at the top level stay (see `without_nulls`)."""
    return {key: from_wire(value) for key, value in struct.fields.items()}


def from_wire(value: WireValue) -> Value:
    """One protobuf value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWN_TEXTS else text
    if kind == "number_value":
        return number(value.number_value)
    if kind == "struct_value":
        fields = value.struct_value.fields
        plain = {key: from_wire(item) for key, item in fields.items()}
        return _special(plain) if SIGNATURE in plain else plain
    if kind == "list_value":
        return [from_wire(item) for item in value.list_value.values]
    if kind == "bool_value":
        return value.bool_value
    return None


def number(value: float) -> int | float:
    """A double as the checkpoint shows it: no fraction if integral (so does Go's JSON below 1e21)."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _special(plain: dict[str, Any]) -> Value:
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


@dataclass(frozen=True, slots=True)
class Wire:
    """How values are put on the wire for one peer; what it does not accept is sent in its plain form."""

    secrets: bool = True
    outputs: bool = False
    references: bool = True
    unknowns: bool = True
    asset_contents: bool = True
    """Without it, assets are sent by their hash alone."""

    def struct(self, properties: Mapping[str, Value]) -> Struct:
        """Encode a property map."""
        out = Struct()
        fields = out.fields
        for key, value in properties.items():
            if self.unknowns or not _is_unknown(value):
                self._put(fields[key], value)
        return out

    def value(self, value: Value) -> WireValue:
        """Encode one value."""
        out = WireValue()
        self._put(out, value)
        return out

    def _put(self, out: WireValue, value: Value) -> None:  # noqa: C901, PLR0912 (one case per type)
        if isinstance(value, str):
            out.string_value = value
        elif value is None:
            out.null_value = NULL_VALUE
        elif isinstance(value, bool):
            out.bool_value = value
        elif isinstance(value, int | float):
            out.number_value = value
        elif isinstance(value, dict):
            fields = out.struct_value.fields
            out.struct_value.SetInParent()
            for key, item in value.items():
                if self.unknowns or not _is_unknown(item):
                    self._put(fields[key], item)
        elif isinstance(value, list):
            out.list_value.SetInParent()
            add = out.list_value.values.add
            for item in value:
                if self.unknowns or not _is_unknown(item):
                    self._put(add(), item)
        elif value is UNKNOWN:
            out.string_value = UNKNOWN_TEXT
        elif isinstance(value, Secret):
            if self.secrets:
                self._put(out, {SIGNATURE: SECRET, "value": value.value})
            else:
                self._put(out, value.value)
        elif isinstance(value, OutputValue):
            self._put_output(out, value)
        elif isinstance(value, ResourceReference):
            self._put_reference(out, value)
        elif self.asset_contents:
            self._put(out, _asset_fields(value))
        else:
            self._put(out, _asset_fields(type(value)(value.hash)))

    def _put_output(self, out: WireValue, value: OutputValue) -> None:
        if not self.outputs:
            self._put(out, Secret(value.value) if value.secret else value.value)
            return
        fields: dict[str, Any] = {SIGNATURE: OUTPUT}
        if value.value is not UNKNOWN:
            fields["value"] = value.value
        if value.secret:
            fields["secret"] = True
        if value.dependencies:
            fields["dependencies"] = list(value.dependencies)
        self._put(out, fields)

    def _put_reference(self, out: WireValue, value: ResourceReference) -> None:
        if not self.references:
            self._put(out, value.urn if value.id is None else value.id)
            return
        fields = _reference_fields(value)
        if not value.package_version:
            del fields["packageVersion"]
        if value.urn.count("::") >= 3:
            fields |= {"name": urns.name_of(value.urn), "type": urns.type_of(value.urn)}
        self._put(out, fields)


def _reference_fields(value: ResourceReference) -> dict[str, Any]:
    fields: dict[str, Any] = {SIGNATURE: REFERENCE, "urn": value.urn, "packageVersion": value.package_version}
    if value.id is not None:
        fields["id"] = "" if value.id is UNKNOWN else value.id
    return fields


def _is_unknown(value: Value) -> bool:
    while isinstance(value, Secret | OutputValue):
        value = value.value
    return value is UNKNOWN


def _asset_fields(value: Asset | Archive) -> dict[str, Any]:
    fields: dict[str, Any] = {SIGNATURE: ASSET if isinstance(value, Asset) else ARCHIVE}
    if value.hash:
        fields["hash"] = value.hash
    parts = {"path": value.path, "uri": value.uri}
    if isinstance(value, Asset):
        parts["text"] = value.text
    else:
        parts["assets"] = value.assets  # type: ignore[assignment]
    return fields | {key: part for key, part in parts.items() if part is not None}


# ---------------------------------------------------------------- checkpoint


def to_json(properties: Mapping[str, Value], crypter: Crypter) -> dict[str, Any]:
    """A property map as it stands in a checkpoint; a ciphertext that is known is kept."""
    return {key: value_to_json(value, crypter) for key, value in properties.items()}


def value_to_json(value: Value, crypter: Crypter | None) -> Any:  # noqa: PLR0911 (one per type)
    """One value in checkpoint form; without a crypter, secrets inside a secret lose their mark."""
    if value is None or isinstance(value, str | bool | int | float):
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
        return _reference_fields(value)
    fields = _asset_fields(value)
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
    return json.dumps(value_to_json(value.value, None), separators=(",", ":"), ensure_ascii=False)


def from_json(properties: Mapping[str, Any], crypter: Crypter) -> Properties:
    """A property map out of a checkpoint."""
    return {key: value_from_json(value, crypter) for key, value in properties.items()}


def value_from_json(value: Any, crypter: Crypter | None) -> Value:
    """One value out of a checkpoint."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _secret_from_json(value, crypter)
        plain = {key: value_from_json(item, crypter) for key, item in value.items()}
        return _special(plain) if SIGNATURE in plain else plain
    if isinstance(value, list):
        return [value_from_json(item, crypter) for item in value]
    if isinstance(value, str) and value in _UNKNOWN_TEXTS:
        return UNKNOWN
    return number(value) if isinstance(value, float) else value


def _secret_from_json(value: dict[str, Any], crypter: Crypter | None) -> Secret:
    ciphertext = value.get("ciphertext")
    if ciphertext is None:  # `stack export --show-secrets` writes the plaintext instead
        text = value.get("plaintext")
        plain = json.loads(text) if isinstance(text, str) else value.get("value")
        return Secret(value_from_json(plain, None))
    assert crypter is not None
    return Secret(value_from_json(json.loads(crypter.decrypt(ciphertext)), None), ciphertext)


# ---------------------------------------------------------------- questions and changes


def transform(value: Value, change: Callable[[Value], Value]) -> Value:
    """Rebuild a value bottom-up: `change` sees every nested value after its own parts."""
    if isinstance(value, dict):
        return change({key: transform(item, change) for key, item in value.items()})
    if isinstance(value, list):
        return change([transform(item, change) for item in value])
    if isinstance(value, Secret):
        return change(Secret(transform(value.value, change), value.ciphertext))
    if isinstance(value, OutputValue):
        inner = transform(value.value, change)
        return change(OutputValue(inner, value.secret, value.dependencies))
    return change(value)


def contains(value: Value, test: Callable[[Value], bool]) -> bool:
    """Whether the test holds for the value or anything nested in it."""
    if test(value):
        return True
    if isinstance(value, dict):
        return any(contains(item, test) for item in value.values())
    if isinstance(value, list):
        return any(contains(item, test) for item in value)
    if isinstance(value, Secret | OutputValue):
        return contains(value.value, test)
    return False


def has_unknown(value: Value) -> bool:
    """Whether anything in the value is unknown."""
    return contains(value, lambda item: item is UNKNOWN)


def has_secret(value: Value) -> bool:
    """Whether anything in the value is secret."""
    return contains(
        value, lambda item: isinstance(item, Secret) or (isinstance(item, OutputValue) and item.secret)
    )


def unwrap(value: Value) -> Value:
    """The value without secret marks and with outputs reduced to what they hold."""
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return unwrap(value.value) if isinstance(value, Secret | OutputValue) else value


def downgrade_outputs(value: Value) -> Value:
    """Output values as unknowns, secrets or plain values: the form in which state keeps them."""
    if isinstance(value, OutputValue):
        inner = downgrade_outputs(value.value)
        return Secret(inner) if value.secret and not isinstance(inner, Secret) else inner
    if isinstance(value, dict):
        return {key: downgrade_outputs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [downgrade_outputs(item) for item in value]
    if isinstance(value, Secret):
        inner = downgrade_outputs(value.value)
        return inner if isinstance(inner, Secret) else Secret(inner, value.ciphertext)
    return value


def without_nulls(properties: Mapping[str, Value]) -> Properties:
    """Without null properties at the top level; nested nulls are values."""
    return {key: value for key, value in properties.items() if value is not None}


def equal(left: Value, right: Value) -> bool:
    """Deep equality as diffing knows it: secrets by content, assets by hash, 1 and True apart."""
    left, right = _bare(left), _bare(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Asset | Archive) and type(left) is type(right) and left.hash and right.hash:
        return bool(left.hash == right.hash)
    return bool(left == right)


def _bare(value: Value) -> Value:
    while isinstance(value, Secret | OutputValue):
        value = value.value
    return value


def keep_ciphertexts(old: Value, new: Value) -> None:
    """Give secrets in `new` the ciphertext of an equal secret in the same place of `old`."""
    if isinstance(new, Secret):
        if isinstance(old, Secret) and new.ciphertext is None and equal(old, new):
            new.ciphertext = old.ciphertext
    elif isinstance(new, dict) and isinstance(old, dict):
        for key, item in new.items():
            if key in old:
                keep_ciphertexts(old[key], item)
    elif isinstance(new, list) and isinstance(old, list):
        for before, after in zip(old, new, strict=False):
            keep_ciphertexts(before, after)


@dataclass(slots=True)
class Dependencies:
    """URNs in the order first seen."""

    urns: dict[str, None] = field(default_factory=dict)

    def add(self, urns: Iterable[str]) -> None:
        """Add those not yet there."""
        self.urns.update(dict.fromkeys(urns))


def dependencies_of(value: Value) -> list[str]:
    """The URNs that output values inside the value name, each once."""
    found = Dependencies()

    def look(item: Value) -> bool:
        if isinstance(item, OutputValue):
            found.add(item.dependencies)
        return False

    contains(value, look)
    return list(found.urns)
