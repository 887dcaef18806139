"""Whatever is cut off at whatever record: what is on disk can be read with the passphrase alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.boxes.boxes import HERE
from infra.engine import Options, run
from infra.engine.backend import journal
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.checkpoint import parse_checkpoint
from infra.engine.backend.replay import replay
from infra.engine.backend.secrets import PassphraseCrypter, crypter_for
from infra.engine.resource.stack_ref import StackRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.conformance

REF = StackRef("salt", "dev")
PROGRAM = """
import pulumi
class Item(pulumi.CustomResource):
    def __init__(self, name, props, opts=None):
        super().__init__("box:index:Item", name, {"serial": None, **props}, opts)
first = Item("first", {"size": 1})
second = Item("second", {"password": pulumi.Output.secret("planted"), "from": first.serial})
pulumi.export("password", pulumi.Output.secret("planted"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "phrase")
    (tmp_path / "prog").mkdir()
    (tmp_path / "prog" / "__main__.py").write_text(PROGRAM)
    provider = {"name": "box", "path": str(HERE / "provider")}
    project = {"name": "salt", "runtime": "python", "main": "prog", "plugins": {"providers": [provider]}}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps(project))
    return tmp_path


def ciphertexts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("ciphertext"), str):
            yield value["ciphertext"]
        for item in value.values():
            yield from ciphertexts(item)
    elif isinstance(value, list):
        for item in value:
            yield from ciphertexts(item)


@pytest.mark.parametrize("salted", [False, True], ids=["unsalted", "salted"])
def test_every_prefix_of_a_journal_holds_the_salt_of_its_ciphertexts(
    folder: Path, salted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if salted:
        salt = PassphraseCrypter().salt
        (folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {salt}\n")
    backend = FileBackend(f"file://{folder}")
    backend.init(REF)
    base = backend.files(REF).read() or b""
    prefixes: list[bytes] = []
    append = journal.Journal._append

    def recorded(self: journal.Journal, record: dict[str, Any]) -> None:
        append(self, record)
        prefixes.append(self.path.read_bytes())

    monkeypatch.setattr(journal.Journal, "_append", recorded)
    result = run("up", project_dir=folder, stack="dev", options=Options(), on_event=lambda _: None)

    assert result.exit_code == 0
    checked = 0
    for content in prefixes:
        told = replay(content, base, parse_checkpoint(base, folder).deployment)
        held = {"state": told.deployment or {}, "begun": [one.resource for one in told.begun]}
        for ciphertext in ciphertexts(held):
            crypter = crypter_for((told.deployment or {}).get("secrets_providers"))
            assert not crypter.is_new, "a ciphertext without its salt"
            assert crypter.decrypt(ciphertext) == '"planted"'
            checked += 1
    assert checked > 2
