"""The link between engine and program, and what there is where the program's Python has no greenlets."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from pulumi.runtime._context import wrap_with_context

from benchmarks.boxes.boxes import Boxes
from infra.engine.program.program_link import CallError, Frames, JobLoop, Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.unit


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False


class Received(Frames):
    """An end that keeps what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[tuple[int, int, bytes]] = []

    def received(self, number: int, status: int, body: bytes) -> None:
        self.frames.append((number, status, body))


class Channel:
    """A gRPC channel whose calls tell their thread."""

    def unary_unary(self, path: str, *_: Any) -> Callable[[Any], str]:
        return lambda request: f"gRPC {path} {request} {threading.current_thread().name}"


@pytest.fixture
def link() -> Link:
    made = Link(Channel(), lambda arrives: arrives())
    made.connection_made(Wire())
    return made


def stub(link: Link) -> Callable[[str], str]:
    return link.unary_unary("/a.B/C", request_serializer=str.encode, response_deserializer=bytes.decode)


def sent(link: Link) -> list[tuple[int, int, bytes]]:
    """What a link wrote, as frames."""
    other = Received()
    other.data_received(b"".join(link._transport.written))
    return other.frames


def run(work: Callable[[JobLoop], Any]) -> Any:
    """Run a coroutine function in a loop with jobs."""
    with asyncio.Runner(loop_factory=JobLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, JobLoop)
        return runner.run(work(loop))


@pytest.mark.parametrize("size", [1, 7, 16, 17, 10_000])
def test_frames_arrive_whole_however_they_are_cut(size: int) -> None:
    frames = [(1, 0, b"abc"), (2, 5, b""), (3, 0, bytes(range(256)) * 9)]
    sender, receiver = Received(), Received()
    sender.connection_made(Wire())
    for frame in frames:
        sender.send(*frame)
    stream = b"".join(sender._transport.written)
    for start in range(0, len(stream), size):
        receiver.data_received(stream[start : start + size])
    assert receiver.frames == frames


def test_calls_leave_in_the_order_of_their_jobs_and_wait_for_their_answers(link: Link) -> None:
    call = stub(link)

    async def work(loop: JobLoop) -> list[str]:
        jobs = [loop.run_in_executor(None, wrap_with_context(call), text) for text in "abc"]
        assert sent(link) == [(1, 0, b"/a.B/C\0a"), (2, 0, b"/a.B/C\0b"), (3, 0, b"/a.B/C\0c")]
        for number, status, body in reversed(sent(link)):
            link.received(number, status, body[-1:] * 2)
        return list(await asyncio.gather(*jobs))

    assert run(work) == ["aa", "bb", "cc"]


def test_errors_are_those_of_grpc(link: Link) -> None:
    async def work(loop: JobLoop) -> None:
        refused, cut_off = (loop.run_in_executor(None, wrap_with_context(stub(link)), text) for text in "ab")
        link.received(1, grpc.StatusCode.INVALID_ARGUMENT.value[0], b"no")
        with pytest.raises(CallError) as caught:
            await refused
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "no")
        assert isinstance(caught.value, grpc.RpcError)
        link.connection_lost(None)
        with pytest.raises(CallError) as caught:
            await cut_off
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    run(work)


def test_calls_that_no_job_makes_go_over_grpc(link: Link) -> None:
    async def work(_: JobLoop) -> tuple[str, str]:
        return stub(link)("a"), await asyncio.to_thread(stub(link), "b")

    here, there = run(work)
    assert here == "gRPC /a.B/C a MainThread"
    assert there.startswith("gRPC /a.B/C b asyncio_0")
    assert sent(link) == []


def test_what_a_program_has_done_in_threads_does_not_hold_up_the_loop() -> None:
    together = threading.Barrier(3)  # which nobody passes before the others are there too

    async def work(_: JobLoop) -> list[int]:
        return list(await asyncio.gather(*(asyncio.to_thread(together.wait, 60) for _ in range(3))))

    assert sorted(run(work)) == [0, 1, 2]


@pytest.mark.conformance
def test_a_program_runs_without_greenlets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = tmp_path / "missed"
    (tmp_path / "greenlet.py").write_text(f"open({str(missed)!r}, 'a').close()\nraise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    boxes = Boxes(tmp_path)
    assert boxes.run(COUNT=30) == (0, "")
    assert missed.exists()
    assert len(boxes.items()) == 30
