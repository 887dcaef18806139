"""Time: every clock follows the site's time servers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")

# waits for at most 30 s: a machine that has just been configured is still taking samples
SETTLED = "chronyc -n waitsync 30 1 0 1 >/dev/null && chronyc -n -c tracking"
TRACKING = "chronyc -n -c tracking"
LISTENING = "ss --udp --listening --numeric --no-header"


@pytest.mark.role("tray", "storage", "switch")
@pytest.mark.asks(SETTLED)
def test_clock_follows_site(shell, site):
    """Its clock follows the site's time server and is less than a second off."""
    fields = shell.out(SETTLED).split(",")
    reference, offset, leap = fields[1], float(fields[4]), fields[-1]
    assert reference in site.time_servers
    assert leap == "Normal"
    assert abs(offset) < 1


@pytest.mark.role("management")
@pytest.mark.asks(LISTENING, TRACKING)
def test_clock_serves_site(shell):
    """It serves time on the fabric."""
    assert ":123 " in shell.out(LISTENING)
    stratum = int(shell.out(TRACKING).split(",")[2])
    assert 0 < stratum < 16
