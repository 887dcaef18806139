"""Installs missing Debian packages, after saying so, where this user may; otherwise names the one command."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LIMIT_S = 1800
_MARK = "made by gigasite"

# Debian starts a service as soon as its package is there. This host only lends its programs (slurmctld and
# chronyd check configuration files here), so policy-rc.d says no meanwhile; a policy of the host's own wins.
# A run that was killed may have left ours behind: it carries our mark and is taken over.
_SCRIPT = f"""
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ] || grep -q '{_MARK}' $policy; then
    trap 'rm -f '$policy EXIT
    trap 'exit 1' INT TERM
    printf '#!/bin/sh\\n# {_MARK}, for the time of one installation\\nexit 101\\n' >$policy
    chmod 0755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends "$@" || {{
    apt-get update && apt-get install --yes --no-install-recommends "$@"
}}
"""


def command(packages: Sequence[str]) -> str:
    """The command that a person would type."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --yes --no-install-recommends {shlex.join(packages)}"


def may_install() -> bool:
    """Whether this user can install without being asked for a password."""
    return shutil.which("apt-get") is not None and _prefix() is not None


def install(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Install packages.

    Args:
        packages: Debian package names.
        say: told what is done, before it is done.

    Raises:
        UserError: this user may not, or apt failed; with the command to run.
    """
    prefix = _prefix()
    if prefix is None or not shutil.which("apt-get"):
        raise UserError(
            f"this machine lacks {', '.join(packages)}",
            hint=f"install what is missing, then run the same command again:\n  {command(packages)}",
        )
    say(f"installing with apt: {' '.join(packages)}")
    run(
        [*prefix, "sh", "-c", _SCRIPT, "install", *packages],
        timeout=_LIMIT_S,
        hint=f"try it by hand: {command(packages)}",
    )


def _prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], check=False, timeout=10).returncode == 0:
        return ["sudo", "-n"]
    return None
