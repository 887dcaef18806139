"""The engine killed at random moments; the whole two hundred are `python tests/conformance/crash.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.conformance

HERE = Path(__file__).resolve().parent


FOREIGN = ["--moments", "7", "--foreign", "--starts", "unsalted"]
# In parts, for several processors.
PARTS = [["--moments", "7", "--seed", seed] for seed in ("7", "8", "9")]


@pytest.mark.parametrize("arguments", [*PARTS, FOREIGN])
def test_a_kill_loses_nothing_and_does_nothing_twice(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "crash.py", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert f"{arguments[1]} passed, 0 failed" in done.stdout
