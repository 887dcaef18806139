"""Debian's OpenSM on a simulated InfiniBand fabric (ibsim): a site's control plane without its cables."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import process
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HINT = "`gigasite doctor` says what is missing: opensm, ibsim-utils, infiniband-diags"
ROOM = ("-N", "20000", "-S", "1000", "-P", "200000")
"""Nodes, switches and ports that ibsim makes room for."""


@dataclass(frozen=True, slots=True)
class Swept:
    """Files and routes that OpenSM left.

    Attributes:
        up: it said SUBNET UP.
        subnet: its `opensm-subnet.lst`.
        tables: its `opensm-lfts.dump`.
        errors: lines of its log that are errors.
        seconds: from its start to its end.
    """

    up: bool
    subnet: str
    tables: str
    errors: tuple[str, ...]
    seconds: float


class Simulator:
    """A running ibsim; programs are run against it as on the node `host`."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder, self.host = folder, host
        self.socket = f"gigasite-{os.getpid()}-{folder.name}"

    def environment(self) -> dict[str, str]:
        """Surroundings of a program that is to see the simulated fabric."""
        return {**os.environ, "SIM_HOST": self.host, "IBSIM_SOCKNAME": self.socket,
                "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}  # fmt: skip

    def sweep(self, timeout: float) -> Swept:
        """Run OpenSM once over the fabric.

        Raises:
            UserError: it is missing, or ran over its time.
        """
        began = time.monotonic()
        done = process.run(
            ["ibsim-run", "opensm", "-o", "-F", self.folder / "opensm.conf"],
            env={**self.environment(), "OSM_CACHE_DIR": str(self.folder), "OSM_TMP_DIR": str(self.folder)},
            cwd=self.folder, check=False, timeout=timeout, hint=HINT,
        )  # fmt: skip
        seconds = time.monotonic() - began
        log = _text(self.folder / "opensm.log")
        if not log:
            raise UserError(f"opensm did not start:\n{(done.stdout + done.stderr).strip()[-800:]}", hint=HINT)
        return Swept(
            up="SUBNET UP" in log,
            subnet=_text(self.folder / "opensm-subnet.lst"),
            tables=_text(self.folder / "opensm-lfts.dump"),
            errors=tuple(re.findall(r"\bERR [0-9A-F]+: .*", log)),
            seconds=seconds,
        )

    def keys_of(self, lid: int) -> tuple[int, ...]:
        """Partition keys that a port was given.

        Raises:
            UserError: it does not answer.
        """
        done = process.run(
            ["ibsim-run", "smpquery", "pkeys", str(lid)], env=self.environment(), timeout=30, hint=HINT
        )
        return tuple(
            int(word, 16) for word in re.findall(r"0x([0-9a-fA-F]{4})\b", done.stdout) if int(word, 16)
        )


@contextmanager
def simulate(folder: Path, topology: str, files: Mapping[str, str], host: str) -> Iterator[Simulator]:
    """Run ibsim on a topology while the block lasts.

    Args:
        folder: for all files; OpenSM writes there too.
        topology: text that ibsim reads.
        files: OpenSM's, by name.
        host: the node that OpenSM runs on; ibsim takes names of up to 31 characters here.

    Raises:
        UserError: ibsim is missing or refuses the topology.
    """
    for name, text in {"topology": topology, **files}.items():
        (folder / name).write_text(text, encoding="utf-8")
    simulator = Simulator(folder, host)
    with (folder / "ibsim.log").open("wb") as log:
        try:
            running = subprocess.Popen(
                ["ibsim", "-s", *ROOM, folder / "topology"], env=simulator.environment(),
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise UserError("ibsim is not installed", hint=HINT) from error
        try:
            _wait_for_start(running, folder / "ibsim.log")
            yield simulator
        finally:
            running.terminate()
            running.wait(timeout=10)


def _wait_for_start(running: subprocess.Popen[bytes], log: Path, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while "sim>" not in _text(log):
        if running.poll() is not None or time.monotonic() > deadline:
            raise UserError(
                f"ibsim did not start:\n{_text(log).strip()[-800:]}", where=str(log.parent / "topology")
            )
        time.sleep(0.05)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
