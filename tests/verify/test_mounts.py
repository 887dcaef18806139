"""Mounts: the shared filesystem is there, by its storage address, and can be written."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("tray", "management")]


def test_mounted(shell, site):
    """The shared filesystem is mounted by its storage address."""
    # findmnt reads the kernel's table: a server that is away cannot hold it up
    table = shell.out("findmnt --raw --noheadings --types nfs4 --output SOURCE,TARGET,OPTIONS")
    lines = {tuple(line.split()[:2]) for line in table.splitlines()}
    assert lines == {(f"{mount.address}:{mount.export}", mount.mount) for mount in site.mounts}


def test_written(machine, shell, site):
    """A file can be written to the shared filesystem and read back."""
    for mount in site.mounts:
        path = f"{mount.mount}/.verify-{machine.name}"
        assert (
            shell.out("echo %s > %s && cat %s && rm %s", machine.name, path, path, path).strip()
            == machine.name
        )
