"""Time: every clock follows the site's time servers."""

from __future__ import annotations

import pytest

from infra.plan.tables.machines import Role

pytestmark = pytest.mark.proved_on("vm")

TRACKING = "chronyc -n -c tracking"
LISTENING = "ss --udp --listening --numeric --no-header"


@pytest.fixture(scope="session")
def served(shell_on, found):
    """Whether any of the site's time servers serves: if none does, no client's clock will settle."""
    servers = [machine.name for machine in found.machines if machine.role is Role.MANAGEMENT]
    return any(_serves(shell_on(name).run(LISTENING).text) for name in servers)


@pytest.mark.role("tray", "storage", "switch")
@pytest.mark.asks(TRACKING)
def test_clock_follows_site(shell, site, served):
    """Its clock follows the site's time server and is less than a second off."""
    # a machine that has just been configured, or whose server was away, still takes samples
    text = shell.wait(TRACKING, lambda text: _follows(text, site), hopeless=lambda _: not served)
    reference, offset, leap = _tracking(text)
    assert reference in site.time_servers, f"it follows {reference or 'nobody'}"
    assert leap == "Normal"
    assert abs(offset) < 1


@pytest.mark.role("management")
@pytest.mark.asks(LISTENING, TRACKING)
def test_clock_serves_site(shell, facts):
    """It serves time on the fabric, where it is one of the declared time servers."""
    if not facts.time_server:
        pytest.skip("it is no time server")
    assert _serves(shell.out(LISTENING))
    stratum = int(shell.out(TRACKING).split(",")[2])
    assert 0 < stratum < 16


def _serves(sockets):
    return ":123 " in sockets


def _tracking(text):
    """Address of what it follows, seconds off, leap status; fields as of chronyc(1), `-c tracking`."""
    fields = text.split(",")
    return fields[1], float(fields[4]), fields[-1]


def _follows(text, site):
    reference, offset, _ = _tracking(text)
    return reference in site.time_servers and abs(offset) < 1
