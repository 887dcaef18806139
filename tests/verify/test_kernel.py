"""Kernel: trays run with the declared parameters and settings, and let jobs lock memory."""

from __future__ import annotations

import re
import shlex

import pytest

pytestmark = pytest.mark.proved_on("vm")

STARTED = "cat /proc/cmdline"
PAGES = "cat /sys/kernel/mm/transparent_hugepage/enabled"
# a login of its own, since limits are set when one begins
LIMITS = "su --shell /bin/sh --command 'ulimit -l; ulimit -n' nobody"
BETWEEN = re.compile(r" gigasite\.words=begin (.*) gigasite\.words=end( |$)")


@pytest.mark.role("tray")
@pytest.mark.asks(STARTED)
def test_kernel_was_started_with_the_declared_parameters(shell, variables):
    """It was started with the parameters that are declared, and with none that no longer are."""
    found = BETWEEN.search(shell.out(STARTED).strip())
    started = found[1] if found else ""
    declared = " ".join(variables["kernel_command_line"])
    assert started == declared, "a rollout with `reboot: true` reboots it (docs/howto-rollout.md)"


@pytest.mark.role("tray", "storage", "management")
def test_kernel_has_the_declared_settings(shell, variables):
    """Its kernel runs with the settings that are declared, of those that it has."""
    declared = {**variables.get("kernel_sysctl", {}), **variables.get("hardening_sysctl", {})}
    wanted = {name: str(value) for name, value in declared.items()}
    names = " ".join(shlex.quote(name) for name in wanted)
    lines = shell.out(f"sysctl --ignore {names}").splitlines() if names else []
    found = {name: " ".join(value.split()) for name, value in (line.split(" = ", 1) for line in lines)}
    assert {name: (found[name], wanted[name]) for name in found if found[name] != wanted[name]} == {}


@pytest.mark.role("tray")
@pytest.mark.asks(PAGES)
def test_huge_pages_are_given_as_declared(shell, variables):
    """It gives huge pages to whom is declared."""
    assert f"[{variables['kernel_transparent_hugepages']}]" in shell.out(PAGES)


@pytest.mark.role("tray")
@pytest.mark.asks(LIMITS)
def test_jobs_may_lock_memory(shell, variables):
    """It lets a login lock memory without a limit, and open the files that are declared."""
    assert shell.out(LIMITS).split() == ["unlimited", str(variables["kernel_open_files"])]
