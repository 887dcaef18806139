"""Services: those of a machine's roles run, start at boot, and none has failed."""

from __future__ import annotations

import shlex

import pytest

from infra.render import unit_names

pytestmark = pytest.mark.proved_on("vm")


@pytest.fixture
def units(facts, site):
    """Units that the machine's roles start."""
    return unit_names(facts, site)


AT_BOOT = {"enabled", "enabled-runtime", "static", "indirect", "generated", "alias"}
"""States in which `systemctl is-enabled` ends with 0 (systemctl(1))."""


def _states(host, units):
    """Active state and unit file's state of each unit, by one question: each costs a second."""
    names = " ".join(map(shlex.quote, units))
    said = host.check_output(f"systemctl show --property=ActiveState,UnitFileState {names}").split("\n\n")
    states = (dict(line.split("=", 1) for line in block.splitlines()) for block in said)
    return {
        unit: (state["ActiveState"], state["UnitFileState"])
        for unit, state in zip(units, states, strict=True)
    }


def test_services_run(host, units, wait):
    """The services of its roles run and start at boot."""
    wait(host, lambda: all(active != "activating" for active, _ in _states(host, units).values()))
    states = _states(host, units)
    stopped = [unit for unit, (active, _) in states.items() if active != "active"]
    disabled = [unit for unit, (_, file) in states.items() if file not in AT_BOOT]
    assert not stopped, f"not running: {', '.join(stopped)}"
    assert not disabled, f"not started at boot: {', '.join(disabled)}"


def test_no_unit_failed(host):
    """No unit has failed."""
    failed = host.check_output("systemctl list-units --state=failed --plain --no-legend --no-pager")
    assert not failed, failed
