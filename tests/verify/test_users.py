"""Users: accounts with the same numbers everywhere, and no way in but keys."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")


def test_accounts(host, site):
    """Every declared account exists with its number and groups."""
    # all at once and not `host.user(name)`: a site has thousands of people
    passwd, groups = (
        {line.split(":")[0]: line.split(":") for line in host.check_output(command).splitlines()}
        for command in ("getent passwd", "getent group")
    )
    for user in site.users:
        assert user.name in passwd, f"no account {user.name}"
        assert int(passwd[user.name][2]) == user.uid
    for group in site.groups:
        assert group.name in groups, f"no group {group.name}"
        assert int(groups[group.name][2]) == group.gid
        assert set(group.members) <= set(groups[group.name][3].split(","))


def test_nobody_else(host, site):
    """Nobody has an account of gigasite's who is not declared."""
    lines = [line.split(":") for line in host.check_output("getent passwd").splitlines()]
    made = {line[0] for line in lines if len(line) > 4 and line[4] == "declared to gigasite"}
    assert made <= {user.name for user in site.users}


def test_keys_only(host):
    """Only keys open it, and not for root."""
    lines = host.check_output("sshd -T").splitlines()
    settings = dict(line.split(" ", 1) for line in lines if " " in line)
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["permitrootlogin"] == "no"
