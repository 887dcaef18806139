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


def test_services_run(host, units, wait):
    """The services of its roles run and start at boot."""
    names = " ".join(map(shlex.quote, units))
    wait(host, lambda: "activating" not in host.run(f"systemctl is-active {names}").stdout)
    stopped = [name for name in units if not host.service(name).is_running]
    disabled = [name for name in units if not host.service(name).is_enabled]
    assert not stopped, f"not running: {', '.join(stopped)}"
    assert not disabled, f"not started at boot: {', '.join(disabled)}"


def test_no_unit_failed(host):
    """No unit has failed."""
    failed = host.check_output("systemctl list-units --state=failed --plain --no-legend --no-pager")
    assert not failed, failed
