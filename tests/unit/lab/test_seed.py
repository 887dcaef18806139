from __future__ import annotations

import io
import tarfile

import pytest

from infra.lab.image import _OVERLAY
from infra.lab.seed import SIZE, seed
from infra.lab.spec import Cable

pytestmark = pytest.mark.unit

NICS = (Cable("data0", "52:54:00:00:00:10", 1, 2), Cable("swp7", "52:54:00:00:00:11", 3, 4))
FILES = {"authorized_keys": b"key\n", "ssh_host_ed25519_key": b"secret\n"}


def made(kind: str = "machine", files: dict[str, bytes] = FILES) -> bytes:
    return seed(kind=kind, hostname="m1", machine_id="0" * 32, nics=NICS, files=files)


def read(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read().decode() for member in archive}


def test_a_seed_has_the_size_that_the_guest_reads_at_once():
    assert len(made()) == SIZE
    assert "bs=64k count=1" in (_OVERLAY / "usr/local/lib/gigasite/seed").read_text()


def test_a_seed_names_interfaces_by_slot():
    lines = read(made())["nics"].splitlines()
    assert lines[1:] == ["08 data0 52:54:00:00:00:10", "09 swp7 52:54:00:00:00:11"]
    assert lines[0].startswith("03 mgmt0 ")


def test_a_waiting_copy_tells_a_machine_from_its_template_by_the_first_bytes():
    assert made().startswith(b"authorized_keys")
    assert made(files={**FILES, "gpus": b"driver 1\n"}).startswith(b"authorized_keys")
    assert not made("template", {}).startswith(b"authorized_keys")
    assert "in authorized_keys*)" in (_OVERLAY / "usr/local/lib/gigasite/seed").read_text()


def test_the_same_inputs_make_the_same_seed():
    assert made() == made()


def test_files_in_a_seed_are_private():
    with tarfile.open(fileobj=io.BytesIO(made())) as archive:
        assert {member.mode for member in archive} == {0o600}


def test_a_seed_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="larger"):
        made(files={"big": b"x" * SIZE})
