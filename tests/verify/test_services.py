"""Services: those of a machine's roles run, start at boot, and none has failed."""

from __future__ import annotations

import shlex

import pytest

from infra.render import deployed_units

pytestmark = pytest.mark.proved_on("vm")

FAILED = "systemctl list-units --state=failed --plain --no-legend --no-pager"


def states(facts, site):
    """Asks for the state of the units that the machine's roles start."""
    names = " ".join(map(shlex.quote, deployed_units(facts, site)))
    return (f"systemctl show --property Id,ActiveState,UnitFileState {names}",)


@pytest.mark.asks.with_args(states)
def test_services_run(shell, facts, site):
    """The services of its roles run and start at boot."""
    (command,) = states(facts, site)
    text = shell.wait(command, lambda text: "ActiveState=activating" not in text)
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.split("\n\n")]
    wrong = [
        f"{unit['Id']} is {unit['ActiveState']} and {unit['UnitFileState']}"
        for unit in found
        if (unit["ActiveState"], unit["UnitFileState"]) != ("active", "enabled")
    ]
    assert len(found) == len(deployed_units(facts, site))
    assert not wrong, "; ".join(wrong)


@pytest.mark.asks(FAILED)
def test_no_unit_failed(shell):
    """No unit has failed."""
    failed = shell.out(FAILED)
    assert not failed, failed
