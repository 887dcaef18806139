"""A run that is killed at any moment: the next one goes on, and nothing is done twice."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.boxes.boxes import REF, Boxes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

KILLS = int(os.environ.get("CRASH_KILLS", "5"))
"""Kills for each kind of change; the release check uses 40."""
COUNT = 12
CHANGES = {
    "create": ({}, {"COUNT": COUNT}),
    "update": ({"COUNT": COUNT}, {"COUNT": COUNT, "CHANGE": "new"}),
    "replace": ({"COUNT": COUNT, "SITE": "a"}, {"COUNT": COUNT, "SITE": "b"}),
    "replace delete-first": ({"COUNT": COUNT, "ZONE": "a"}, {"COUNT": COUNT, "ZONE": "b"}),
    "destroy": ({"COUNT": COUNT}, None),
}


@pytest.fixture
def stack(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def kill(stack: Boxes, operation: str, delay: float, **settings: object) -> bool:
    """Start an operation and kill it; whether it was still running."""
    process = stack.start(operation, **settings)
    time.sleep(delay)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return running


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("attempt", range(KILLS))
def test_killed_run_is_finished_by_the_next(stack: Boxes, change: str, attempt: int) -> None:
    before, after = CHANGES[change]
    if before:
        assert stack.run(**before)[0] == 0
    start = stack.effects()
    moment = random.Random(f"{change} {attempt}")
    operation = "up" if after else "destroy"
    settings = {**(after or before), "IDEMPOTENT": 1, "DELAY": 0.01}
    kill(stack, operation, 0.7 + moment.random() * 1.2, in_process=bool(attempt % 2), **settings)
    stack.recover()
    assert stack.deployment() is not None  # sound, whatever the moment

    code, said = stack.run(operation, **settings)

    assert code == 0, said
    assert not stack.deployment().get("pending_operations"), said
    assert {item["id"] for item in stack.items().values()} == stack.living(), stack.text()
    assert len(stack.items()) == (COUNT if after else 0)
    done = stack.effects() - start
    assert all(count == 1 for count in done.values()), done


def test_foreign_provider_leaves_a_pending_create(stack: Boxes) -> None:
    """A provider that knows no operation ids: what is uncertain is reported, as the CLI does."""
    process = stack.start(COUNT=6, DELAY=0.5)
    deadline = time.monotonic() + 30
    while not stack.backend.files(REF).journal.exists() or b'"begin"' not in (
        stack.backend.files(REF).journal.read_bytes()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stack.recover()

    pending = stack.deployment()["pending_operations"]
    assert pending[0]["type"] == "creating"

    code, said = stack.run(COUNT=6)
    assert code == 0
    assert "pending operations from previous deployment" in said
    assert pending[0]["resource"]["urn"] in said


def test_interrupt_once_finishes_what_is_in_flight(stack: Boxes) -> None:
    process = stack.start(COUNT=40, DELAY=0.2)
    while not stack.effects():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert not stack.deployment().get("pending_operations")
    assert {item["id"] for item in stack.items().values()} == stack.living()
    assert 0 < len(stack.items()) < 40
    assert stack.run(COUNT=40)[0] == 0


def test_interrupt_twice_stops_now_and_tells_what_is_pending(stack: Boxes) -> None:
    process = stack.start(COUNT=40, DELAY=2)
    while not stack.backend.files(REF).journal.exists() or b'"begin"' not in (
        stack.backend.files(REF).journal.read_bytes()
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)

    assert process.returncode == 130, said
    assert stack.deployment()["pending_operations"]
