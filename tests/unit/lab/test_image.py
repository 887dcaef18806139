from __future__ import annotations

import os
import shutil

import pytest

from infra.errors import UserError
from infra.lab import image
from infra.lab.accelerator import build

pytestmark = pytest.mark.unit


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(image.paths, "cache", lambda: folder)
    return folder


def complete(folder):
    folder.mkdir()
    (folder / "complete").touch()
    return folder


def test_the_package_list_holds_what_the_roles_need():
    assert {"chrony", "nfs-kernel-server", "slurmctld", "slurmd", "munge", "frr"} <= set(image.packages())
    assert not any("#" in name or " " in name for name in image.packages())


def test_the_key_follows_the_overlay(tmp_path, monkeypatch):
    copy = tmp_path / "overlay"
    shutil.copytree(image._OVERLAY, copy)
    before = image.image_key()
    monkeypatch.setattr(image, "_OVERLAY", copy)
    assert image.image_key() == before
    (copy / "etc/fstab").write_text("changed")
    changed = image.image_key()
    assert changed != before
    (copy / "usr/local/lib/gigasite/seed").chmod(0o644)
    assert image.image_key() not in {before, changed}


def test_the_key_follows_the_accelerators_sources(tmp_path, monkeypatch):
    before = image.image_key()
    copy = tmp_path / "source"
    shutil.copytree(build.SOURCE, copy)
    monkeypatch.setattr(build, "SOURCE", copy)
    assert image.image_key() == before
    (copy / "state.c").write_text("int changed;\n")
    assert image.image_key() != before


def test_the_accelerators_library_and_command_lie_where_programs_look(tmp_path):
    image._build_accelerator(tmp_path)
    assert (tmp_path / "usr/local/lib/libnvidia-ml.so.1").stat().st_mode & 0o111
    assert (tmp_path / "usr/local/bin/nvidia-smi").stat().st_mode & 0o111


def test_the_key_follows_the_packages(tmp_path, monkeypatch):
    before = image.image_key()
    monkeypatch.setattr(image, "packages", lambda: ("systemd",))
    assert image.image_key() != before


def test_a_build_that_fails_says_why_and_leaves_nothing(cache, monkeypatch):
    def fail(command, **_):
        log = next(word.partition("=")[2] for word in command if str(word).startswith("--logfile="))
        with open(log, "w") as file:  # noqa: PTH123
            file.write("E: Unable to locate package chrony\n")
        raise UserError("mmdebstrap failed")

    monkeypatch.setattr(image, "run", fail)
    monkeypatch.setattr(image, "_sources", lambda: ())
    with pytest.raises(UserError, match="Unable to locate package chrony") as caught:
        image.ensure_image()
    assert str(cache / "image-build.log") in caught.value.hint
    assert not list(cache.glob("image-*/"))
    assert image.find_cached_image() is None


def test_a_half_made_image_is_not_taken(cache):
    (cache / f"image-{image.image_key()}").mkdir()
    assert image.find_cached_image() is None


def test_a_built_image_is_taken_without_building(cache, monkeypatch):
    complete(cache / f"image-{image.image_key()}")
    monkeypatch.setattr(image, "run", lambda *_a, **_k: pytest.fail("it built"))
    assert image.ensure_image().folder.name == f"image-{image.image_key()}"


def test_an_image_that_a_machine_stands_on_is_not_cleaned_away(cache, tmp_path):
    used, unused = complete(cache / "image-aaaa"), complete(cache / "image-bbbb")
    disk = tmp_path / "machines" / "m1" / "disk.qcow2"
    disk.parent.mkdir(parents=True)
    image.note_user(image.image_by_key("aaaa"), disk)
    image._clean(keep=0)
    assert used.exists()
    assert not unused.exists()
    disk.parent.rmdir()
    image._clean(keep=0)
    assert not used.exists()


def test_no_host_is_named_for_packages():
    assert not any("://" in line for line in image._hooks(image.Path("/"), image.Path("/")))


def test_what_a_killed_build_left_is_cleaned_away(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(image, "_WORK", tmp_path)
    old, running = tmp_path / "gigasite-image-old", tmp_path / "gigasite-image-new"
    for folder in (old, running, cache / "image-cccc.building"):
        folder.mkdir()
    os.utime(old, (1, 1))
    image._clean_killed()
    assert not old.exists()
    assert running.exists()
    assert not list(cache.iterdir())
