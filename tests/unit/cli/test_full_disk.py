"""A disk that is full, at whichever file: one line that names the path, and what was there is kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess

import pytest

from infra import paths
from infra.cli import boundary
from infra.files import write_whole
from infra.rollout import applied, cordon
from tests.unit.cli.test_garbage_state import LINKED, REAL, run

pytestmark = pytest.mark.unit


@pytest.fixture
def tiny(tmp_path):
    """Mounts a file system of some KiB over a folder."""
    mounted = []

    def mount(folder, kib):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=True)
        mounted.append(folder)
        return folder

    if os.geteuid():
        pytest.skip("only root mounts a small file system")
    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", folder], check=True)  # a provider may hold a file yet


def fill(folder):
    subprocess.run(["dd", "if=/dev/zero", f"of={folder / 'fill'}"], check=False, capture_output=True)


WRITERS = {
    "write_whole": lambda folder: write_whole(folder / "f", "x" * 9000),
    "Path.write_text": lambda folder: (folder / "f").write_text("x" * 9000),
    "cordon": lambda _: cordon.update("lab", {f"m-{n}": "r" for n in range(900)}),
    "applied": lambda _: applied.note("lab", [f"m-{n}" for n in range(900)], "x"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_each_way_of_writing_names_the_file(tiny, tmp_path, monkeypatch, capsys, writer):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    folder = tiny(tmp_path / ".gigasite" / "lab", 16)
    fill(folder)
    with pytest.raises(OSError, match="space") as raised:
        WRITERS[writer](folder)
    assert boundary.report(raised.value) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder}/"), said
    assert "the disk is full" in said


@pytest.mark.parametrize("folder", [".gigasite", "out"])
@pytest.mark.parametrize("kib", [0, 4, 12, 28, 60, 124])
def test_bringing_a_site_up_on_a_full_disk_names_the_path(tiny, tmp_path, monkeypatch, folder, kib):
    for name in LINKED:
        (tmp_path / name).symlink_to(REAL / name)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    small = tiny(tmp_path / folder, 256)
    small.chmod(0o700)
    with (small / "fill").open("wb") as file:
        file.write(b"x" * 1024 * (256 - 4 - kib))
    done = run("up", "lab", "--simulate", "--yes")
    said = done.out + done.err
    assert "Traceback" not in said
    assert done.code in (0, 1), said
    if done.code:
        assert str(small) in said or folder in said, said
        assert "full" in said or "space" in said, said
        for file in small.rglob("*.json"):  # what is there is whole
            json.loads(file.read_text())
        (small / "fill").unlink()
        assert run("up", "lab", "--simulate", "--yes").code == 0
    shutil.rmtree(small, ignore_errors=True)


def test_an_error_that_names_no_file_is_told_without_one(capsys):
    assert boundary.report(OSError(errno.ENOSPC, "No space left on device")) == 1
    assert capsys.readouterr().err.startswith("error: No space left on device, the disk is full")
