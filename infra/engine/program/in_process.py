"""The fast mode: the program in the engine's own process and thread.

The SDK makes its calls from worker threads, each of which would wait for the other side of a socket. Here
its jobs run as greenlets instead: a call to the monitor becomes a task of the engine's loop, and the greenlet
sleeps until that is done. What the program does meanwhile is what it would do in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import runpy
import sys
import warnings
from typing import TYPE_CHECKING, Any

import greenlet  # type: ignore[import-untyped]
import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import engine_pb2, resource_pb2_grpc

from infra.engine.deploy.source_events import ProgramEndEvent
from infra.engine.errors import EngineError
from infra.engine.program import sdk_patches
from infra.engine.program.interrupts import InterruptedProgram
from infra.engine.program.program_environment import IN_PROGRAM, program_environment
from infra.engine.program.program_runner import trace_of
from infra.engine.program.request_queue import RequestQueue
from infra.engine.program.rpc_errors import Refused
from infra.engine.resource.version_range import check_version

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from infra.engine.events import Severity
    from infra.engine.program.engine_service import EngineService
    from infra.engine.program.monitor import Monitor

# What asyncio says of tasks that nobody waits for any more.
_OF_ABANDONED_TASKS = ("never retrieved", "destroyed but it is pending", "during asyncio.run() shutdown")


class _InactiveRpcError(grpc.RpcError):
    """Refused call, in the shape that the SDK knows from gRPC.

    Named and printed as there: a program's traceback shows it, and is the same in a process of its own.
    """

    __module__ = "grpc._channel"

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """Return the status."""
        return self._code

    def details(self) -> str:
        """Return the message."""
        return self._details

    def __str__(self) -> str:
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n\tstatus = {self._code}\n"
            f'\tdetails = "{self._details}"\n'
            f'\tdebug_error_string = "{self._code.name}:{self._details}"\n>'
        )


class Loop(asyncio.SelectorEventLoop):
    """An event loop that runs the program's jobs as greenlets, and all others in threads."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing of what nobody awaited: of a failed program that is a lot, and by the SDK's design."""
        message = context.get("message", "")
        interrupted = isinstance(context.get("exception"), InterruptedProgram)
        if not interrupted and not any(words in message for words in _OF_ABANDONED_TASKS):
            super().call_exception_handler(context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """See `asyncio.loop.run_in_executor`."""
        if executor is not None or not IN_PROGRAM.get():
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


class MonitorStub:
    """The monitor, with the methods of a gRPC stub."""

    def __init__(self, monitor: Monitor, outside: contextvars.Context) -> None:
        self._monitor, self._outside = monitor, outside
        self._queue = RequestQueue()

    async def _answer(self, name: str, request: Any) -> Any:
        await self._queue.wait()
        return await self._monitor.answer(name, request)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine, for a greenlet that can sleep."""
        current = greenlet.getcurrent()
        loop, queue = asyncio.get_running_loop(), self._queue
        task = loop.create_task(work, context=self._outside.copy())
        if current.parent is None:
            # Called on the loop itself, which then has to go on inside: as the SDK does for its own invokes.
            from pulumi.runtime.sync_await import _sync_await  # noqa: PLC0415 (only programs that call this way)

            reply = loop.create_future()
            task.add_done_callback(lambda _: queue.pass_on(lambda: reply.set_result(None)))
            _sync_await(reply)
        else:
            task.add_done_callback(lambda _: queue.pass_on(current.switch))
            while not task.done():
                current.parent.switch()
        try:
            return task.result()
        except Refused as refused:
            raise _InactiveRpcError(refused.code, str(refused)) from None
        except Exception as error:  # noqa: BLE001 (the border between the two, as a socket would be)
            raise _InactiveRpcError(grpc.StatusCode.UNKNOWN, str(error).strip()) from None

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        """A call of the protocol."""
        if not hasattr(resource_pb2_grpc.ResourceMonitorServicer, name):
            raise AttributeError(name)
        handler = self._monitor.handlers.get(name)
        if handler is not None and not inspect.iscoroutinefunction(handler):
            return handler
        return lambda request: self._call(self._answer(name, request))


class EngineStub:
    """The Engine service, with the methods of a gRPC stub."""

    def __init__(self, service: EngineService, outside: contextvars.Context) -> None:
        self._service, self._outside = service, outside

    def Log(self, request: Any) -> Any:  # noqa: D102, N802
        self._outside.copy().run(self._service.log, request)
        return Empty()

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: D102, N802
        try:
            check_version(request.pulumi_version_range)
        except EngineError as error:
            raise _InactiveRpcError(grpc.StatusCode.UNKNOWN, str(error)) from None
        return engine_pb2.RequirePulumiVersionResponse()


class _ExitError(Exception):
    """The program called `sys.exit`."""


class InProcessProgram:
    """A program that runs in this process.

    Args:
        monitor: what it talks to; told when it ends.
        service: where it logs.
        on_line: told every line it prints.
        environment: variables that are set or, by None, unset while it runs.
    """

    def __init__(
        self,
        monitor: Monitor,
        service: EngineService,
        on_line: Callable[[str, Severity], None],
        environment: Mapping[str, str | None],
    ) -> None:
        self._monitor, self._service, self._on_line = monitor, service, on_line
        self._environment = environment
        self._task: asyncio.Task[None] | None = None
        self._outside = contextvars.copy_context()

    def start(self, program: Path) -> None:
        """Start it."""
        self._task = asyncio.get_running_loop().create_task(self._run(program))

    async def _run(self, program: Path) -> None:
        import pulumi  # noqa: PLC0415 (0.3 s, and not needed where the program has a process of its own)
        import pulumi.runtime  # noqa: PLC0415

        sdk_patches.apply()
        warnings.filterwarnings("ignore", message="coroutine 'Output.* was never awaited")
        info = self._monitor.info
        IN_PROGRAM.set(True)
        pulumi.runtime.set_all_config(info.config, info.secret_keys)
        pulumi.runtime.settings.ROOT.set(None)
        pulumi.runtime.configure(
            pulumi.runtime.Settings(
                project=info.project,
                stack=info.stack,
                monitor=MonitorStub(self._monitor, self._outside),
                engine=EngineStub(self._service, self._outside),
                parallel=info.parallel,
                dry_run=info.preview,
                organization=info.organization,
                root_directory=str(info.project_dir),
            )
        )
        push = self._monitor.deployment.push
        with program_environment(program, info.program_dir, self._print, self._environment):
            try:
                await pulumi.runtime.run_in_stack(lambda: _execute(program))
            except asyncio.CancelledError:
                raise
            except InterruptedProgram:
                pass
            except pulumi.RunError as error:
                pulumi.log.error(str(error))
                push(ProgramEndEvent(_exited(1)))
            except _ExitError as ended:
                code = ended.args[0]
                push(ProgramEndEvent(_exited(code) if code else None))
            except BaseException:  # noqa: BLE001 (whatever the program raises)
                text = "Program failed with an unhandled exception:\n" + trace_of(str(program))
                pulumi.log.error(text)
                push(ProgramEndEvent(""))
            else:
                if not self._monitor.signalled:
                    push(ProgramEndEvent())

    def _print(self, line: str, severity: Severity) -> None:
        self._outside.copy().run(self._on_line, line, severity)

    async def finish(self, *, wait: float) -> None:
        """Let it end by itself for some seconds, then end it."""
        if self._task is None:
            return
        if wait:
            await asyncio.wait([self._task], timeout=wait)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)


def _exited(code: Any) -> str:
    return f"an unhandled error occurred: program exited with non-zero exit code: {code}"


def _execute(program: Path) -> None:
    try:
        runpy.run_path(str(program), run_name="__main__")
    except SystemExit as ended:
        code = ended.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
            code = 1
        raise _ExitError(code) from None
