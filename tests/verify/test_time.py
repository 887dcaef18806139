"""Time: every clock follows the site's time servers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")


@pytest.mark.role("tray", "storage", "switch")
def test_clock_follows_site(shell, site):
    """Its clock follows the site's time server and is less than a second off."""
    # waits for at most 30 s: a machine that has just been configured is still taking samples
    shell.out("chronyc -n waitsync 30 1 0 1 >/dev/null")
    fields = shell.out("chronyc -n -c tracking").strip().split(",")
    reference, offset, leap = fields[1], float(fields[4]), fields[-1]
    assert reference in site.time_servers
    assert leap == "Normal"
    assert abs(offset) < 1


@pytest.mark.role("management")
def test_clock_serves_site(machine, shell):
    """It serves time on the fabric."""
    listening = shell.out("ss --udp --listening --numeric --no-header")
    assert ":123 " in listening
    stratum = int(shell.out("chronyc -n -c tracking").split(",")[2])
    assert 0 < stratum < 16
