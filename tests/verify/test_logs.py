"""Logs: what each machine logs arrives on the site's monitoring servers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")

SAY = "logger --tag gigasite 'a verification asks whether this arrives'"
ARRIVING = "find /var/log/site -name '*.log' -mmin -60 -printf '%f\\n'"


@pytest.fixture(scope="session")
def arrived(shell_on, site, found):
    """Machines whose logs arrived within the hour, by monitoring server."""
    senders = {f"{one.name}.log" for one in found.machines if "logs" in found.facts_of(one).applied}
    for one in senders:
        shell_on(one.removesuffix(".log")).run(SAY)
    return {
        name: shell_on(name).wait(ARRIVING, lambda text: senders <= set(text.splitlines())).splitlines()
        for name in site.monitors
        if name in found.by_name
    }


@pytest.mark.asks(SAY)
def test_log_arrives(machine, facts, arrived):
    """What it logs arrives on every monitoring server."""
    if "logs" not in facts.applied:
        pytest.skip("it sends no logs: the site declares no monitoring, or its switches send them themselves")
    assert not [name for name, files in arrived.items() if f"{machine.name}.log" not in files]


@pytest.mark.role("management")
def test_control_plane_logs_arrive(shell, machine, site, arrived):
    """It keeps what the controllers of the site's scheduler log."""
    if machine.name not in arrived or not site.controllers:
        pytest.skip("it is no monitoring server, or the site declares no scheduler")
    asked = "zgrep --files-with-matches --no-messages ' slurmctld[[]' /var/log/site/{0}.log* || true"
    assert [name for name in site.controllers if not shell.out(asked.format(name))] == []
