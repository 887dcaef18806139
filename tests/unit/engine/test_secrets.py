"""The passphrase provider: its format, what it refuses, and that it asks for nothing too early."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.engine import EngineError
from infra.engine.backend.secrets import NoSecrets, PassphraseCrypter, crypter_for, passphrase_from

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

# Made outside this engine from the format's description, so that a mistake in both directions shows.
PASSPHRASE = "correct horse battery staple"
_SALT = bytes(range(8))
_KEY = hashlib.pbkdf2_hmac("sha256", PASSPHRASE.encode(), _SALT, 1_000_000, 32)


def sealed(text: str, nonce: bytes) -> str:
    body = AESGCM(_KEY).encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(body).decode()}"


SALT = f"v1:{base64.b64encode(_SALT).decode()}:{sealed('pulumi', b'0' * 12)}"


def test_reads_what_another_implementation_wrote() -> None:
    crypter = PassphraseCrypter(SALT, lambda: PASSPHRASE)
    assert crypter.decrypt(sealed('{"a":"é"}', b"n" * 12)) == '{"a":"é"}'


def test_what_it_writes_another_implementation_reads() -> None:
    version, nonce, body = PassphraseCrypter(SALT, lambda: PASSPHRASE).encrypt('"x"').split(":")
    assert version == "v1"
    assert AESGCM(_KEY).decrypt(base64.b64decode(nonce), base64.b64decode(body), None) == b'"x"'


def test_equal_plaintexts_have_different_ciphertexts() -> None:
    crypter = PassphraseCrypter(SALT, lambda: PASSPHRASE)
    assert crypter.encrypt('"x"') != crypter.encrypt('"x"')


def test_a_new_salt_proves_its_own_passphrase() -> None:
    new = PassphraseCrypter(passphrase=lambda: PASSPHRASE)
    assert new.is_new
    again = PassphraseCrypter(new.salt, lambda: PASSPHRASE)
    again.check()
    assert again.decrypt(new.encrypt('"x"')) == '"x"'
    assert new.state == {"type": "passphrase", "state": {"salt": new.salt}}


def test_a_wrong_passphrase_is_said_to_be_wrong() -> None:
    with pytest.raises(EngineError, match="the passphrase is wrong, set PULUMI_CONFIG_PASSPHRASE"):
        PassphraseCrypter(SALT, lambda: "wrong").decrypt(sealed('"x"', b"n" * 12))


def test_nothing_is_asked_for_before_it_is_needed() -> None:
    def asked() -> str:
        raise AssertionError("the passphrase was asked for")

    crypter = PassphraseCrypter(SALT, asked)
    assert crypter.state == {"type": "passphrase", "state": {"salt": SALT}}
    assert not crypter.is_new


@pytest.mark.parametrize("salt", ["v1:xx", "v2:AAAA:v1:AAAA:AAAA", "v1:!!:v1:AAAA:AAAA"])
def test_a_damaged_salt_is_said_to_be_damaged(salt: str) -> None:
    with pytest.raises(EngineError, match=r"damaged"):
        PassphraseCrypter(salt, lambda: PASSPHRASE).check()


def test_a_damaged_secret_is_told_from_a_wrong_passphrase() -> None:
    body = sealed('"x"', b"n" * 12)
    with pytest.raises(EngineError, match="although the passphrase is right"):
        PassphraseCrypter(SALT, lambda: PASSPHRASE).decrypt(body[:-4] + "AAA=")


def test_the_environment_gives_the_passphrase_as_the_cli_finds_it(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("  from the file\n")
    variables = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}
    assert passphrase_from(variables) == "from the file"
    assert passphrase_from(variables | {"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    with pytest.raises(EngineError, match="which is not there"):
        passphrase_from({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")})
    with pytest.raises(EngineError, match="set PULUMI_CONFIG_PASSPHRASE or"):
        passphrase_from({})


def test_the_salt_of_the_state_comes_before_that_of_the_settings() -> None:
    provider = {"type": "passphrase", "state": {"salt": "of the state"}}
    assert crypter_for(provider, "of the settings").salt == "of the state"
    assert crypter_for(None, "of the settings").salt == "of the settings"
    with pytest.raises(EngineError, match="--engine pulumi"):
        crypter_for({"type": "cloud", "state": {}})


def test_where_no_secret_is_needed_none_can_be_made() -> None:
    assert NoSecrets().decrypt("v1:x:y") == '"[secret]"'
    with pytest.raises(EngineError):
        NoSecrets().encrypt('"x"')
