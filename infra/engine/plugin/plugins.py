"""Plugins: how they are started and greeted, and what is said when one does not work."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import analyzer_pb2_grpc, provider_pb2, provider_pb2_grpc

from infra.engine.errors import EngineError
from infra.engine.plugin.process import Process
from infra.engine.plugin.provider import OPERATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.engine.events import Severity
    from infra.engine.plugin.finder import Command, Finder

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A partial failure carries the resource's whole state in its trailers; Go's gRPC takes 16 MiB, C's 8 KiB.
    ("grpc.max_metadata_size", 16 << 20),
    ("grpc.absolute_max_metadata_size", 16 << 20),
    # Connections stay on this machine; a proxy from the environment must not see them.
    ("grpc.enable_http_proxy", 0),
)
START_LIMIT: Final = 60.0
"""Seconds that a plugin may take until it says its port; the imports of large ones take tens."""
_END_LIMIT: Final = 1.0
"""Seconds in which a plugin that hung up must have ended to count as dead."""


class Plugin:
    """A plugin that runs and has been greeted."""

    def __init__(self, name: str, process: Process | None, channel: grpc.aio.Channel) -> None:
        self.name, self._process, self._channel = name, process, channel
        self.provider_stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self.analyzer_stub = analyzer_pb2_grpc.AnalyzerStub(channel)
        self.handshake: provider_pb2.ProviderHandshakeResponse | None = None

    async def call(self, method: Any, request: Any, operation_id: str = "") -> Any:
        """Call it; if it died meanwhile, say so."""
        reply, _ = await self.call_known(method, request, operation_id)
        return reply

    async def call_known(self, method: Any, request: Any, operation_id: str) -> tuple[Any, bool]:
        """The same, and whether the plugin knows operation ids."""
        metadata = ((OPERATION_ID, operation_id),) if operation_id else None
        try:
            running = method(request, metadata=metadata)
            reply = await running
            if not operation_id:
                return reply, False
            trailing = await running.trailing_metadata() or ()
            return reply, any(key == OPERATION_ID for key, _ in trailing)
        except grpc.aio.AioRpcError as error:
            # Its end is seen a little later than that of its connection.
            if error.code() is grpc.StatusCode.UNAVAILABLE and self._process is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _END_LIMIT)
                    raise _death_error(self.name, self._process) from None
            raise

    async def greet(self, engine_address: str, folder: str | None) -> None:
        """Exchange what both sides can do; old plugins have no such call.

        Raises:
            EngineError: it answers with an error.
        """
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine_address,
            root_directory=folder,
            program_directory=folder,
            configure_with_urn=True,
            invoke_with_preview=True,
            supports_refresh_before_update=True,
            accepts_byte_string=True,
        )
        try:
            self.handshake = await asyncio.wait_for(
                self.call(self.provider_stub.Handshake, request), START_LIMIT
            )
        except TimeoutError:
            raise EngineError(f"the plugin {self.name} does not answer its greeting") from None
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                text = f"the plugin {self.name} does not answer on the port that it said: {error.details()}"
                raise EngineError(text) from None
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                details = error.details() or error.code().name
                raise EngineError(
                    f"the plugin {self.name} refuses to work with this engine: {details}"
                ) from None

    async def cancel(self) -> None:
        """Ask it to give up what it is doing."""
        with _quiet():
            await self.provider_stub.Cancel(Empty(), timeout=1)

    async def close(self) -> None:
        """End it."""
        await self._channel.close()
        if self._process is not None:
            await self._process.stop()


class _quiet:  # noqa: N801 (reads as the statement it is)
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, grpc.RpcError)


def _death_error(name: str, process: Process) -> EngineError:
    code = process.returncode
    how = f"exit code {code}" if code is not None and code >= 0 else f"signal {-(code or 0)}"
    last = "\n".join(process.tail)
    return EngineError(f"the plugin {name} died ({how})" + (f":\n{last}" if last else ""))


class PluginHost:
    """Starts plugins, each once per use, and ends all of them.

    Args:
        finder: where plugins are.
        project_dir: their working folder.
        environment: added to theirs.
        on_line: told every line they print.
        in_process: call providers that can be called so in this process.
    """

    def __init__(
        self,
        finder: Finder,
        project_dir: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str, Severity], None],
        *,
        in_process: bool = False,
    ) -> None:
        self._finder, self._project_dir, self._in_process = finder, project_dir, in_process
        self._warm: dict[tuple[str, str], asyncio.Task[Plugin]] = {}
        self._environment, self._on_line = environment, on_line
        self.engine_address = ""
        self._running: list[Plugin] = []

    def warm_up(self, name: str, version: str) -> None:
        """Start a provider that will be asked for soon."""
        if (name, version) not in self._warm and not _find_debug_port(name):
            task = asyncio.ensure_future(self._fresh(name, version, {}))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._warm[name, version] = task

    async def provider(self, name: str, version: str, environment: Mapping[str, str]) -> Plugin:
        """A fresh process of a provider.

        Raises:
            EngineError: it cannot be found or started.
        """
        warm = None if environment else self._warm.pop((name, version), None)
        plugin: Plugin = await (warm or self._fresh(name, version, environment))
        return plugin

    async def _fresh(self, name: str, version: str, environment: Mapping[str, str]) -> Plugin:
        """A process just started.

        Raises:
            EngineError: it cannot be found or started.
        """
        attached = _find_debug_port(name)
        if attached:
            plugin = await self._attach(name, attached)
        else:
            # Its environment may have to be brought up to date first.
            command = await asyncio.to_thread(self._finder.provider, name, version)
            inside: Plugin | None = self._servicer(command) if not environment else None
            if inside is not None:
                return inside
            plugin = await self.start(command, environment)
        await plugin.greet(self.engine_address, str(self._project_dir))
        return plugin

    def _servicer(self, command: Command) -> Any:
        """The provider in this process, if it can be had so."""
        if not self._in_process or command.folder is None:
            return None
        from infra.engine.plugin.in_process_provider import (  # noqa: PLC0415 (most providers are processes)
            InProcessPlugin,
            load_servicer,
        )

        servicer = load_servicer(command.folder)
        return InProcessPlugin(command.name, servicer, self._on_line) if servicer is not None else None

    async def start(self, command: Command, environment: Mapping[str, str] | None = None) -> Plugin:
        """Start a plugin and wait for its port.

        Raises:
            EngineError: it dies, hangs, or prints something else.
        """
        process = await Process.start(
            (*command.words, self.engine_address),
            cwd=self._project_dir,
            environment={**self._environment, **command.environment, **(environment or {})},
        )
        process.follow(self._on_line, stdout=False)
        try:
            port = await asyncio.wait_for(self._port(command.name, process), START_LIMIT)
        except TimeoutError:
            await process.stop()
            raise EngineError(
                f"the plugin {command.name} did not say its port within {START_LIMIT:.0f} s",
                hint=f"start it by hand: {' '.join(command.words)}",
            ) from None
        except BaseException:
            await process.stop()
            raise
        process.follow(self._on_line, stderr=False)
        plugin = Plugin(
            command.name, process, grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        )
        self._running.append(plugin)
        return plugin

    async def _port(self, name: str, process: Process) -> int:
        try:
            line = (await process.stdout.readline()).decode(errors="replace").strip()
        except ValueError:  # longer than any line may be
            raise EngineError(f"the plugin {name} printed no end of line where its port was due") from None
        if not line:
            await process.wait()
            raise _death_error(name, process)
        if not line.isdecimal() or not 0 < int(line) < 65536:
            raise EngineError(f"the plugin {name} printed {line[:100]!r} where its port was due")
        return int(line)

    async def _attach(self, name: str, port: int) -> Plugin:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        plugin = Plugin(name, None, channel)
        self._running.append(plugin)
        return plugin

    async def cancel(self) -> None:
        """Ask all to give up what they are doing."""
        await asyncio.gather(*(plugin.cancel() for plugin in self._running))

    async def close(self) -> None:
        """End all."""
        for starting in self._warm.values():
            starting.cancel()
        await asyncio.gather(*self._warm.values(), return_exceptions=True)
        await asyncio.gather(*(plugin.close() for plugin in self._running))
        self._running.clear()


def _find_debug_port(name: str) -> int | None:
    """The port of a provider that is being debugged (`PULUMI_DEBUG_PROVIDERS=NAME:PORT,…`)."""
    for entry in os.environ.get("PULUMI_DEBUG_PROVIDERS", "").split(","):
        package, _, port = entry.strip().partition(":")
        if package == name and port.isdecimal():
            return int(port)
    return None
