"""Property values: what plain Python cannot say (secret, unknown, asset, ...), and questions about them.

A property value is None, a bool, an int, a float, a str, bytes (a string that is not UTF-8), a list, a dict
with string keys, or one of the classes below. On the wire (protobuf Struct) and in the checkpoint (JSON) the
special ones are objects marked by a signature key, with the signatures of Pulumi's property value protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a type signature, no password)
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
BYTE_STRING: Final = "803fd3297a5875dc03ca845dda5d2a98"
FLOAT: Final = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"
"""Of a NaN or an infinity in JSON, which has none; the wire has them."""

UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value = Any
Properties = dict[str, Value]


class Crypter(Protocol):
    """Encrypts the JSON text of a secret, and decrypts it."""

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
