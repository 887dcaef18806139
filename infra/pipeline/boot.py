"""Waits until every stand-in answers ssh with its own host key; stops at what cannot mend itself."""

from __future__ import annotations

import socket
import subprocess
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from threading import Event
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.hostkeys import explain
from infra.lab.template import DEATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infra.plan.tables.machines import Machine

LIMIT_S = 1200.0
"""Machines that boot for real without hardware acceleration took 90 to 100 s on 2 cores, three at once;
ten times that for a slower computer. One that is dead is not waited for."""
REMIND_S = 30.0
"""After so long, and again, whom it waits for is said."""
USER = "gigasite"
_LOOK_S = 0.2
_BANNER_S, _LOGIN_S = 60.0, 300.0


class Hopeless(Exception):  # noqa: N818 (it says what happened)
    """The machine will not answer, however long one waits."""


def wait(machines: Sequence[Machine], site: str, say: Callable[[str], None]) -> dict[str, float]:
    """Wait for all machines.

    Args:
        machines: those with a stand-in; others are not waited for.
        site: whose keys are used.
        say: told which machine answered, and from time to time which have not.

    Returns:
        seconds until each answered, by machine name.

    Raises:
        UserError: some machine did not answer in time, or never will; names it, with the end of its console.
        KeyboardInterrupt: nothing that was started for waiting goes on.
    """
    waited = [machine for machine in machines if machine.stand_in]
    state = paths.state(site)
    began = reminded = time.monotonic()
    took: dict[str, float] = {}
    stop = Event()
    with ThreadPoolExecutor(max_workers=min(16, len(waited) or 1)) as pool:
        tasks = {pool.submit(_answer, machine, state, stop): machine.name for machine in waited}
        left = set(tasks)
        try:
            while left:
                done, left = wait_for(left, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                for task in done:
                    name = tasks[task]
                    task.result()
                    took[name] = round(time.monotonic() - began, 1)
                    say(f"{name} answers ({len(took)} of {len(waited)})")
                missing = sorted(tasks[task] for task in left)
                if missing and time.monotonic() - began > LIMIT_S:
                    raise _late(
                        f"{', '.join(missing)} did not answer ssh within {LIMIT_S:.0f} s", state, missing
                    )
                if missing and time.monotonic() - reminded > REMIND_S:
                    reminded = time.monotonic()
                    say(f"waiting for {', '.join(missing)}")
        except Hopeless as error:
            raise _late(str(error), state, [str(error).partition(" ")[0].rstrip(":")]) from error
        finally:
            stop.set()  # the pool's end waits for its threads
    return took


def _late(message: str, state: Path, names: Sequence[str]) -> UserError:
    return UserError(message, hint=f"read the serial console:\n{_consoles(state, names)}")


def _answer(machine: Machine, state: Path, stop: Event) -> None:
    """Return when the machine lets us in, or when that is no longer asked.

    Raises:
        Hopeless: it has another host key than was made for it, refuses our key, or died.
    """
    assert machine.stand_in is not None
    console = state / "machines" / machine.name / "console.log"
    before = console.stat().st_size if console.exists() else 0
    while not stop.is_set():
        if console.exists():
            with console.open("rb") as file:
                file.seek(before)
                text = file.read().decode(errors="replace")
            if died := next((word for word in DEATHS if word in text), None):
                raise Hopeless(f"{machine.name} died while starting ({died})")
        if _banner(machine.stand_in.ssh_port, stop):
            said = _login(machine.stand_in.ssh_port, state, stop)
            if said is None:
                return
            if why := explain(said, state / "ssh" / "known_hosts", machine.name):
                raise Hopeless(f"{machine.name}: {why}")
        stop.wait(0.5)


def _banner(port: int, stop: Event) -> bool:
    # QEMU accepts the connection before the guest listens: only the server's first words say that it is up.
    end = time.monotonic() + _BANNER_S
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.settimeout(_LOOK_S)
            while not stop.is_set() and time.monotonic() < end:
                try:
                    return connection.recv(4) == b"SSH-"
                except TimeoutError:
                    continue
    except OSError:
        pass
    return False


def _login(port: int, state: Path, stop: Event) -> str | None:
    """Log in; None if that went well, else what ssh said."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "120",  # the first key exchange takes over 3 s without hardware acceleration
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(state / "ssh" / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
    }
    with subprocess.Popen(  # watched while it runs: an interrupt does not wait for it
        _ssh(port, state, options),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        end = time.monotonic() + _LOGIN_S
        while process.poll() is None:
            if stop.wait(_LOOK_S / 2) or time.monotonic() > end:
                process.kill()
        _, said = process.communicate()
    return said if process.returncode else None


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
