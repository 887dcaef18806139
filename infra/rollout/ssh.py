"""How machines are reached: one ssh_config for Ansible, checks and people."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from infra import paths
from infra.files import write_whole
from infra.hostkeys import explain
from infra.multiplex import run_shared
from infra.process import run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

    from infra.plan.tables.machines import Machine

USER = os.environ.get("GIGASITE_SSH_USER", "gigasite")
"""The account to log in to, which may use sudo without a password; every image of ours has `gigasite`."""

NAMED = 5000
"""Machines that the site's ssh_config names one by one: ssh reads it all for each connection. On larger sites
Ansible's variables of a host say how it is reached."""

PERSIST = 300
"""Seconds that a shared connection waits for its next use: a new one takes seconds on an emulated machine."""


def config_path(site: str) -> Path:
    """Where the site's ssh_config lies."""
    return paths.state(site) / "ssh_config"


def run_on(
    site: str, name: str, command: str, *, stdin: str = "", timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine, over its shared connection where there is one.

    Args:
        site: whose the machine is.
        name: the machine's.
        command: for the shell there.
        stdin: text for its standard input.
        timeout: seconds.

    Raises:
        UserError: it ran over its time, or there is no ssh.
    """
    config = config_path(site)
    if path := _sockets(config).get(name):
        done = run_shared(control_folder(site) / path, command, stdin, timeout)
        if done is not None:
            return done
    return run(["ssh", "-F", str(config), name, command], check=False, stdin=stdin, timeout=timeout)


def _sockets(config: Path) -> dict[str, str]:
    """Machine → name of its connection's socket, by the site's ssh_config; none while there is none."""
    try:
        return _named_sockets(config, config.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=4)
def _named_sockets(config: Path, changed: int) -> dict[str, str]:  # noqa: ARG001 (a file that changed is read anew)
    """Expand ssh's %C: the hash of this computer's name, the address, the port and the user."""
    text = config.read_text()
    here, user = socket.gethostname(), re.findall(r"^    User (.+)$", text, re.MULTILINE)[-1]
    hosts = re.findall(r"^Host (\S+)\n    HostName (\S+)\n    Port (\d+)$", text, re.MULTILINE)
    return {
        name: hashlib.sha1(f"{here}{address}{port}{user}".encode(), usedforsecurity=False).hexdigest()
        for name, address, port in hosts
    }


def explain_refusal(site: str, name: str, said: str) -> str | None:
    """Say whose host key answered instead of a machine's own; None if ssh complains of something else.

    Args:
        site: whose the machine is.
        name: the machine's.
        said: what ssh, or Ansible for it, wrote.
    """
    return explain(said, paths.state(site) / "ssh" / "known_hosts", name)


def control_folder(site: str) -> Path:
    """Folder of the shared connections' sockets: short, because a socket's path may have 108 bytes only."""
    base = os.environ.get("XDG_RUNTIME_DIR") or f"{tempfile.gettempdir()}/gigasite-{os.getuid()}"
    checkout = hashlib.sha256(f"{paths.ROOT}\0{site}".encode()).hexdigest()[:8]
    folder = Path(base) / f"ssh-{checkout}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def write_config(site: str, machines: Iterable[Machine]) -> Path:
    """Write the site's ssh_config if it differs; mode 0600.

    Args:
        site: name of the site.
        machines: all that it shall name.
    """
    from infra.render.templates import render  # noqa: PLC0415 (the room of templates knows the plan, and polars is slow to import)

    state = paths.state(site)
    hosts = [
        {
            "name": machine.name,
            "address": "127.0.0.1" if machine.stand_in else machine.management_address,
            "port": machine.stand_in.ssh_port if machine.stand_in else 22,
        }
        for machine in machines
    ]
    text = render(
        "controller/ssh_config.j2",
        {
            "site": {"name": site},
            "hosts": hosts,
            "user": USER,
            "key": state / "ssh" / "id_ed25519",
            "known_hosts": state / "ssh" / "known_hosts",
            "persist": PERSIST,
            "sockets": control_folder(site),
        },
    )
    path = config_path(site)
    if not path.exists() or path.read_text() != text:
        write_whole(path, text)
    return path
