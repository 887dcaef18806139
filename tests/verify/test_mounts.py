"""Mounts: the shared filesystem is there, by its storage address, and can be written."""

from __future__ import annotations

import shlex

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("tray", "management")]


def writes(facts, site):
    """Writes, reads and removes a file on each mount; a hard mount would wait for its server for ever.

    A write to a full export fails only when it is sent, which a shell's `echo` does not wait for: dd does.

    A server that was started again lets nobody write for 90 s, so that clients can claim their locks (NFS's
    grace); one that does not even answer a ping is not waited for.
    """
    return tuple(
        f"ping -q -c 1 -w 20 {mount.address} >/dev/null && timeout 300 sh -c "
        + shlex.quote(f"echo {facts.name} | dd of={path} conv=fsync status=none && cat {path} && rm {path}")
        for mount in site.mounts
        for path in (f"{mount.mount}/.verify-{facts.name}",)
    )


def test_mounted(host, site):
    """The shared filesystem is mounted by its storage address."""
    for mount in site.mounts:
        point = host.mount_point(mount.mount)
        assert point.exists, f"nothing is mounted on {mount.mount}"
        assert (point.filesystem, point.device) == ("nfs4", f"{mount.address}:{mount.export}")


@pytest.mark.asks.with_args(writes)
def test_written(shell, facts, site):
    """A file can be written to the shared filesystem and read back."""
    assert site.mounts
    for command in writes(facts, site):
        assert shell.out(command) == facts.name
