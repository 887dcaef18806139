"""Nothing that waits runs on the event loop: while one thing waits, all others go on."""

from __future__ import annotations

import ast
import http.server
import logging
import threading
import time
from typing import Any

import pytest

from benchmarks.boxes.boxes import HERE
from infra import paths
from infra.engine import Options, run
from infra.engine.backend.backend import FileBackend
from infra.engine.events import ResOutputsEvent
from infra.engine.resource.stack_ref import StackRef

pytestmark = pytest.mark.conformance

PROGRAM = """
import pulumi
class Item(pulumi.CustomResource):
    def __init__(self, name, **props):
        super().__init__("box:index:Item", name, {"serial": None, **props})
Item("slow", source=pulumi.RemoteAsset("URL"))
for number in range(5):
    Item(f"quick-{number}", size=number)
"""
PROJECT = f"""
name: loop
runtime: python
plugins:
  providers:
    - name: box
      path: {HERE / "provider"}
"""
SECONDS = 3.0


class _Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"slow")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/asset"
    server.shutdown()


@pytest.mark.parametrize("in_process", [False, True], ids=["processes", "in process"])
def test_others_are_made_while_an_asset_is_fetched(tmp_path, monkeypatch, url, in_process):
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "__main__.py").write_text(PROGRAM.replace("URL", url))
    FileBackend(f"file://{tmp_path}").init(StackRef("loop", "dev"))
    made: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, ResOutputsEvent):
            made.append(event.metadata.urn.rpartition("::")[2])

    options = Options(in_process=in_process)
    result = run("up", project_dir=tmp_path, stack="dev", options=options, on_event=listen)
    assert result.exit_code == 0
    items = [name for name in made if name.startswith(("slow", "quick"))]
    assert items[-1] == "slow", items
    assert len(items) == 6


# What waits for a disk, a network, a process or time, and so belongs into a thread or has an awaitable form.
WAITS = {
    "urlopen", "sleep", "check_output", "check_call", "getaddrinfo", "create_connection", "input", "getpass",
}  # fmt: skip
OF_SUBPROCESS = {"run", "Popen", "call"}


def blocking_calls(tree: ast.AST) -> list[tuple[str, int]]:
    """Calls in coroutines that wait, and are neither awaited nor handed to a thread."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        awaited = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Await)}
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or id(node) in awaited:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if owner != "asyncio" and (name in WAITS or (owner == "subprocess" and name in OF_SUBPROCESS)):
                found.append((name, node.lineno))
    return found


def test_no_coroutine_calls_what_waits():
    found = {
        f"{file.relative_to(paths.ROOT)}:{line}: {name}"
        for file in (paths.ROOT / "infra" / "engine").rglob("*.py")
        for name, line in blocking_calls(ast.parse(file.read_text()))
    }
    assert not found


def test_the_walk_sees_what_waits():
    text = "async def f():\n    time.sleep(1)\n    await asyncio.sleep(1)\n    subprocess.run([])\n"
    assert blocking_calls(ast.parse(text)) == [("sleep", 2), ("run", 4)]


def test_the_loop_is_never_held_for_long(tmp_path, monkeypatch, caplog, url):
    """asyncio's own watch over a run with an asset from a slow server, a folder of files and a secret."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("a")
    more = 'Item("folder", source=pulumi.FileArchive("files"), key=pulumi.Output.secret("s"))\n'
    (tmp_path / "__main__.py").write_text(PROGRAM.replace("URL", url) + more)
    FileBackend(f"file://{tmp_path}").init(StackRef("loop", "dev"))
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        assert run("up", project_dir=tmp_path, stack="dev", on_event=lambda _: None).exit_code == 0
    held = [record.getMessage() for record in caplog.records if "seconds" in record.getMessage()]
    # A busy machine takes the processor away for some tenths of a second; the server takes three seconds.
    longest = [text for text in held if float(text.rpartition(" took ")[2].split()[0]) > SECONDS * 0.9]
    assert not longest
