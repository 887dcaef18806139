"""The link between the engine and the program's process: the monitor's calls over a pair of sockets.

Measured: over gRPC and threads a call takes both sides 0.8 ms of processor time, over this 0.1 ms. Besides,
calls leave in the order in which the SDK asks for them, which threads shuffle.

Stands alone, as `sdk_measures` does: it is run in the program's process too. Where that has no greenlets, and
for calls that are not a job's, there is gRPC.

A message is a frame: its length, the call's number, the answer's status as gRPC numbers it, and a body: of a
call the method's path, a NUL and the request, of an answer the reply or the error's words.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

import grpc

try:
    import greenlet  # type: ignore[import-untyped]
except ImportError:
    greenlet = None

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD: Final = struct.Struct("<QII")
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)
_STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}


class CallError(grpc.RpcError):
    """A refused call, in the shape that the SDK knows from gRPC."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """The status."""
        return self._code

    def details(self) -> str:
        """The words."""
        return self._details

    def __str__(self) -> str:
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n\tstatus = {self._code}\n"
            f'\tdetails = "{self._details}"\n'
            f'\tdebug_error_string = "{self._code.name}:{self._details}"\n>'
        )


# In the traceback of a program that a call ends it reads as it would over gRPC.
CallError.__module__, CallError.__qualname__, CallError.__name__ = "grpc._channel", *["_InactiveRpcError"] * 2


class Frames(asyncio.Protocol):
    """One end of the link."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        buffer, start = self._buffer, 0
        buffer += data
        while len(buffer) >= (body := start + _HEAD.size):
            length, number, status = _HEAD.unpack_from(buffer, start)
            if len(buffer) < body + length:
                break
            start = body + length
            self.received(number, status, bytes(buffer[body:start]))
        del buffer[:start]

    def received(self, number: int, status: int, body: bytes) -> None:
        """A whole frame is there."""
        raise NotImplementedError

    def send(self, number: int, status: int, body: bytes) -> None:
        """Send a frame, unless nobody listens any more."""
        if not self._transport.is_closing():
            self._transport.write(_HEAD.pack(len(body), number, status) + body)


class Link(Frames):
    """The program's end, with what the SDK's stubs need of a gRPC channel.

    Args:
        channel: the gRPC channel to the same monitor.
        pass_on: lets an answer arrive in its turn (`Turns`).
    """

    def __init__(self, channel: Any, pass_on: Callable[[Callable[[], object]], None]) -> None:
        super().__init__()
        self._channel, self._pass_on = channel, pass_on
        self._calls = 0
        self._waiting: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **_: Any,
    ) -> Callable[..., Any]:
        """See `grpc.Channel.unary_unary`."""
        over_grpc = self._channel.unary_unary(path, request_serializer, response_deserializer)
        head = path.encode() + b"\0"

        def call(request: Any, **options: Any) -> Any:
            current = greenlet.getcurrent()
            if current.parent is None:  # on the loop itself, which has to wait, or in another thread
                return over_grpc(request, **options)
            self._calls += 1
            self._waiting[self._calls] = current
            self.send(self._calls, 0, head + request_serializer(request))
            status, body = current.parent.switch()
            if status:
                raise CallError(_STATUS[status], body.decode())
            return response_deserializer(body)

        return call

    def received(self, number: int, status: int, body: bytes) -> None:
        """Let the job go on that waits for this answer."""
        job = self._waiting.pop(number)
        self._pass_on(lambda: job.switch((status, body)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (see `asyncio.Protocol`)
        """The engine is gone."""
        for number in list(self._waiting):
            self.received(number, grpc.StatusCode.UNAVAILABLE.value[0], b"the engine is gone")


class JobLoop(asyncio.SelectorEventLoop):
    """An event loop that runs the SDK's jobs as greenlets, and all others in threads."""

    def is_job(self, func: Any) -> bool:
        """Whether the function does nothing but a call."""
        return str(getattr(func, "__module__", "")).startswith("pulumi.")

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """See `asyncio.loop.run_in_executor`."""
        if executor is not None or not self.is_job(func):
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()

        def job() -> None:
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 (it is passed on)
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        lightweight = greenlet.greenlet(job)
        lightweight.gr_context = contextvars.copy_context()
        lightweight.switch()
        return future


def connect(
    descriptor: int, address: str, pass_on: Callable[[Callable[[], object]], None]
) -> tuple[asyncio.AbstractEventLoop, Any]:
    """A loop for the program, and what the SDK takes for the monitor.

    Args:
        descriptor: the program's end of the link.
        address: the monitor's over gRPC.
        pass_on: lets an answer arrive in its turn.
    """
    end = socket.socket(fileno=descriptor)
    end.set_inheritable(False)
    if greenlet is None:
        return asyncio.new_event_loop(), address
    from pulumi.runtime.proto import resource_pb2_grpc  # noqa: PLC0415 (the engine has no use for it)

    link: Any = Link(grpc.insecure_channel(address, options=_OPTIONS), pass_on)  # type: ignore[no-untyped-call]
    loop = JobLoop()
    loop.run_until_complete(loop.create_connection(lambda: link, sock=end))
    return loop, resource_pb2_grpc.ResourceMonitorStub(link)
