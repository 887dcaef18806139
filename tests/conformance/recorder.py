"""Runs a scenario on the embedded engine and writes down what happened, in the form of expected/NAME.json."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import steps

from infra import engine
from infra.engine import EngineError, events
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.secrets import PassphraseCrypter, crypter_for
from infra.engine.display.display_words import closing_message
from infra.engine.resource.stack_ref import StackRef
from infra.engine.workspace.stack_settings import StackSettings

HERE = Path(__file__).resolve().parent
PASSPHRASE = "conformance"
# The salt of that passphrase, fixed so that its key is drawn once in a process and not once in a scenario.
SALT = "v1:Z2lnYXNpdGU=:v1:MSbSeAa4jpgYn8kk:3Zk3S/1lCB8Ar0oFBw2bCUBrRmrQVg=="
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
MARKS = {
    "1b47061264138c4ac30d75fd1eb44270": "$secret",
    "c44067f5952c0a294b673a41bacd8c17": "$asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "$archive",
    "5cf8f73096256a8f31e491e813e4eb8e": "$resource",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "$outputvalue",
}
TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Json = Any


def record(scenario: dict[str, Any], *, in_process: bool = False) -> dict[str, Any]:
    """Run all steps of a scenario in a folder of its own."""
    root = Path(tempfile.mkdtemp(prefix="conformance-"))
    try:
        return {"name": scenario["name"], "steps": Recorder(scenario, root, in_process=in_process).run()}
    finally:
        shutil.rmtree(root, ignore_errors=True)


class Recorder:
    """One scenario: its folder, its stacks, and the names given to ids so far."""

    def __init__(self, scenario: dict[str, Any], root: Path, *, in_process: bool) -> None:
        self.scenario, self.root, self.in_process = scenario, root, in_process
        self.cloud, self.project = root / "cloud", root / "suite"
        self.ids: dict[str, str] = {}
        self.named: dict[str, int] = defaultdict(int)
        self.set_up()
        self.backend = FileBackend(f"file://{root}/state")

    def set_up(self) -> None:
        self.cloud.mkdir()
        program = self.project / "prog"
        program.mkdir(parents=True)
        shutil.copy(HERE / "prog" / "__main__.py", program)
        for name, text in (self.scenario.get("files") or {}).items():
            (program / name).parent.mkdir(parents=True, exist_ok=True)
            (program / name).write_text(text)
        project: dict[str, Any] = {
            "name": steps.PROJECT, "runtime": "python", "main": "prog",
            "plugins": {"providers": [{"name": "conf", "path": str(HERE / "provider")}]},
        }  # fmt: skip
        if self.scenario.get("project_config"):
            project["config"] = self.scenario["project_config"]
        (self.project / "Pulumi.yaml").write_text(json.dumps(project))
        os.environ |= {
            "CONF_DIR": str(self.cloud),
            "CONF_PYTHON": sys.executable,
            "PULUMI_BACKEND_URL": f"file://{self.root}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(self.root / "home"),
        }

    def run(self) -> list[dict[str, Any]]:
        return [self.step(step) for step in self.scenario["steps"]]

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        stack = step.get("stack", "dev")
        ref = StackRef(steps.PROJECT, stack)
        if not self.backend.exists(ref):
            self.backend.init(ref)
        if step["op"] == "edit_state":
            steps.edit_state(self.backend, ref, step["edits"])
            return {"op": step["op"], "state": self.state(ref)}
        self.prepare(step, stack, ref)
        seen: list[events.Event] = []
        error = ""
        result = engine.Result(None, {}, exit_code=1)
        try:
            options = steps.options(step, stack, self.project, in_process=self.in_process)
            result = engine.run(
                step["op"], project_dir=self.project, stack=stack, options=options, on_event=seen.append
            )
        except EngineError as failure:
            error = failure.message
        return self.write_down(step, ref, seen, result, error)

    def prepare(self, step: dict[str, Any], stack: str, ref: StackRef) -> None:
        told = {key: step.get(key) for key in ("resources", "exports", "faults") if step.get(key)}
        (self.cloud / "step.json").write_text(json.dumps(told))
        (self.cloud / "calls.jsonl").write_text("")
        if "cloud" in step:
            steps.change_cloud(self.cloud, step["cloud"])
        salt = (self.backend.read(ref).deployment.get("secrets_providers") or {}).get("state", {}).get("salt")
        settings = StackSettings(self.project / f"Pulumi.{stack}.yaml")
        steps.configure(settings, step.get("config") or {}, PassphraseCrypter(salt or SALT))

    # What happened

    def write_down(
        self, step: Json, ref: StackRef, seen: list[events.Event], result: engine.Result, error: str
    ) -> dict[str, Any]:
        state = self.state(ref)
        calls, trace = self.calls()
        summary = next((event for event in seen if isinstance(event, events.SummaryEvent)), None)
        changes = (
            {str(op): count for op, count in summary.resource_changes.items() if count} if summary else None
        )
        message = f"error: {error}" if error else closing_message(step["op"], result)
        root = [one for one in state["resources"] if one["type"] == "pulumi:pulumi:Stack"]
        return {
            "op": step["op"],
            "exit_code": result.exit_code,
            "outcome": summary.result if summary else None,
            "changes": changes,
            "operations": self.named_ids(operations(seen)),
            "calls": self.named_ids(calls),
            "trace": self.named_ids(trace),
            "diagnostics": self.diagnostics(seen),
            "messages": [
                self.text(line) for line in message.splitlines() if line.startswith(("error:", "warning:"))
            ],
            "outputs": root[0].get("outputs", {}) if root else None,
            "state": state,
        }

    def state(self, ref: StackRef) -> dict[str, Any]:
        checkpoint = self.backend.read(ref)
        latest = dict(checkpoint.deployment)
        crypter = crypter_for(latest.pop("secrets_providers", None), SALT)
        latest.pop("manifest", None)
        if not latest.get("metadata"):
            latest.pop("metadata", None)
        resources = latest.pop("resources", None) or []
        for one in resources:
            if one["type"].startswith("pulumi:providers:"):
                self.name_id(one["id"], one["urn"].rpartition("::")[2])
        plain = [plain_resource(one, crypter) for one in resources]
        plain.sort(key=lambda one: (one["urn"], one.get("delete", False), one.get("id", "")))
        out: dict[str, Any] = {"version": checkpoint.version, "resources": plain}
        if checkpoint.features:
            out["features"] = list(checkpoint.features)
        pending = latest.pop("pending_operations", None) or []
        if pending:
            out["pending_operations"] = [
                one | {"resource": plain_resource(one["resource"], crypter)} for one in pending
            ]
        return self.named_ids(out | latest)

    def name_id(self, identity: str, name: str) -> None:
        if steps.is_uuid(identity) and identity not in self.ids and identity != UNKNOWN:
            self.named[name] += 1
            count = self.named[name]
            self.ids[identity] = f"<id:{name}#{count}>" if count > 1 else f"<id:{name}>"

    def named_ids(self, value: Json) -> Json:
        """The value with ids of providers by name, and unknowns as such."""
        if isinstance(value, dict):
            return {self.named_ids(key): self.named_ids(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.named_ids(item) for item in value]
        if value == UNKNOWN:
            return {"$unknown": True}
        if isinstance(value, str) and "-" in value:
            return UUID.sub(lambda found: self.ids.get(found[0], found[0]), value)
        return value

    def calls(self) -> tuple[dict[str, list[Json]], list[str]]:
        """The provider's log: by URN, and the order of starts and ends."""
        lines = [json.loads(line) for line in (self.cloud / "calls.jsonl").read_text().splitlines()]
        calls: dict[str, list[Json]] = defaultdict(list)
        by_number: dict[int, tuple[Json, str]] = {}
        trace = []
        for line in lines:
            at, number = line.pop("at"), line.pop("call")
            if at == "start":
                urn = line.pop("urn", "") or line["method"]
                by_number[number] = (line, f"{line['method']} {urn} [{len(calls[urn])}]")
                calls[urn].append(line)
                if line["method"] == "Configure" and line.get("id"):
                    self.name_id(line["id"], urn.rpartition("::")[2])
            elif number in by_number:
                by_number[number][0].update(line)
            if number in by_number:
                trace.append(f"{at} {by_number[number][1]}")
        for name in calls.keys() & {"Configure", "Invoke"}:
            calls[name].sort(key=lambda call: json.dumps(call, sort_keys=True))
        return calls, trace

    def diagnostics(self, seen: list[events.Event]) -> list[dict[str, str]]:
        found = [
            {"severity": str(event.severity), "urn": event.urn, "message": self.text(event.message)}
            for event in seen
            if isinstance(event, events.DiagnosticEvent)
            and not event.ephemeral
            and event.severity in (events.Severity.ERROR, events.Severity.WARNING, events.Severity.INFO)
        ]
        return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))

    def text(self, message: str) -> str:
        """A message without what differs from run to run."""
        message = re.sub(r"<\{%.*?%\}>|\x1b\[[0-9;]*m", "", message)
        message = TRACEBACK.sub("<traceback>\n", message)
        places = {self.cloud: "<dir>", self.root: "<root>", sys.prefix: "<venv>"}
        places[Path(sys.executable).parent] = "<bin>"
        for path, name in places.items():
            message = message.replace(str(path), name)
        message = re.sub(r"0x[0-9a-f]{6,}", "<address>", message)
        message = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", message)
        return str(self.named_ids(message)).strip()


def operations(seen: list[events.Event]) -> dict[str, list[Json]]:
    """Per URN what was announced and how it went."""
    out: dict[str, list[Json]] = defaultdict(list)
    for event in seen:
        if isinstance(event, events.ResourcePreEvent):
            out[event.metadata.urn].append(operation(event.metadata) | {"result": "begin"})
        elif isinstance(event, events.ResOutputsEvent | events.ResOpFailedEvent):
            result = "ok" if isinstance(event, events.ResOutputsEvent) else "failed"
            entries = out[event.metadata.urn]
            op = str(event.metadata.op)
            same = [entry for entry in entries if entry["op"] == op]
            begun = next((entry for entry in same if entry["result"] == "begin"), None)
            if begun is not None:
                begun["result"] = result
            elif all("unannounced" in entry for entry in same):  # a component's outputs may come twice
                entries.append(operation(event.metadata) | {"result": result, "unannounced": True})
    return dict(out)


def operation(metadata: events.StepMetadata) -> Json:
    out: dict[str, Any] = {"op": str(metadata.op)}
    if metadata.keys:
        out["keys"] = list(metadata.keys)
    if metadata.diffs:
        out["diffs"] = list(metadata.diffs)
    if metadata.detailed_diff:
        out["detailed_diff"] = {
            path: {"diffKind": str(diff.kind), "inputDiff": diff.input_diff}
            for path, diff in metadata.detailed_diff.items()
        }
    if not metadata.logical:
        out["logical"] = False
    return out


# ---------------------------------------------------------------- values


def plain_resource(resource: dict[str, Any], crypter: PassphraseCrypter) -> dict[str, Any]:
    """A resource of the checkpoint without what differs from run to run, its secrets opened."""
    dropped = ("created", "modified", "sourcePosition", "stackTrace")
    return {key: shown(value, crypter) for key, value in resource.items() if key not in dropped}


def shown(value: Json, crypter: PassphraseCrypter) -> Json:
    if isinstance(value, dict):
        if SIGNATURE not in value:
            return {key: shown(item, crypter) for key, item in value.items()}
        mark = MARKS.get(value[SIGNATURE], value[SIGNATURE])
        if mark == "$secret":
            text = value["plaintext"] if "plaintext" in value else crypter.decrypt(value["ciphertext"])
            return {"secret": shown(json.loads(text), crypter)}
        return {mark: {key: shown(item, crypter) for key, item in value.items() if key != SIGNATURE}}
    if isinstance(value, list):
        return [shown(item, crypter) for item in value]
    if isinstance(value, str) and len(value) > 300:
        return {"$long": [len(value), value[:20]]}
    return value
