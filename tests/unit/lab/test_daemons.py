"""Whose libvirtd it is: one that runs in a container of this host is not ours to ask."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from infra.lab import session

pytestmark = pytest.mark.unit

APART = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]


@pytest.fixture
def started():
    """Starts `sleep` by a command that ends in it; its process id."""
    running = []

    def start(*words):
        process = subprocess.Popen(words)
        running.append(process)
        end = time.monotonic() + 30
        while not _sleeps(process.pid):
            assert time.monotonic() < end
            time.sleep(0.02)
        return process.pid

    yield start
    for process in running:
        process.kill()
        process.wait()


def _sleeps(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"


def test_a_daemon_with_a_run_folder_of_its_own_is_not_ours(started):
    here = started("sleep", "60")
    bound = started(*APART, "sh", "-c", "exec sleep 60")
    elsewhere = started(*APART, "sh", "-c", "mount -t tmpfs none /run && exec sleep 60")
    found = {pid for pid, _ in session._running_ids("sleep")}
    assert found & {here, bound, elsewhere} == {here, bound}
