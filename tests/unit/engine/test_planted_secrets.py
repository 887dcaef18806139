"""Secrets of the configuration, planted in everything that a run says: none may be read anywhere."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine import Operation, Options, run
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.secrets import PassphraseCrypter
from infra.engine.display import display, event_json
from infra.engine.display.tree_display import TreeDisplay
from infra.engine.masking import SecretFilter
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.values import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.engine.events import Event

pytestmark = pytest.mark.unit

BOXES = Path(__file__).resolve().parents[3] / "benchmarks" / "boxes" / "provider"
SECRETS = {
    "token": "tok-Ωmega <&> 'single' \"double\" back\\slash",
    "number": "915432768",
    "key": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\tAQEFAASC\nqhkiG9w0BAQEF\n-----END KEY-----",
    "nested": "in-an-object-7f3a",
    "given": "by-the-caller-55aa",
}
PROVIDER = """
import importlib.util, os, sys
import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2
spec = importlib.util.spec_from_file_location("box_in_process", {boxes!r})
boxes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxes)

class Servicer(boxes.Servicer):
    engine = ""

    def Handshake(self, request, context):
        self.engine = request.engine_address
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def _say(self, method, request, inputs):
        text = inputs.fields["text"].string_value
        print("stdout of", method, text, flush=True)
        print("stderr of", method, repr(text), file=sys.stderr, flush=True)
        if self.engine:
            stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self.engine))
            for severity in (engine_pb2.DEBUG, engine_pb2.INFO, engine_pb2.WARNING):
                stub.Log(engine_pb2.LogRequest(message="log " + text, severity=severity, urn=request.urn))
        return text

    def Check(self, request, context):
        text = self._say("check", request, request.news)
        reply = provider_pb2.CheckResponse(inputs=request.news)
        if os.environ["LEAK"] == "check":
            reply.failures.add(property="text", reason="not allowed: " + text)
        return reply

    def Create(self, request, context):
        text = self._say("create", request, request.properties)
        if os.environ["LEAK"] == "create":
            context.abort(grpc.StatusCode.UNKNOWN, "cannot make " + repr(text))
        return super().Create(request, context)

    def Invoke(self, request, context):
        text = request.args.fields["text"].string_value
        if os.environ["LEAK"] == "invoke":
            context.abort(grpc.StatusCode.UNKNOWN, "cannot look up " + text)
        reply = provider_pb2.InvokeResponse()
        getattr(reply, "return").update({{"echo": text}})
        return reply

def servicer():
    return Servicer()
"""
PROGRAM = """
import json, logging, os, subprocess, sys, warnings
import pulumi

config = pulumi.Config()
found = {name: config.require(name) for name in ("token", "number", "key", "given")}
found["nested"] = config.require_object("object")["inner"]["password"]
leak = os.environ["LEAK"]

class Item(pulumi.CustomResource):
    def __init__(self, name, text):
        super().__init__("box:index:Item", name, {"serial": None, "text": text, "in": [{"deep": text}]})

for name, text in found.items():
    print("printed", text)
    print("quoted", repr(text), ascii(text), json.dumps(text), repr(text + "'" + '"'))
    sys.stderr.write(f"written {text}\\n")
    sys.stdout.write(f"without an end {text}")
    print()
    logging.getLogger("program").error("logging %s", text)
    warnings.warn(f"warning {text}")
    if not os.environ.get("IN_PROCESS"):
        subprocess.run([sys.executable, "-c", "import os; print('child', os.environ['PLANTED'])"],
                       env={**os.environ, "PLANTED": text}, check=True)
    for log in (pulumi.debug, pulumi.info, pulumi.warn):
        log(f"said {text}")
    pulumi.info(f"ephemeral {text}", ephemeral=True)
    pulumi.export(f"open-{name}", text)
    pulumi.export(f"marked-{name}", pulumi.Output.secret({"v": text}))
    item = Item(f"item-{name}", text)
    if leak in ("none", "invoke"):
        pulumi.export(f"asked-{name}", pulumi.runtime.invoke_output("box:index:look", {"text": text}))
    if leak == "log error":
        pulumi.error(f"error {text}", item)
    if leak == "raise in apply":
        item.urn.apply(lambda _, text=text: 1 / 0 if text == "" else json.loads(text + "}"))
if leak == "raise":
    raise ValueError(found)
if leak == "run error":
    raise pulumi.RunError(f"run error {found['key']} {found['token']}")
if leak == "exit":
    sys.exit(found["token"])
if leak == "type error":
    int(found["token"])
if leak == "config type error":
    config.require_bool("number")
if leak == "config object error":
    config.require_object("token")
if leak == "key error":
    {}[found["token"]]
"""
LEAKS = (
    "none", "log error", "raise", "raise in apply", "run error", "exit", "type error", "config type error",
    "config object error", "key error", "check", "create", "invoke",
)  # fmt: skip


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Ears:
    """Everything that listens to a run, or shows it."""

    def __init__(self, operation: Operation) -> None:
        self.events: list[Event] = []
        self.log, self.lines, self.screen, self.document = (
            io.StringIO(),
            io.StringIO(),
            Screen(),
            io.StringIO(),
        )
        self.displays = [
            display.Display(operation, "dev", self.lines, show_differences=True, show_same=True),
            TreeDisplay(operation, "dev", self.screen, show_differences=True, show_same=True),
            display.JsonDisplay(operation, self.document),
        ]
        self.stream = event_json.EventStream(self.log)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.stream(event)
        for shown in self.displays:
            shown(event)

    def close(self, result: Any) -> Iterator[tuple[str, str]]:
        """What was said, by channel."""
        for shown in self.displays:
            shown.close(result)
        yield "events", "\n".join(map(repr, self.events))
        yield "event log", self.log.getvalue()
        yield "event log, read", "\n".join(str(json.loads(line)) for line in self.log.getvalue().splitlines())
        yield "display", self.lines.getvalue()
        yield "screen", self.screen.getvalue()
        yield "--json", self.document.getvalue()
        yield "result", repr(result)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    provider = tmp_path / "provider"
    provider.mkdir()
    (provider / "in_process.py").write_text(PROVIDER.format(boxes=str(BOXES / "in_process.py")))
    for name in ("__main__.py", "PulumiPlugin.yaml"):
        shutil.copy(BOXES / name, provider)
    (tmp_path / "prog").mkdir()
    (tmp_path / "prog" / "__main__.py").write_text(PROGRAM)
    crypter = PassphraseCrypter(passphrase=lambda: "")
    sealed = {name: {"secure": crypter.encrypt(SECRETS[name])} for name in ("token", "number", "key")}
    sealed["object"] = {"inner": {"password": {"secure": crypter.encrypt(SECRETS["nested"])}, "user": "open"}}
    settings = {"encryptionsalt": crypter.salt, "config": {f"leaky:{key}": v for key, v in sealed.items()}}
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps(settings))
    plugins = {"providers": [{"name": "box", "path": "provider"}]}
    project = {"name": "leaky", "runtime": "python", "main": "prog", "plugins": plugins}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps(project))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    FileBackend(f"file://{tmp_path}").init(StackRef("leaky", "dev"))
    return tmp_path


def traces(text: str) -> list[str]:
    """The secrets that can be read in a text, whole or a line of them."""
    parts = {part for secret in SECRETS.values() for part in (secret, *secret.splitlines()) if part}
    parts |= {quoted(part)[1:-1] for part in parts for quoted in (repr, ascii, json.dumps)}
    return [part for part in parts if part in text]


@pytest.mark.parametrize("in_process", [True, False], ids=["in process", "grpc"])
@pytest.mark.parametrize("leak", LEAKS)
def test_no_secret_can_be_read_on_any_channel(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    leak: str,
    *,
    in_process: bool,
) -> None:
    monkeypatch.setenv("LEAK", leak)
    monkeypatch.setenv("IN_PROCESS", "1" if in_process else "")
    options = Options(in_process=in_process, config={"given": Secret(SECRETS["given"])})
    for operation in (Operation.PREVIEW, Operation.UP) if leak == "none" else (Operation.UP,):
        ears = Ears(operation)
        result = run(operation, project_dir=project, stack="dev", options=options, on_event=ears)
        assert (result.exit_code == 0) == (leak in ("none", "log error")), ears.lines.getvalue()
        for channel, text in ears.close(result):
            assert not traces(text), f"{channel} of {operation} shows {traces(text)}:\n{text}"
            if leak != "check" and channel != "result":
                assert "[secret]" in text, channel
    assert not traces("\n".join(capfd.readouterr()))


@given(st.text(min_size=3), st.text(max_size=5), st.sampled_from([str, repr, ascii, json.dumps]))
def test_no_quoted_form_of_a_secret_is_left(secret: str, around: str, quoted: Any) -> None:
    if secret.lower() in ("true", "false"):
        return
    shown = SecretFilter([secret]).text(quoted(f"{around}{secret}{around}"))
    assert "[secret]" in shown


def test_what_is_too_short_or_no_secret_by_itself_is_left() -> None:
    text = "a, my, True and FALSE"
    assert SecretFilter(["a", "my", "true", "false", ""]).text(text) == text


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert SecretFilter(["pass", "password-1"]).text("password-1, pass") == "[secret], [secret]"
