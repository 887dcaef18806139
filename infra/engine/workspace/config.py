"""A stack's configuration: values by key, some secret, as the program and default providers get them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.engine.errors import EngineError
from infra.engine.resource.values import Crypter, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.engine.resource.values import Properties


def is_sealed(raw: Any) -> bool:
    """Whether it is an encrypted value of a settings file: `{secure: CIPHERTEXT}`."""
    return isinstance(raw, dict) and set(raw) == {"secure"} and isinstance(raw["secure"], str)


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One value.

    Attributes:
        raw: what the settings file says, where `{secure: CIPHERTEXT}` is a secret, at any depth; a `Secret`
            is one given in the clear.
    """

    raw: Any

    @property
    def secret(self) -> bool:
        """Whether it is a secret, or holds one."""
        return _has_secret(self.raw)

    def plain(self, crypter: Crypter) -> Any:
        """The value with its secrets opened."""
        return _open_secrets(self.raw, crypter)

    def text(self, crypter: Crypter) -> str:
        """The value as the program gets it: a string as it is, all else as JSON."""
        return text_of(self.plain(crypter))

    def masked(self) -> Any:
        """The value as it may be shown."""
        return "[secret]" if self.secret else self.raw


def text_of(plain: Any) -> str:
    """A plain value as configuration text."""
    if isinstance(plain, str):
        return plain
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < 1e21:
        plain = int(plain)
    return json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _has_secret(raw: Any) -> bool:
    if is_sealed(raw) or isinstance(raw, Secret):
        return True
    if isinstance(raw, dict):
        return any(map(_has_secret, raw.values()))
    return isinstance(raw, list) and any(map(_has_secret, raw))


def _open_secrets(raw: Any, crypter: Crypter) -> Any:
    if isinstance(raw, Secret):
        return _open_secrets(raw.value, crypter)
    if is_sealed(raw):
        return crypter.decrypt(raw["secure"])
    if isinstance(raw, dict):
        return {key: _open_secrets(item, crypter) for key, item in raw.items()}
    return [_open_secrets(item, crypter) for item in raw] if isinstance(raw, list) else raw


def _secrets_in(raw: Any, crypter: Crypter) -> Iterator[str]:
    if is_sealed(raw):
        yield crypter.decrypt(raw["secure"])
    elif isinstance(raw, Secret):
        yield text_of(_open_secrets(raw, crypter))
    elif isinstance(raw, dict | list):
        for item in raw.values() if isinstance(raw, dict) else raw:
            yield from _secrets_in(item, crypter)


def parse_key(text: str, project: str) -> str:
    """A key with its namespace: `name` is the project's own, `ns:config:name` an old way to say `ns:name`.

    Raises:
        EngineError: it is no key.
    """
    parts = text.split(":")
    if len(parts) == 1 and text:
        return f"{project}:{text}"
    if len(parts) == 3 and parts[1] == "config":
        del parts[1]
    if len(parts) != 2 or not all(parts):
        raise EngineError(f"{text!r} is not a configuration key", hint="write NAME or NAMESPACE:NAME")
    return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All values of a stack, by `namespace:name`, the project's defaults among them."""

    values: Mapping[str, ConfigValue] = field(default_factory=dict)

    def texts(self, crypter: Crypter) -> dict[str, str]:
        """Return the program's configuration: key to text, secrets in the clear."""
        return {key: value.text(crypter) for key, value in self.values.items()}

    def secrets(self, crypter: Crypter) -> set[str]:
        """All secret texts, in the clear: of an object, each one in it."""
        return {text for value in self.values.values() for text in _secrets_in(value.raw, crypter)}

    @property
    def secret_keys(self) -> list[str]:
        """The keys of secret values."""
        return [key for key, value in self.values.items() if value.secret]

    def package(self, package: str, crypter: Crypter) -> Properties:
        """Return a package's default provider configuration; for dynamic providers, of all packages."""
        found: Properties = {}
        for key, value in self.values.items():
            namespace, _, name = key.partition(":")
            if package in (namespace, _DYNAMIC):
                text: Any = value.text(crypter)
                found[key if package == _DYNAMIC else name] = Secret(text) if value.secret else text
        return found

    def shown(self) -> dict[str, str]:
        """For people: secrets masked."""
        return {key: text_of(value.masked()) for key, value in self.values.items()}

    def stored(self) -> dict[str, Any]:
        """As a settings file says it, secrets sealed; without those that were given in the clear."""
        return {key: value.raw for key, value in self.values.items() if not _in_the_clear(value.raw)}


def _in_the_clear(raw: Any) -> bool:
    if isinstance(raw, dict):
        return any(map(_in_the_clear, raw.values()))
    return isinstance(raw, Secret) or (isinstance(raw, list) and any(map(_in_the_clear, raw)))


_DYNAMIC = "pulumi-python"  # dynamic providers run the program's own code: they get the whole configuration
