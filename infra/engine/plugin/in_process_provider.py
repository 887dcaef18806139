"""Providers in the engine's own process: their servicers are called without a socket between."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc

from infra.engine.events import Severity
from infra.engine.plugin.provider import OPERATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from pathlib import Path

PROVIDER_MODULE: Final = "in_process.py"
"""A source plugin with this file can be called in the engine's process; `servicer()` in it makes one."""


class _Call:
    """A call's context, as servicers know it from gRPC."""

    def __init__(self, operation_id: str) -> None:
        self._metadata = ((OPERATION_ID, operation_id),) if operation_id else ()
        self.trailing: tuple[tuple[str, Any], ...] = ()

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of the request."""
        return self._metadata

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Take the metadata of the reply."""
        self.trailing = tuple(metadata)

    def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Any:
        """End the call with an error."""
        raise _CallError(code, details, (*self.trailing, *trailing_metadata))

    def is_active(self) -> bool:
        """Whether anybody still waits."""
        return True


class _CallError(grpc.RpcError):
    """A call that failed, as gRPC's own client raises it."""

    def __init__(
        self, code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, Any], ...] = ()
    ) -> None:
        super().__init__(details)
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        """Return the status."""
        return self._code

    def details(self) -> str:
        """Return the message."""
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, Any], ...]:
        """Return what came beside the error."""
        return self._trailing


class InProcessPlugin:
    """A provider in this process, with the face of `plugins.Plugin`."""

    handshake = None

    def __init__(self, name: str, servicer: Any, on_line: Callable[[str, Severity], None]) -> None:
        self.name, self.provider_stub, self._on_line = name, servicer, on_line

    async def call(self, method: Any, request: Any, operation_id: str = "") -> Any:
        """Call the servicer's method."""
        reply, _ = await self.call_known(method, request, operation_id)
        return reply

    async def call_known(self, method: Any, request: Any, operation_id: str) -> tuple[Any, bool]:
        """The same, and whether the provider knows operation ids."""
        context = _Call(operation_id)
        try:
            with self._overheard():
                reply = method(request, context)
            if asyncio.iscoroutine(reply):
                reply = await _Steps(reply, self._overheard)
        except grpc.RpcError:
            raise
        except NotImplementedError:
            raise _CallError(grpc.StatusCode.UNIMPLEMENTED, "not implemented") from None
        except Exception as error:
            text = f"Exception calling application: {error}"  # what gRPC's servers answer
            raise _CallError(grpc.StatusCode.UNKNOWN, text) from error
        return reply, any(key == OPERATION_ID for key, _ in context.trailing)

    @contextmanager
    def _overheard(self) -> Iterator[None]:
        """Tell what it prints meanwhile, as of a process; it is the only one that runs."""
        out, err = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        finally:
            for text, severity in ((out, Severity.INFO), (err, Severity.INFO_ERR)):
                for line in text.getvalue().splitlines():
                    self._on_line(line, severity)

    async def cancel(self) -> None:
        """It ends with its calls."""

    async def close(self) -> None:
        """There is no process to end."""


class _Steps:
    """A coroutine each step of which runs inside a context."""

    def __init__(self, work: Coroutine[Any, Any, Any], inside: Callable[[], Any]) -> None:
        self._work, self._inside = work, inside

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = partial(self._work.send, None)
        while True:
            try:
                with self._inside():
                    waits_for = step()
            except StopIteration as ended:
                return ended.value
            try:
                step = partial(self._work.send, (yield waits_for))
            except BaseException as error:  # noqa: BLE001 (it is the coroutine's)
                step = partial(self._work.throw, error)


def load_servicer(folder: Path) -> Any | None:
    """A fresh servicer of a source plugin that can be called in this process; None if it cannot."""
    path = folder / PROVIDER_MODULE
    if not path.is_file():
        return None
    name = f"_pulumi_provider_{abs(hash(str(path)))}"
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module.servicer()
