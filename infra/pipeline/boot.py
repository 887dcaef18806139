"""Waits until every stand-in answers ssh with the host key that it was given."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infra.plan.tables.machines import Machine

LIMIT_S = 420.0
"""Three machines booting for real at once without hardware acceleration took 90–100 s on 2 cores; five, and
room for a slower machine."""
USER = "gigasite"


def wait(machines: Sequence[Machine], site: str, say: Callable[[str], None]) -> dict[str, float]:
    """Wait for all machines.

    Args:
        machines: those with a stand-in; others are not waited for.
        site: whose keys are used.
        say: told which machine answered.

    Returns:
        seconds until each answered, by machine name.

    Raises:
        UserError: some machine did not answer in time; names it, with the end of its serial console.
    """
    waited = [machine for machine in machines if machine.stand_in]
    state = paths.state(site)
    began = time.monotonic()
    took: dict[str, float] = {}
    late: list[str] = []
    with ThreadPoolExecutor(max_workers=min(16, len(waited) or 1)) as pool:
        tasks = {pool.submit(_answer, machine, state, began + LIMIT_S): machine.name for machine in waited}
        for task in as_completed(tasks):
            name = tasks[task]
            if not task.result():
                late.append(name)
                continue
            took[name] = round(time.monotonic() - began, 1)
            say(f"{name} answers ({len(took)} of {len(waited)})")
    if late:
        raise UserError(
            f"{', '.join(sorted(late))} did not answer ssh within {LIMIT_S:.0f} s",
            hint=f"read the serial console:\n{_consoles(state, sorted(late))}",
        )
    return took


def _answer(machine: Machine, state: Path, end: float) -> bool:
    assert machine.stand_in is not None
    port = machine.stand_in.ssh_port
    while time.monotonic() < end:
        if _banner(port) and _login(port, state):
            return True
        time.sleep(0.5)
    return False


def _banner(port: int) -> bool:
    # QEMU accepts the connection before the guest listens: only the server's first words say that it is up.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.settimeout(10)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _login(port: int, state: Path) -> bool:
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "30",  # the first key exchange takes over 3 s without hardware acceleration
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(state / "ssh" / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
    }
    try:
        done = run(_ssh(port, state, options), check=False, timeout=60)
    except UserError:  # it hung: the machine is busy booting
        return False
    return done.returncode == 0


def _ssh(port: int, state: Path, options: dict[str, str]) -> list[str]:
    return [
        *("ssh", "-F", "none", "-p", str(port), "-i", str(state / "ssh" / "id_ed25519")),
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
        f"{USER}@127.0.0.1",
        "true",
    ]


def _consoles(state: Path, names: Sequence[str]) -> str:
    parts = []
    for name in names:
        for log in sorted((state / "machines" / name).glob("console.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-6:]
            parts.append(f"  {log}:\n" + "\n".join(f"    {line}" for line in lines))
    return "\n".join(parts) or "  (there is no console log: the machine has no power, see `gigasite preview`)"
