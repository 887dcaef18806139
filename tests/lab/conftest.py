"""The lab, brought up for real by the command that a user types, once for all tests of this folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from infra import paths

if TYPE_CHECKING:
    from pathlib import Path

LAUNCHER = paths.ROOT / "gigasite"
LIMIT_S = 5400
"""A first `up` builds the image and may run without hardware acceleration: 5 to 9 minutes here, and room for
a computer that is ten times slower. A command that fails ends by itself."""


@dataclass(frozen=True)
class Lab:
    """The lab site and the command line.

    Attributes:
        ours: it was made for these tests, so they may take it down.
        logs: where each command's output goes.
    """

    ours: bool
    logs: Path

    def run(self, *words: str, limit: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run `./gigasite WORDS…`; its output streams into a log, whose end a failed test shows."""
        log = self.logs / f"{time.time_ns()}-{words[0]}.log"
        with log.open("w") as file:
            code = subprocess.run(
                [LAUNCHER, *words], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                timeout=limit, check=False, cwd=paths.ROOT,
            ).returncode  # fmt: skip
        text = log.read_text(errors="replace")
        print(f"$ ./gigasite {' '.join(words)}   (exit {code}, log {log})\n{text[-4000:]}")
        return subprocess.CompletedProcess(words, code, text, "")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `./gigasite WORDS…` without waiting for it."""
        log = (self.logs / f"{time.time_ns()}-{words[0]}.log").open("w")
        with log:
            return subprocess.Popen(
                [LAUNCHER, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=paths.ROOT,
            )

    @property
    def record(self) -> dict:
        """The latest run's record."""
        return json.loads((paths.out("lab") / "run.json").read_text())

    def step(self, name: str) -> dict:
        """One step of it."""
        return next(step for step in self.record["steps"] if step["name"] == name)


def is_up() -> bool:
    """Whether the lab is there already, by its stacks' state."""
    file = paths.ROOT / ".gigasite" / ".pulumi" / "stacks" / "gigasite" / "lab.pod-01.json"
    if not file.exists():
        return False
    latest = json.loads(file.read_text()).get("checkpoint", {}).get("latest") or {}
    return bool(latest.get("resources"))


KILLS = (("up", 1.0), ("up", 8.0), ("boot", 2.0), ("configure", 12.0))
"""Moments at which the first `up` is killed: in which step, after how many seconds of it."""


def kill_at(site: Lab, step: str, wait: float) -> None:
    """Begin `up` and kill it when that step has run for so long, or when the run has gone past it."""
    began = time.time()
    process = site.start("up", "lab")
    file = paths.out("lab") / "run.json"
    while process.poll() is None and time.time() < began + LIMIT_S:
        fresh = file.exists() and file.stat().st_mtime > began
        steps = {one["name"]: one for one in site.record["steps"]} if fresh else {}
        if step in steps:
            if steps[step]["outcome"] == "running":
                time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.05)
    pytest.fail(f"step {step} was not reached; exit code {process.poll()}", pytrace=False)


@pytest.fixture(scope="session")
def lab(request):
    """The lab, up. It stays up if it was before; else it goes down at the end.

    One that these tests bring up is killed again and again on its way: they all see what comes of that.
    """
    logs = paths.ROOT / "out" / "test" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    site = Lab(ours=not is_up(), logs=logs)
    for step, wait in KILLS if site.ours else ():
        kill_at(site, step, wait)
    done = site.run("up", "lab")
    if done.returncode:
        pytest.fail(f"`./gigasite up lab` failed:\n{done.stdout[-3000:]}", pytrace=False)
    yield site
    if site.ours and is_up():
        down = site.run("down", "lab")
        if down.returncode:
            print(down.stdout[-3000:], file=sys.stderr)
