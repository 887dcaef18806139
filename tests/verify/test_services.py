"""Services: those of a machine's role run, start at boot, and none has failed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")

EVERYWHERE = ("ssh", "systemd-networkd", "chrony")
BY_ROLE = {
    "tray": ("munge", "slurmd"),
    "management": ("munge", "slurmctld"),
    "storage": ("nfs-server",),
    "switch": ("frr",),
}
FAILED = "systemctl list-units --state=failed --plain --no-legend --no-pager"


def services(facts):
    """What runs on a machine."""
    return EVERYWHERE + BY_ROLE[facts.role] + (("nftables",) if facts.firewall else ())


def states(facts, site):
    """Asks for the state of the role's services."""
    return (f"systemctl show --property Id,ActiveState,UnitFileState {' '.join(services(facts))}",)


@pytest.mark.asks.with_args(states)
def test_services_run(shell, facts, site):
    """The services of its role run and start at boot."""
    (command,) = states(facts, site)
    text = shell.wait(command, lambda text: "ActiveState=activating" not in text)
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.split("\n\n")]
    wrong = [
        f"{unit['Id']} is {unit['ActiveState']} and {unit['UnitFileState']}"
        for unit in found
        if (unit["ActiveState"], unit["UnitFileState"]) != ("active", "enabled")
    ]
    assert len(found) == len(services(facts))
    assert not wrong, "; ".join(wrong)


@pytest.mark.asks(FAILED)
def test_no_unit_failed(shell):
    """No unit has failed."""
    failed = shell.out(FAILED)
    assert not failed, failed
