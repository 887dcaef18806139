"""What Ansible's workers ask: in a fork polars' threads are missing, and it would wait for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import ROOT

pytestmark = pytest.mark.unit


def test_a_worker_comes_to_its_machine(tmp_path, monkeypatch):
    """The machine is out of reach, which is said; a worker that hangs would say nothing."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho out of reach >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    words = ("-i", "inventories/lab", "playbooks/base.yml", "-l", "role_tray")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert "unreachable=1" in done.stdout, done.stdout + done.stderr
