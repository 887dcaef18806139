"""Logs: what each machine and its kernel log arrives on the site's monitoring servers."""

from __future__ import annotations

import uuid

import pytest

pytestmark = pytest.mark.proved_on("vm")

WORD = uuid.uuid4().hex
"""Of this verification alone: what an earlier one left proves nothing."""
# The kernel is asked for the help of its SysRq keys, which is a message of its own and does nothing.
SAY = f"logger --tag gigasite {WORD}; echo h >/proc/sysrq-trigger"
KERNEL = " kernel:? sysrq: HELP"  # a forwarded tag has no colon
KEPT = f"tail -n 1000 /var/log/site/{{0}}.log 2>/dev/null | grep -E '{WORD}|{KERNEL}' | sed 's/^/{{0}} /'"


@pytest.fixture(scope="session")
def arrived(shell_on, site, found):
    """Machines whose own line arrived, and those whose kernel's arrived after it, by monitoring server."""
    senders = {one.name for one in found.machines if "logs" in found.facts_of(one).applied}
    for name in senders:
        shell_on(name).run(SAY)
    asked = "; ".join(KEPT.format(name) for name in sorted(senders))
    return {
        name: _read(shell_on(name).wait(asked, lambda text: _read(text) == (senders, senders)))
        for name in site.monitors
        if name in found.by_name
    }


def _read(text):
    own, kernels = set(), set()
    for name, _, line in (one.partition(" ") for one in text.splitlines()):
        if WORD in line:
            own.add(name)
        elif name in own:
            kernels.add(name)
    return own, kernels


@pytest.fixture
def _sends(facts):
    """Skips a machine that sends no logs."""
    if "logs" not in facts.applied:
        pytest.skip("it sends no logs: the site declares no monitoring, or its switches send them themselves")


@pytest.mark.usefixtures("_sends")
@pytest.mark.asks(SAY)
def test_log_arrives(machine, arrived):
    """What it logs arrives on every monitoring server."""
    assert not [server for server, (own, _) in arrived.items() if machine.name not in own]


@pytest.mark.usefixtures("_sends")
@pytest.mark.asks(SAY)
def test_kernel_log_arrives(machine, arrived):
    """What its kernel logs arrives on every monitoring server."""
    assert not [server for server, (_, kernels) in arrived.items() if machine.name not in kernels]


@pytest.mark.role("management")
def test_control_plane_logs_arrive(shell, machine, site, arrived):
    """It keeps what the controllers of the site's scheduler log."""
    if machine.name not in arrived or not site.controllers:
        pytest.skip("it is no monitoring server, or the site declares no scheduler")
    asked = "zgrep --files-with-matches --no-messages ' slurmctld[[]' /var/log/site/{0}.log* || true"
    assert [name for name in site.controllers if not shell.out(asked.format(name))] == []
