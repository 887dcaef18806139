"""Plugins that do not work give one clear error each; plugins are found where the CLI finds them."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.engine import EngineError
from infra.engine.plugin import plugins
from infra.engine.plugin.finder import Finder
from infra.engine.plugin.plugins import PluginHost
from infra.engine.plugin.provider import Request
from infra.engine.plugin.provider_client import PluginProvider
from infra.engine.workspace.project import PluginPath
from infra.engine.workspace.toolchain import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.conformance

# What a plugin does when it is started, and what people are told.
BROKEN = {
    "dies": (
        "import sys; print('no licence', file=sys.stderr); sys.exit(3)",
        r"died \(exit code 3\):\nno licence",
    ),
    "dies without a word": ("", r"^the plugin box died \(exit code 0\)$"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", r"died \(signal 9\)$"),
    "raises": ("import nothing_of_that_name", r"(?s)died \(exit code 1\):.*ModuleNotFoundError"),
    "prints junk": (
        "print('Hello!'); import time; time.sleep(60)",
        r"printed 'Hello!' where its port was due",
    ),
    "prints a wide port": ("print(123456); import time; time.sleep(60)", r"printed '123456' where its port"),
    "prints a negative port": (
        "print(-5); import time; time.sleep(60)",
        r"printed '-5' where its port was due",
    ),
    "prints bytes": (
        "import sys, time; sys.stdout.buffer.write(b'\\xff\\x00\\n'); sys.stdout.flush(); time.sleep(60)",
        "where its port was due",
    ),
    "hangs": ("import time; time.sleep(60)", r"did not say its port within 2 s, start it by hand: .*python"),
    "closes its output and hangs": (
        "import os, time; os.close(1); time.sleep(60)",
        "did not say its port within",
    ),
    "says a port where nobody listens": (
        "print(1); import time; time.sleep(60)",
        "does not answer on the port",
    ),
    "says a port and dies": ("print(1, flush=True); import sys; sys.exit(4)", r"died \(exit code 4\)"),
    "speaks something else": (
        (
            "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])\n"
            "while True: c, _ = s.accept(); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n'); c.close()"
        ),
        "does not answer on the port",
    ),
    "accepts and is silent": (
        (
            "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
            "print(s.getsockname()[1]); time.sleep(60)"
        ),
        "does not answer",
    ),
    "refuses": (
        (
            "from serve import serve\n"
            "def no(self, request, context): context.abort(grpc.StatusCode.FAILED_PRECONDITION, 'too new')\n"
            "serve(Handshake=no)"
        ),
        "refuses to work with this engine: too new",
    ),
}
HANGING = ("hangs", "closes its output and hangs", "accepts and is silent")
SERVE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import builtins
import grpc
builtins.grpc = grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2 as pb, provider_pb2_grpc
builtins.pb = pb

def serve(**methods):
    servicer = type("Servicer", (provider_pb2_grpc.ResourceProviderServicer,), methods)()
    server = grpc.server(ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()
"""
OLD = """
from serve import serve

def configure(self, request, context):
    return pb.ConfigureResponse()  # from before secrets, previews and resource references

def check(self, request, context):
    return pb.CheckResponse(inputs=request.news)

def create(self, request, context):
    if request.properties.fields["name"].string_value == "die":
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(7)
    return pb.CreateResponse(id="old-1", properties=request.properties)

import os, sys
serve(Configure=configure, Check=check, Create=create)
"""
URN = "urn:pulumi:dev::p::box:index:Item::a"


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        folder = tmp_path / "plugin"
        folder.mkdir()
        (folder / "PulumiPlugin.yaml").write_text("runtime: python\n")
        (folder / "__main__.py").write_text(text)
        (folder / "serve.py").write_text(SERVE)
        return folder

    return write


def started(folder: Path, use: Callable[[PluginProvider], Any] | None = None) -> list[str]:
    """Start a plugin, use it, and end it; the lines it printed."""
    lines: list[str] = []

    async def run() -> None:
        finder = Finder((PluginPath("resource", "box", folder, ""),))
        host = PluginHost(finder, folder, {}, lambda text, _: lines.append(text))
        try:
            plugin = await host.provider("box", "", {})
            if use is not None:
                await use(PluginProvider(plugin))
        finally:
            await host.close()

    asyncio.run(run())
    return lines


@pytest.mark.parametrize("what", BROKEN)
def test_one_clear_error(source: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    program, message = BROKEN[what]
    if what in HANGING:
        monkeypatch.setattr(plugins, "START_LIMIT", 2.0)
    with pytest.raises(EngineError, match=message) as caught:
        started(source(program))
    assert "the plugin box" in str(caught.value)
    assert "Traceback" not in str(caught.value) or what == "raises"


async def _use_old(provider: PluginProvider) -> None:
    provider.configure("urn:pulumi:dev::p::pulumi:providers:box::default", "id", {"region": "here"})
    request = Request(URN, inputs={"name": "x"}, seed=b"")
    assert (await provider.check_config(request)).inputs == {"name": "x"}
    assert (await provider.diff_config(request)).changes.name == "UNKNOWN"
    assert (await provider.check(request)).inputs == {"name": "x"}
    foretold = await provider.create(Request(URN, inputs={"name": "x"}, preview=True))
    assert (foretold.id, foretold.outputs) == ("", {"name": "x"})  # without asking: it knows no previews
    made = await provider.create(Request(URN, inputs={"name": "x"}))
    assert (made.id, made.outputs) == ("old-1", {"name": "x"})


def test_an_older_protocol_works(source: Callable[[str], Path]) -> None:
    started(source(OLD), _use_old)


def test_death_at_work_is_told_with_its_last_words(source: Callable[[str], Path]) -> None:
    async def die(provider: PluginProvider) -> None:
        await provider.create(Request(URN, inputs={"name": "die"}))

    with pytest.raises(EngineError, match=r"the plugin box died \(exit code 7\):\nout of memory"):
        started(source(OLD), die)


# ---------------------------------------------------------------- where they are found


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


def test_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = executable(tmp_path / "bin" / "pulumi-resource-box")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert Finder(()).provider("box").words == (str(program),)


def test_in_pulumi_home_the_newest_or_the_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for version in ("1.2.0", "1.10.0", "0.9.9"):
        executable(tmp_path / "plugins" / f"resource-box-v{version}" / "pulumi-resource-box")
    (tmp_path / "plugins" / "resource-box-v2.0.0.lock").write_text("")
    newest = Finder(()).provider("box").words[0]
    assert newest == str(tmp_path / "plugins" / "resource-box-v1.10.0" / "pulumi-resource-box")
    assert "v1.2.0" in Finder(()).provider("box", "1.2.0").words[0]
    with pytest.raises(EngineError, match=r"no provider plugin for box 3\.0\.0"):
        Finder(()).provider("box", "3.0.0")


def test_an_executable_that_the_project_names(tmp_path: Path) -> None:
    program = executable(tmp_path / "pulumi-resource-box")
    for path in (program, tmp_path):
        assert Finder((PluginPath("resource", "box", path, ""),)).provider("box").words == (str(program),)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is no plugin: it has neither PulumiPlugin.yaml nor pulumi-resource-box"),
        ({"PulumiPlugin.yaml": "runtime: go\n"}, "runtime 'go'; this engine runs Python"),
        ({"PulumiPlugin.yaml": "name: box\n"}, "does not say for which runtime it is"),
        (
            {"PulumiPlugin.yaml": "runtime:\n  name: python\n  options:\n    virtualenv: gone\n"},
            "the virtual environment .*gone is not there",
        ),
    ],
    ids=["nothing", "another language", "no runtime", "no environment"],
)
def test_folders_that_are_no_plugin(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(EngineError, match=message):
        Finder((PluginPath("resource", "box", tmp_path, ""),)).provider("box")


def test_dynamic_providers_run_with_the_programs_interpreter() -> None:
    assert Finder((), Interpreter(sys.executable)).provider("pulumi-python").words[0] == sys.executable
