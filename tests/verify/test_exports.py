"""Exports: each is a file system of its own, as large as declared, so that nobody can write more."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("storage")]


def test_size(host, facts):
    """Each export has a file system of its own, and it is as large as declared."""
    for export in facts.exports:
        point = host.mount_point(export.path)
        assert point.exists, f"{export.path} has no file system of its own, so no limit"
        assert point.filesystem == "ext4"
        assert host.file(export.image).size == export.size
        blocks, size = map(
            int, host.check_output(f"stat --file-system --format '%b %S' {export.path}").split()
        )
        # what ext4 itself takes (its tables, its journal) is in the declared size
        assert 0.9 * export.size - (64 << 20) < blocks * size <= export.size


def test_no_delegations(host):
    """It promises no client that nobody else changes a file: one that was cut off would read what is old."""
    assert host.sysctl("fs.leases-enable") == 0
