"""Plugins: where they are found, how they are started, and what is said when one does not work."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import analyzer_pb2_grpc, provider_pb2, provider_pb2_grpc

from infra.engine import yamlfile
from infra.engine.errors import EngineError
from infra.engine.events import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.engine.project import PluginPath

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
STOP_LIMIT: Final = 2.0
"""Seconds between asking a plugin to end and ending it."""
OPERATION_ID: Final = "x-pulumi-operation-id"
"""gRPC metadata key of Create, Update and Delete: an id of the operation that stays the same when it is tried
again after a crash, so that a provider that knows it can answer with what it did the first time. Such a
provider says so by the same key and value in its reply's trailing metadata; others do not see it."""
PYTHON_DYNAMIC: Final = "pulumi-python"
"""The package of dynamic providers; their provider comes with the SDK."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a plugin."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """Of a Python source plugin: its sources, if this process's interpreter runs it."""


class Finder:
    """Finds plugins where the CLI does.

    Args:
        named: what the project names under `plugins:`.
        python: the interpreter of the program, which also runs dynamic providers.
    """

    def __init__(self, named: Sequence[PluginPath], python: str = sys.executable) -> None:
        self._named, self._python = named, python

    def provider(self, name: str, version: str = "") -> Command:
        """How to start a resource provider.

        Raises:
            EngineError: there is none of that name and version.
        """
        if name == PYTHON_DYNAMIC:
            return Command(name, (self._python, "-u", "-m", "pulumi.dynamic"))
        for one in self._named:
            fits = not version or not one.version or one.version == version
            if one.kind == "resource" and one.name == name and fits:
                return self._at(name, one.path)
        program = f"pulumi-resource-{name}"
        found = shutil.which(program)
        if found:
            return Command(name, (found,))
        installed = self._installed(name, version)
        if installed is not None:
            return self._at(name, installed)
        wanted = f"{name} {version}".strip()
        raise EngineError(
            f"no provider plugin for {wanted}",
            hint=f"name its folder under `plugins: providers:` in Pulumi.yaml, or put {program} on PATH",
        )

    def _installed(self, name: str, version: str) -> Path | None:
        """The folder of a plugin in PULUMI_HOME, the newest if no version is wanted."""
        home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        found = sorted((home / "plugins").glob(f"resource-{name}-v[0-9]*"), key=_version_of)
        found = [path for path in found if path.is_dir()]
        if version:
            found = [path for path in found if path.name == f"resource-{name}-v{version}"]
        return found[-1] if found else None

    def _at(self, name: str, path: Path) -> Command:
        """The plugin in a folder, or the executable at a path."""
        if path.is_file():
            return Command(name, (str(path),))
        described = path / "PulumiPlugin.yaml"
        if described.is_file():
            return self._source(name, path, described)
        for program in (path / f"pulumi-resource-{name}", path / f"pulumi-analyzer-{name}"):
            if program.is_file():
                return Command(name, (str(program),))
        raise EngineError(
            f"{path} is no plugin: it has neither PulumiPlugin.yaml nor pulumi-resource-{name}",
            hint="look at `plugins:` in Pulumi.yaml",
        )

    def _source(self, name: str, folder: Path, described: Path) -> Command:
        runtime, options = runtime_of(described)
        if runtime == "python":
            python = python_of(folder, options, self._python)
            return Command(name, (python, "-u", str(folder)), folder=folder if is_ours(python) else None)
        raise EngineError(
            f"the plugin {folder} is written for the runtime {runtime!r}; this engine runs Python source "
            "plugins and executables",
            hint="build it as an executable, or use `--engine pulumi`",
        )


def is_ours(python: str) -> bool:
    """Whether an interpreter is that of this process, with the same packages."""
    return python == sys.executable or Path(python).parent.parent.resolve() == Path(sys.prefix).resolve()


def runtime_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The runtime and its options that a Pulumi.yaml, PulumiPlugin.yaml or PulumiPolicy.yaml names.

    Raises:
        EngineError: it cannot be read.
    """
    document = yamlfile.load(path)
    content = document.value if document else None
    runtime = content.get("runtime") if isinstance(content, dict) else None
    if isinstance(runtime, dict) and isinstance(runtime.get("name"), str):
        return runtime["name"], runtime.get("options") or {}
    if not isinstance(runtime, str):
        raise EngineError(f"{path} does not say for which runtime it is")
    return runtime, {}


def python_of(folder: Path, options: Mapping[str, Any], fallback: str) -> str:
    """The interpreter for Python sources: that of the `virtualenv` option, else the fallback.

    Raises:
        EngineError: the virtual environment is not there.
    """
    virtualenv = options.get("virtualenv")
    if not virtualenv:
        return fallback
    python = folder / virtualenv / "bin" / "python"
    if not python.exists():
        raise EngineError(f"the virtual environment {folder / virtualenv} is not there", hint="make it first")
    return str(python)


def _version_of(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", path.name.rpartition("-v")[2]))


class Process:
    """A program that the engine started and ends: a plugin or the program itself.

    It dies with the engine where the system can do that (Linux with util-linux), and is in a session of its
    own, so that an interrupt from the keyboard reaches only the engine.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.tail: deque[str] = deque(maxlen=20)
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        words: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        stdin: bytes | None = None,
    ) -> Process:
        """Start a program with its output in pipes.

        Raises:
            EngineError: it cannot be started.
        """
        keeper = shutil.which("setpriv")
        prefix = [keeper, "--pdeathsig", "TERM", "--"] if keeper else []
        try:
            process = await asyncio.create_subprocess_exec(
                *prefix,
                *words,
                cwd=cwd,
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=1 << 24,
            )
        except OSError as error:
            raise EngineError(f"cannot start {words[0]}: {error.strerror}") from error
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return cls(process)

    @property
    def stdout(self) -> asyncio.StreamReader:
        """Its output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def returncode(self) -> int | None:
        """How it ended, if it did."""
        return self._process.returncode

    def follow(
        self, on_line: Callable[[str, Severity], None], *, stdout: bool = True, stderr: bool = True
    ) -> None:
        """Pass its lines on as they come, and keep the last ones."""
        assert self._process.stderr is not None
        streams = [(self._process.stderr, Severity.INFO_ERR)] if stderr else []
        if stdout:
            streams.append((self.stdout, Severity.INFO))
        self._readers += [asyncio.ensure_future(self._read(*stream, on_line)) for stream in streams]

    async def _read(
        self, stream: asyncio.StreamReader, severity: Severity, on_line: Callable[[str, Severity], None]
    ) -> None:
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip("\r\n")
            self.tail.append(text)
            on_line(text, severity)

    async def wait(self) -> int:
        """Wait for its end and for its last lines."""
        code = await self._process.wait()
        if self._readers:
            # A grandchild may hold the pipes open for longer.
            await asyncio.wait(self._readers, timeout=STOP_LIMIT)
        return code

    async def stop(self) -> None:
        """End it: ask first."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_LIMIT)
            except TimeoutError:
                self._signal(signal.SIGKILL)
                await self._process.wait()
        for reader in self._readers:
            reader.cancel()

    def _signal(self, number: signal.Signals) -> None:
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return


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
            if error.code() is grpc.StatusCode.UNAVAILABLE and self._process is not None:
                await asyncio.sleep(0.1)  # for its end to be seen
                if self._process.returncode is not None:
                    raise _died(self.name, self._process) from None
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
        )
        try:
            self.handshake = await asyncio.wait_for(
                self.call(self.provider_stub.Handshake, request), START_LIMIT
            )
        except TimeoutError:
            raise EngineError(f"the plugin {self.name} does not answer its greeting") from None
        except grpc.aio.AioRpcError as error:
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


def _died(name: str, process: Process) -> EngineError:
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
        if (name, version) not in self._warm and not _attached_port(name):
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
        attached = _attached_port(name)
        if attached:
            plugin = await self._attach(name, attached)
        else:
            command = self._finder.provider(name, version)
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
        from infra.engine.in_process import InProcessPlugin, load_servicer  # noqa: PLC0415 (needs greenlets)

        servicer = load_servicer(command.folder)
        return InProcessPlugin(command.name, servicer) if servicer is not None else None

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
        line = (await process.stdout.readline()).decode(errors="replace").strip()
        if not line:
            await process.wait()
            raise _died(name, process)
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


def _attached_port(name: str) -> int | None:
    """The port of a provider that is being debugged (`PULUMI_DEBUG_PROVIDERS=NAME:PORT,…`)."""
    for entry in os.environ.get("PULUMI_DEBUG_PROVIDERS", "").split(","):
        package, _, port = entry.strip().partition(":")
        if package == name and port.isdecimal():
            return int(port)
    return None
