from __future__ import annotations

import pytest

from infra.lab import accel

pytestmark = pytest.mark.unit

HANG = "exec sleep 60"
FAIL = "echo 'ioctl(KVM_CREATE_VM) failed' >&2; exit 1"
WORK = """
for word; do case $word in file:*) echo "Kernel panic - not syncing: VFS" >"${word#file:}";; esac; done
exec sleep 60
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accel, "_DEVICE", device)
    monkeypatch.setattr(accel, "_SILENT_S", 1.0)
    monkeypatch.setattr(accel.paths, "cache", lambda: tmp_path)
    return tmp_path / "vmlinuz"


def pretend(tmp_path, monkeypatch, script: str) -> None:
    program = tmp_path / "qemu-system-x86_64"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_no_device_means_emulation(kernel, tmp_path, monkeypatch):
    monkeypatch.setattr(accel, "_DEVICE", tmp_path / "missing")
    found = accel.probe(kernel)
    assert found.kind is accel.Kind.TCG
    assert "does not exist" in found.reason


def test_kvm_that_opens_and_hangs_means_emulation_and_is_said(kernel, tmp_path, monkeypatch):
    pretend(tmp_path, monkeypatch, HANG)
    said = []
    found = accel.probe(kernel, said.append)
    assert found.kind is accel.Kind.TCG
    assert "hangs" in found.reason
    assert said == [found.reason]


def test_kvm_that_fails_means_emulation_with_its_words(kernel, tmp_path, monkeypatch):
    pretend(tmp_path, monkeypatch, FAIL)
    found = accel.probe(kernel)
    assert found.kind is accel.Kind.TCG
    assert "ioctl(KVM_CREATE_VM) failed" in found.reason


def test_a_kernel_that_comes_up_proves_kvm(kernel, tmp_path, monkeypatch):
    pretend(tmp_path, monkeypatch, WORK)
    assert accel.probe(kernel).kind is accel.Kind.KVM


def test_the_proof_is_made_once(kernel, tmp_path, monkeypatch):
    pretend(tmp_path, monkeypatch, FAIL)
    first = accel.probe(kernel)
    pretend(tmp_path, monkeypatch, WORK)
    assert accel.probe(kernel) == first
    (tmp_path / "acceleration.json").write_text("broken")
    assert accel.probe(kernel).kind is accel.Kind.KVM


def test_a_slow_kernel_that_goes_on_talking_is_waited_for(kernel, tmp_path, monkeypatch):
    lines = 'for _ in 1 2 3 4 5 6; do echo "[ 0.1] a line" >>"$console"; sleep 0.4; done'
    end = 'echo "Kernel panic - not syncing: VFS: unable" >>"$console"; exec sleep 60'
    console = 'for word in "$@"; do case "$word" in file:*) console=${word#file:} ;; esac; done'
    pretend(tmp_path, monkeypatch, f"{console}\n{lines}\n{end}")
    assert accel.probe(kernel).kind is accel.Kind.KVM
