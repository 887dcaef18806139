"""Hardening: what is declared is in force, not only in files."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("tray", "storage", "management")]

SSHD = "sshd -T"
MODULES = "modprobe --showconfig | grep '^install ' || true"
CORES = "su --shell /bin/sh --command 'ulimit -Hc' nobody"


@pytest.mark.asks(MODULES)
def test_modules_are_refused(shell, variables):
    """It loads none of the kernel modules that are declared unwanted."""
    lines = set(shell.out(MODULES).splitlines())
    # modprobe writes each name with underscores
    wanted = {f"install {name.replace('-', '_')} /bin/false" for name in variables["hardening_modules"]}
    assert wanted - lines == set()


@pytest.mark.asks(SSHD)
def test_sshd_says_who_logs_in(shell):
    """Its sshd runs by the declared settings: keys only, each login with its key in the log."""
    found = dict(line.split(" ", 1) for line in shell.out(SSHD).splitlines() if " " in line)
    wanted = {
        "loglevel": "VERBOSE", "tcpkeepalive": "no", "compression": "no", "permitrootlogin": "no",
        "passwordauthentication": "no", "permitemptypasswords": "no", "clientalivecountmax": "2",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.asks(CORES)
def test_core_dumps_are_as_declared(shell, variables):
    """A program that dies leaves no memory on its disk, unless that is declared."""
    if not variables["hardening_core_dumps"]:
        assert shell.out(CORES).strip() == "0"
