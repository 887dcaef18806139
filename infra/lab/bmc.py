"""BMC emulators: one sushy-tools Redfish service per stand-in, on 127.0.0.1 with TLS and a password."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.files import hold_lock, write_whole
from infra.lab import ports, session
from infra.lab.identity import Identity, ensure_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

# It imports Flask and libvirt: 2 s alone, more when five start at once. One that ends is not waited for.
_READY_LIMIT_S = 300.0
_STOP_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class BmcProcess:
    """A running emulator.

    Attributes:
        pid: its process.
        start: start time in clock ticks since the host's boot; with the pid it names one process for ever.
        port: TCP port on 127.0.0.1.
        config: hash of nothing but the configuration's text, so that a changed one restarts it.
    """

    pid: int
    start: str
    port: int
    config: str


def ensure_bmc(state_dir: Path, name: str, uuid: str, port: int) -> BmcProcess:
    """Run a machine's BMC emulator; a dead one or one with another port is started afresh.

    It serves this one machine, over TLS with a certificate of the site's CA, and asks for the credential
    named after the machine. Returns when it answers.

    Args:
        state_dir: the site's local state.
        name: the machine's name.
        uuid: its SMBIOS UUID; the emulator hides all others.
        port: TCP port on 127.0.0.1.

    Raises:
        UserError: the port is in use, or the emulator did not come up, with its last lines.
    """
    identity = ensure_identity(state_dir, [name])
    folder = identity.machine(name)
    text = _config(identity, name, uuid, port)
    with hold_lock(state_dir / "locks" / f"{name}.bmc.lock"):
        running = bmc_process(state_dir, name)
        if running and running.port == port and running.config == text and _answers(port, identity):
            return running
        _stop(state_dir, name)
        ports.require_free(port, "tcp", f"the BMC of {name}")
        write_whole(folder / "bmc.conf", text)
        (folder / "bmc").mkdir(mode=0o700, exist_ok=True)
        session.connect()  # the emulator cannot start libvirt's daemons
        with (folder / "bmc.log").open("ab") as log:
            process = subprocess.Popen(  # the one daemon of ours: it outlives this command
                [sys.executable, "-P", "-m", "infra.lab.emulator", "--config", folder / "bmc.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder,
                env=_environment(),
            )  # fmt: skip
        started = BmcProcess(process.pid, session.start_time(process.pid), port, text)
        write_whole(
            folder / "bmc.pid", json.dumps({k: getattr(started, k) for k in ("pid", "start", "port")})
        )
        _wait_ready(process, port, identity, folder / "bmc.log", name)
        return started


def remove_bmc(state_dir: Path, name: str) -> bool:
    """Stop a machine's BMC emulator if it runs; its files go with the machine's folder."""
    with hold_lock(state_dir / "locks" / f"{name}.bmc.lock"):
        stopped = _stop(state_dir, name)
    (state_dir / "locks" / f"{name}.bmc.lock").unlink(missing_ok=True)
    return stopped


def bmc_process(state_dir: Path, name: str) -> BmcProcess | None:
    """A machine's emulator if it runs: the recorded process, not another one that got its id."""
    folder = Identity(state_dir).machine(name)
    try:
        record = json.loads((folder / "bmc.pid").read_text())
        config = (folder / "bmc.conf").read_text()
        if session.start_time(record["pid"]) != record["start"] or _zombie(record["pid"]):
            return None
        return BmcProcess(record["pid"], record["start"], record["port"], config)
    except (OSError, ValueError, KeyError):
        return None


def _config(identity: Identity, name: str, uuid: str, port: int) -> str:
    tls = identity.tls(name)
    settings = {
        "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
        "SUSHY_EMULATOR_LISTEN_PORT": port,
        "SUSHY_EMULATOR_SSL_CERT": str(tls.certificate),
        "SUSHY_EMULATOR_SSL_KEY": str(tls.key),
        "SUSHY_EMULATOR_AUTH_FILE": str(identity.htpasswd(name)),
        "SUSHY_EMULATOR_LIBVIRT_URI": session.URI,
        "SUSHY_EMULATOR_ALLOWED_INSTANCES": [uuid.lower()],
        "SUSHY_EMULATOR_STATE_DIR": str(identity.machine(name) / "bmc"),
        # As in the domain's SMBIOS; see infra.lab.emulator.
        "GIGASITE_SERIAL": name,
        "GIGASITE_MODEL": "stand-in",
        "GIGASITE_SESSIONS": 16,
    }
    return "# Made by gigasite for sushy-emulator; rewritten at each start.\n" + "".join(
        f"{key} = {value!r}\n" for key, value in settings.items()
    )


def _environment() -> Mapping[str, str]:
    # It listens for real connections only; a proxy or a user's own settings have no part in it.
    kept = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return {name: value for name, value in os.environ.items() if name in kept} | {
        "MALLOC_ARENA_MAX": "1",  # threads each with an arena of their own double its memory
    }


def _wait_ready(
    process: subprocess.Popen[bytes], port: int, identity: Identity, log: Path, name: str
) -> None:
    end = time.monotonic() + _READY_LIMIT_S
    while not _answers(port, identity):
        if process.poll() is not None or time.monotonic() > end:
            why = "ended" if process.returncode is not None else f"did not answer in {_READY_LIMIT_S:.0f} s"
            _stop(identity.state, name)
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise UserError(f"the BMC emulator {why}:\n{tail}", where=name, hint=f"read {log}")
        time.sleep(0.1)


def _answers(port: int, identity: Identity) -> bool:
    """Whether our server, proved by our CA, answers there."""
    context = ssl.create_default_context(cafile=str(identity.ca))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(b"GET /redfish/v1/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def _stop(state_dir: Path, name: str) -> bool:
    running = bmc_process(state_dir, name)
    if running is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_LIMIT_S
    while bmc_process(state_dir, name):
        if time.monotonic() > end:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
        time.sleep(0.05)
    with suppress(ChildProcessError):  # if it is ours, take its exit status
        os.waitpid(running.pid, os.WNOHANG)
    return True


def _zombie(pid: int) -> bool:
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
