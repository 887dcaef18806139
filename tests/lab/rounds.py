"""The lab up and down, again and again: every round has to be green, with every core busy as well.

    python -m tests.lab.rounds --rounds 10 --busy 3         # the first three on a computer that is busy

What happened is in out/test/rounds.json, a line for each round, and on standard output. It ends with 1 at the
first round that is not green; the lab then stays as it is, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra import paths
from tests.lab.conftest import Lab, is_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Round:
    """What came of one `up` and `down`: seconds of each, and what failed."""

    busy: bool
    up_s: float
    down_s: float = 0.0
    failed: str = ""


def told(number: int, one: Round) -> str:
    """One line of what came of a round."""
    load = "busy" if one.busy else "idle"
    word = f"not green: {one.failed}" if one.failed else "green"
    return f"round {number:3}  {load}  up {one.up_s:6.1f} s  down {one.down_s:5.1f} s  {word}"


@contextmanager
def every_core_busy() -> Iterator[None]:
    """Run one process for each core that does nothing but count."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def go_round(lab: Lab, *, busy: bool) -> Round:
    """Bring the lab up, see every check green, and take it down."""
    with every_core_busy() if busy else nullcontext():
        began = time.monotonic()
        up = lab.run("up", "lab")
        took = round(time.monotonic() - began, 1)
        if up.returncode:
            return Round(busy, took, failed=f"up ended with {up.returncode}:\n{up.stdout[-2500:]}")
        began = time.monotonic()
        down = lab.run("down", "lab")
    down_took = round(time.monotonic() - began, 1)
    if down.returncode or is_up():
        return Round(busy, took, down_took, f"down ended with {down.returncode}:\n{down.stdout[-2500:]}")
    return Round(busy, took, down_took)


def main(arguments: Sequence[str] | None = None) -> int:
    """Go round until a round is not green."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--busy", type=int, default=3, help="this many, the first ones, with every core busy")
    given = parser.parse_args(arguments)
    if is_up():
        print("the lab is up already: `./gigasite down lab` first")
        return 1
    logs = paths.ROOT / "out" / "test" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for number in range(1, given.rounds + 1):
        one = go_round(Lab(ours=True, logs=logs), busy=number <= given.busy)
        with (paths.ROOT / "out" / "test" / "rounds.json").open("a") as file:
            file.write(json.dumps(asdict(one)) + "\n")
        print(told(number, one), flush=True)
        if one.failed:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
