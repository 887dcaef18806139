"""The passphrase secrets provider: AES-256-GCM under a key that PBKDF2 draws from a passphrase.

A stack's salt is `v1:SALT:v1:NONCE:CIPHERTEXT`, all in base64, where the ciphertext is that of "pulumi": it
tells a right passphrase from a wrong one. A secret is `v1:NONCE:CIPHERTEXT`, the tag at the ciphertext's end.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.backend import files
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS: Final = 1_000_000
_PROOF: Final = "pulumi"
TYPE: Final = "passphrase"

VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE"
FILE_VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"


_typed: list[str] = []
"""The passphrase that a person typed for this process; in no environment, which children would see."""


def use_passphrase(passphrase: str) -> None:
    """Have `passphrase_from` know what a person typed, where the environment says nothing."""
    _typed[:] = [passphrase]


def is_given() -> bool:
    """Whether the environment gives a passphrase, or a person has typed one."""
    return VARIABLE in os.environ or bool(os.environ.get(FILE_VARIABLE)) or bool(_typed)


def passphrase_from(environment: Mapping[str, str] | None = None) -> str:
    """The passphrase that the environment gives, as the CLI finds it, or that a person typed.

    Raises:
        EngineError: none is set, or its file cannot be read.
    """
    environment = os.environ if environment is None else environment
    if VARIABLE in environment:
        return environment[VARIABLE]
    if name := environment.get(FILE_VARIABLE):
        content = files.read(Path(name).absolute())
        if content is None:
            raise EngineError(f"{FILE_VARIABLE} names {name}, which is not there")
        return content.decode().strip()
    if _typed:
        return _typed[0]
    raise EngineError(
        "a passphrase is needed to read or write secrets", hint=f"set {VARIABLE} or {FILE_VARIABLE}"
    )


@functools.lru_cache(maxsize=64)
def _key(passphrase: str, salt: bytes) -> bytes:
    # The slow part (0.2-0.5 s), by design of the format; once per passphrase and salt in a process.
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)


def _seal(key: bytes, plaintext: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (0.1 s, often not needed)

    nonce = secrets.token_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), None)
    return f"v1:{_to_text(nonce)}:{_to_text(sealed)}"


def _open(key: bytes, sealed: str) -> str | None:
    """The plaintext; None if the key is not the right one.

    Raises:
        EngineError: it is no ciphertext of this provider.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (0.1 s, often not needed)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    version, _, rest = sealed.partition(":")
    nonce, separator, body = rest.partition(":")
    if version != "v1" or not separator:
        raise EngineError("a secret is not of the form v1:NONCE:CIPHERTEXT: it was made by another provider")
    try:
        return AESGCM(key).decrypt(_to_bytes(nonce), _to_bytes(body), None).decode()
    except (InvalidTag, ValueError):
        return None


def _to_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _to_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EngineError("a secret or its salt is damaged: it is not base64") from error


class PassphraseCrypter:
    """Encrypts and decrypts a stack's secrets; asks for the passphrase and derives the key when first needed.

    Args:
        salt: the stack's salt, from its state or its settings; empty to make a new one when it is needed.
        passphrase: gives the passphrase; by default from the environment.

    Attributes:
        on_new_salt: called with `state` when a salt is made, before the first ciphertext under it: whoever
            writes ciphertexts as they come writes the salt first.
    """

    def __init__(self, salt: str = "", passphrase: Callable[[], str] = passphrase_from) -> None:
        self._salt, self._passphrase = salt, passphrase
        self.on_new_salt: Callable[[dict[str, Any]], None] | None = None
        self._derived: bytes | None = None
        self._lock = threading.RLock()

    @property
    def is_new(self) -> bool:
        """Whether the stack has no salt yet."""
        return not self._salt

    @property
    def salt(self) -> str:
        """The stack's salt, made now if there is none."""
        if not self._salt:
            self._unlock()
        return self._salt

    @property
    def state(self) -> dict[str, Any]:
        """Return the `secrets_providers` entry of a checkpoint."""
        return {"type": TYPE, "state": {"salt": self.salt}}

    def encrypt(self, plaintext: str) -> str:
        """Seal one secret's JSON text.

        Raises:
            EngineError: no passphrase, or the wrong one.
        """
        return _seal(self._unlock(), plaintext)

    def decrypt(self, ciphertext: str) -> str:
        """The JSON text of a secret.

        Raises:
            EngineError: no passphrase, the wrong one, or a damaged ciphertext.
        """
        plaintext = _open(self._unlock(), ciphertext)
        if plaintext is None:
            raise EngineError(
                "a secret cannot be decrypted although the passphrase is right",
                hint="its ciphertext is damaged, or was copied from another stack: set it again",
            )
        return plaintext

    def check(self) -> None:
        """Check that the passphrase is the right one.

        Raises:
            EngineError: it is not.
        """
        self._unlock()

    async def unlock(self) -> None:
        """Derive the key in a thread, which takes some tenths of a second, and note a new salt on the loop.

        Raises:
            EngineError: no passphrase, or the wrong one.
        """
        if self._derived is not None:
            return
        if self._salt:
            await asyncio.to_thread(self._unlock)
            return
        salt = secrets.token_bytes(8)
        await asyncio.to_thread(_key, self._passphrase(), salt)
        with self._lock:
            if self._derived is None:
                self._derived = self._fresh(salt)

    def _unlock(self) -> bytes:
        with self._lock:
            if self._derived is None:
                self._derived = self._verified() if self._salt else self._fresh()
            return self._derived

    def _fresh(self, salt: bytes = b"") -> bytes:
        salt = salt or secrets.token_bytes(8)
        key = _key(self._passphrase(), salt)
        self._salt = f"v1:{_to_text(salt)}:{_seal(key, _PROOF)}"
        if self.on_new_salt is not None:
            self.on_new_salt(self.state)
        return key

    def _verified(self) -> bytes:
        version, _, rest = self._salt.partition(":")
        salt, separator, proof = rest.partition(":")
        if version != "v1" or not separator:
            raise EngineError("the stack's encryption salt is damaged: it is not of the form v1:SALT:PROOF")
        key = _key(self._passphrase(), _to_bytes(salt))
        if _open(key, proof) != _PROOF:
            raise EngineError(
                "the passphrase is wrong", hint=f"set {VARIABLE} or {FILE_VARIABLE} to the stack's own"
            )
        return key


class NoSecrets:
    """Stands where a crypter is asked for and no secret may come: keeps ciphertexts, reveals nothing."""

    def encrypt(self, plaintext: str) -> str:  # noqa: ARG002 (the protocol's signature)
        """Refuse.

        Raises:
            EngineError: always.
        """
        raise EngineError("this operation needs no secrets, yet one was to be encrypted")

    def decrypt(self, ciphertext: str) -> str:  # noqa: ARG002 (the protocol's signature)
        """The JSON of the mark that the CLI shows instead of a secret."""
        return '"[secret]"'


def crypter_for(
    provider: Mapping[str, Any] | None,
    settings_salt: str = "",
    passphrase: Callable[[], str] = passphrase_from,
) -> PassphraseCrypter:
    """The crypter of a stack: under the salt of its state, else that of its settings file, else a new one.

    Args:
        provider: `secrets_providers` of the checkpoint.
        settings_salt: `encryptionsalt` of Pulumi.STACK.yaml.
        passphrase: gives the passphrase.

    Raises:
        EngineError: the state is under another provider (a key service of a cloud).
    """
    if provider and provider.get("type"):
        if provider["type"] != TYPE:
            raise EngineError(
                f"the stack's secrets are under the provider {provider['type']!r}; this engine knows only "
                f"{TYPE!r}",
                hint="use the Pulumi CLI for this stack (`--engine pulumi`)",
            )
        state = provider.get("state") or {}
        return PassphraseCrypter(state.get("salt", ""), passphrase)
    return PassphraseCrypter(settings_salt, passphrase)
