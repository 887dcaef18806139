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


def test_services_run(machine, shell):
    """The services of its role run and start at boot."""
    wanted = EVERYWHERE + BY_ROLE[machine.role]
    states = shell.run(f"systemctl show --property Id,ActiveState,UnitFileState {' '.join(wanted)}").stdout
    found = [
        dict(line.split("=", 1) for line in block.splitlines()) for block in states.split("\n\n") if block
    ]
    wrong = [
        f"{unit['Id']} is {unit['ActiveState']} and {unit['UnitFileState']}"
        for unit in found
        if (unit["ActiveState"], unit["UnitFileState"]) != ("active", "enabled")
    ]
    assert len(found) == len(wanted)
    assert not wrong, "; ".join(wrong)


def test_no_unit_failed(shell):
    """No unit has failed."""
    failed = shell.out("systemctl list-units --state=failed --plain --no-legend --no-pager")
    assert not failed.strip(), failed
