from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.lab.image import _OVERLAY
from infra.lab.seed import SIZE, seed
from infra.lab.spec import Cable
from infra.lab.template import DEATHS

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


# What the kernel does: a name that another interface has is refused.
RENAMES = """ip() {{
    case "$5" in
    name) if [ -e "{net}/$6" ]; then echo "RTNETLINK answers: File exists" >&2; return 2; fi
        for each in {slots}/*/virtio*/net/"$4"; do mv "$each" "${{each%/*}}/$6"; done
        mv "{net}/$4" "{net}/$6" ;;
    address) for each in {slots}/*/virtio*/net/"$4"; do echo "$6" >"$each/address"; done ;;
    esac
}}
"""


@settings(max_examples=25, deadline=None)
@given(st.permutations(["data0", "data1", "data2", "data3", "data4", "data7"]), st.integers(1, 6))
def test_each_interface_gets_its_name_whatever_a_template_called_the_others(names, count):
    """A copy of a template has data0, data1, ... until it is named: tray-03's data4 may be there already."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        slots, net, seeds = (folder / name for name in ("slots", "net", "seed"))
        for made_folder in (net, seeds):
            made_folder.mkdir()
        wanted = {}
        for place, name in enumerate(names[:count]):
            (slots / f"0000:00:{8 + place:02x}.0/virtio{place}/net/data{place}").mkdir(parents=True)
            (slots / f"0000:00:{8 + place:02x}.0/virtio{place}/net/data{place}/address").write_text("0:0\n")
            (net / f"data{place}").mkdir()
            wanted[f"{8 + place:02x}"] = (name, f"2:{place}")
        (seeds / "nics").write_text("".join(f"{slot} {name} {mac}\n" for slot, (name, mac) in wanted.items()))
        script = (_OVERLAY / "usr/local/lib/gigasite/seed").read_text().partition('case "$1" in\nboot)')[0]
        script = script.replace("/sys/bus/pci/devices", str(slots)).replace("/sys/class/net", str(net))
        script = script.replace("seed=/run/gigasite/seed", f"seed={seeds}")
        script += RENAMES.format(net=net, slots=slots) + "name_nics\n"
        done = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = {
            path.parent.parent.parent.name[8:10]: (path.name, (path / "address").read_text().strip())
            for path in slots.glob("*/virtio*/net/*")
        }
        assert found == wanted


def test_a_machine_that_cannot_be_seeded_says_so_to_whom_waits_for_it():
    script = (_OVERLAY / "usr/local/lib/gigasite/seed").read_text()
    script = script.replace("/dev/vdb", "/dev/null/none").replace("/run/gigasite", "/dev/null/no")
    done = subprocess.run(["sh", "-s", "boot"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode
    assert any(word in done.stdout for word in DEATHS)
