"""An ssh server of this user on loopback, with keys of its own: something real to log in to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START_S = 20
LISTENS = 16
"""Ports that one sshd listens on at most (MAX_LISTEN_SOCKS of sshd.c)."""


@contextmanager
def serve(folder: Path, ports: Sequence[int] = (), path: str = "") -> Iterator[Path]:
    """Serve ssh on 127.0.0.1.

    Args:
        folder: empty, for keys and configuration; nobody else may write there.
        ports: a free one if none is named.
        path: PATH of logins, if not the usual one.

    Yields:
        an ssh_config with the host `here`, which shares no connection.

    Raises:
        UserError: there is no sshd, or it does not answer.
    """
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if sshd is None:
        raise UserError("sshd is not installed", hint="apt-get install openssh-server")
    folder.chmod(0o700)
    for name in ("host", "user"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name])
    shutil.copy(folder / "user.pub", folder / "authorized")
    # bash reads ~/.bashrc for sshd: what this user has there would be measured with each command.
    home = folder / "home"
    home.mkdir()
    ports = ports or [_free_port()]
    port = ports[0]
    key = (folder / "host.pub").read_text(encoding="utf-8")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}", encoding="utf-8")
    (folder / "config").write_text(
        f"Host here\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'user'}\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known'}\n StrictHostKeyChecking yes\n",
        encoding="utf-8",
    )
    words: list[str | Path] = [
        sshd, "-D", "-e", "-f", "/dev/null", "-h", folder / "host",
        *(f"-o{option}" for option in (
            "ListenAddress=127.0.0.1", f"AuthorizedKeysFile={folder / 'authorized'}", "StrictModes=no",
            "PasswordAuthentication=no", "PermitRootLogin=prohibit-password", "UsePAM=no", "PidFile=none",
            "MaxStartups=100", f"SetEnv=HOME={home}" + (f" PATH={path}" if path else ""),
        )),
    ]  # fmt: skip
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # noqa: PTH103 (privilege separation wants it)
    with ExitStack() as started:
        log = started.enter_context((folder / "log").open("wb"))
        for first in range(0, len(ports), LISTENS):
            some = ports[first : first + LISTENS]
            listen = [word for port in some for word in ("-p", str(port))]
            server = started.enter_context(subprocess.Popen([*words, *listen], stderr=log))
            started.callback(server.terminate)
            _wait_for(some[-1], server, folder / "log")
        yield folder / "config"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise UserError(f"sshd does not answer:\n{log.read_text(errors='replace')[-500:]}")
