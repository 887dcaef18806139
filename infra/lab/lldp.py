"""LLDP in a fabric of network namespaces: Debian's lldpd on every node, as a site's machines run it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.lab.namespaces import Fabric

CONFIGURATION = """\
configure system hostname {name}
configure lldp portidsubtype ifname
configure lldp tx-interval 2
"""
"""All namespaces share a host name, so each daemon is told its own; seconds between frames."""


@contextmanager
def running_lldp(fabric: Fabric) -> Iterator[None]:
    """Run lldpd on every node while the block lasts.

    Raises:
        UserError: lldpd is not there, or does not start.
    """
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name in fabric.nodes:
            # lldpd reads it after it has given up its rights, so not from a folder of ours.
            file = _configuration(fabric, name)
            file.write_text(CONFIGURATION.format(name=name), encoding="utf-8")
            words = ["lldpd", "-d", "-u", str(_socket(fabric, name)), "-O", str(file), "-I", "*"]
            try:
                child = subprocess.Popen(
                    ["ip", "netns", "exec", fabric.space(name), *words],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except FileNotFoundError as error:
                raise UserError("there is no `ip`", hint="install iproute2") from error
            started.append(child)
        yield
    finally:
        for child in started:
            _end(child)
        for name in fabric.nodes:
            _socket(fabric, name).unlink(missing_ok=True)
            _configuration(fabric, name).unlink(missing_ok=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    # The daemon has a helper without rights in its session: both go.
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(10)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _socket(fabric: Fabric, name: str) -> Path:
    return Path("/run") / f"{fabric.space(name)}.lldp"


def _configuration(fabric: Fabric, name: str) -> Path:
    return _socket(fabric, name).with_suffix(".conf")


def neighbors_of(fabric: Fabric, name: str, limit: float = 20.0) -> str:
    """Return what lldpcli prints of a node's neighbours; waits until its daemon answers.

    Raises:
        UserError: the daemon does not answer within `limit` seconds.
    """
    words = ("lldpcli", "-u", str(_socket(fabric, name)), "-f", "json", "show", "neighbors", "details")
    deadline = time.monotonic() + limit
    while True:
        done = fabric.run(name, *words, check=False)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() > deadline:
            raise UserError(f"lldpd of {name} does not answer: {done.stderr.strip()}", hint="install lldpd")
        time.sleep(0.2)
