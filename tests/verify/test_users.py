"""Users: accounts with the same numbers everywhere, and no way in but keys."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")

PASSWD, GROUP, SSHD = "getent passwd", "getent group", "sshd -T"


@pytest.mark.asks(PASSWD, GROUP)
def test_accounts(shell, site):
    """Every declared account exists with its number and groups."""
    passwd = {line.split(":")[0]: line.split(":") for line in shell.out(PASSWD).splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in shell.out(GROUP).splitlines()}
    for user in site.users:
        assert user.name in passwd, f"no account {user.name}"
        assert int(passwd[user.name][2]) == user.uid
    for group in site.groups:
        assert group.name in groups, f"no group {group.name}"
        assert int(groups[group.name][2]) == group.gid
        assert set(group.members) <= set(groups[group.name][3].split(","))


@pytest.mark.asks(SSHD)
def test_keys_only(shell):
    """Only keys open it, and not for root."""
    settings = dict(line.split(" ", 1) for line in shell.out(SSHD).splitlines() if " " in line)
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["permitrootlogin"] == "no"
