"""An ssh server of this user on loopback, with keys of its own: something real to log in to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 20


@contextmanager
def serve(folder: Path) -> Iterator[Path]:
    """Serve ssh on a free port of 127.0.0.1.

    Args:
        folder: empty, for keys and configuration; nobody else may write there.

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = (folder / "host.pub").read_text(encoding="utf-8")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}", encoding="utf-8")
    (folder / "config").write_text(
        f"Host here\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'user'}\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known'}\n StrictHostKeyChecking yes\n",
        encoding="utf-8",
    )
    words: list[str | Path] = [
        sshd, "-D", "-e", "-f", "/dev/null", "-h", folder / "host", "-p", str(port),
        *(f"-o{option}" for option in (
            "ListenAddress=127.0.0.1", f"AuthorizedKeysFile={folder / 'authorized'}", "StrictModes=no",
            "PasswordAuthentication=no", "PermitRootLogin=prohibit-password", "UsePAM=no", "PidFile=none",
            "MaxStartups=100",
        )),
    ]  # fmt: skip
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # noqa: PTH103 (privilege separation wants it)
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stderr=log) as server:
        try:
            _wait_for(port, server, folder / "log")
            yield folder / "config"
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise UserError(f"sshd does not answer:\n{log.read_text(errors='replace')[-500:]}")
