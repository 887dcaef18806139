"""SIGINT once: finish what is in flight, save. Twice: stop now; what is uncertain is kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import crash  # noqa: E402
import twin  # noqa: E402

from infra.engine.resource import integrity  # noqa: E402
from infra.engine.resource.stack_ref import StackRef  # noqa: E402

pytestmark = pytest.mark.conformance
REF = StackRef("suite", "dev")


@pytest.fixture
def world(tmp_path: Path) -> crash.World:
    made = crash.World(tmp_path / "world", foreign=False, start="salted")
    made.make()
    return made


def slow(world: crash.World, seconds: float) -> None:
    """Prepare a create whose every call takes long enough to be interrupted."""
    world.prepare("create")
    path = world.cloud / "step.json"
    step = json.loads(path.read_text())
    step["faults"] = [{"method": "create", "name": f"r{i}", "delay": seconds} for i in range(crash.COUNT)]
    path.write_text(json.dumps(step))


def names(world: crash.World) -> set[str]:
    resources = world.backend().read(REF).deployment.get("resources") or []
    integrity.check(resources)
    return {one["urn"].rpartition("::")[2] for one in resources if one["type"] == "conf:index:Res"}


def interrupt(world: crash.World, running: subprocess.Popen[str], times: int) -> int:
    world.wait_for_change(running)
    for _ in range(times):
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
    return running.wait(timeout=crash.LIMIT)


def test_once_finishes_what_is_in_flight(world: crash.World) -> None:
    slow(world, 2.0)
    with world.started("create") as running:
        code = interrupt(world, running, 1)
    assert code == 130, world.said()
    made = {identity.rpartition("-")[0] for identity in world.objects()}
    assert made  # what was in flight came to its end
    assert names(world) == made
    assert len(made) < crash.COUNT  # and nothing new was begun
    assert not world.backend().read(REF).deployment.get("pending_operations")
    assert world.backend().locks(REF) == []
    world.run("create")
    assert len(names(world)) == crash.COUNT
    assert all(count == 1 for count in world.effects().values())


def test_twice_stops_at_once_and_keeps_what_is_uncertain(world: crash.World) -> None:
    slow(world, 20.0)
    with world.started("create") as running:
        world.wait_for_change(running)
        began = time.monotonic()
        code = interrupt(world, running, 2)
        took = time.monotonic() - began
    assert code == 130, world.said()
    assert took < 15  # it did not wait for the provider
    pending = world.backend().read(REF).deployment.get("pending_operations") or []
    assert pending
    assert {one["type"] for one in pending} == {"creating"}
    assert world.backend().locks(REF) == []
    world.run("create")
    assert len(names(world)) == crash.COUNT
    assert all(count == 1 for count in world.effects().values())
    assert not world.backend().read(REF).deployment.get("pending_operations")


def test_a_second_run_is_refused_while_the_first_works(world: crash.World) -> None:
    slow(world, 3.0)
    with world.started("create") as running:
        world.wait_for_change(running)
        command = [sys.executable, str(HERE / "crash.py"), "--child", "create", "--root", str(world.root)]
        other = subprocess.run(
            command, env=world.environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert other.returncode != 0
        assert f"process {running.pid} (still running), since 20" in other.stdout + other.stderr
        assert running.wait(timeout=crash.LIMIT) == 0, world.said()
    assert len(names(world)) == crash.COUNT


BLOCKING = {
    "sleeps": ("time.sleep(600)", 1),
    "works": ("while True: pass", 1),
    "sleeps in an apply": ("part.urn.apply(lambda _: time.sleep(600))", 1),
    "catches interrupts": (
        """
        while True:
            try:
                time.sleep(600)
            except BaseException as error:
                print("caught", type(error).__name__)
        """,
        3,
    ),
}
"""A program, and how many interrupts it takes at most to end it in the engine's process."""


@pytest.mark.parametrize("program", BLOCKING)
@pytest.mark.parametrize("engine", twin.EMBEDDED)
@pytest.mark.parametrize("operation", ["preview", "up"])
def test_a_program_that_blocks_can_be_interrupted(
    tmp_path: Path, engine: str, operation: str, program: str
) -> None:
    text, most = BLOCKING[program]
    world = twin.World(tmp_path / "world", engine)
    begun = tmp_path / "begun"
    head = "import pathlib, time, pulumi\npart = pulumi.ComponentResource('my:index:Part', 'part')\n"
    world.program(f"{head}pathlib.Path({str(begun)!r}).touch()\n{textwrap.dedent(text)}")
    command = [sys.executable, str(HERE / "twin.py"), engine, operation, str(tmp_path / "log")]
    with subprocess.Popen(
        command, cwd=world.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        while not begun.exists():
            assert running.poll() is None
            time.sleep(0.05)
        # A program in a process of its own is ended at the first; one that comes while we end would kill us.
        for _ in range(most if engine == "in-process" else 1):
            time.sleep(0.5)
            running.send_signal(signal.SIGINT)
        try:
            said, _ = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 130, said
    assert "Traceback" not in said
    world.backend.read(world.ref)
    left = world.backend.locks(world.ref)
    assert all("`cancel`" in said and not one.alive for one in left), said
