"""A program on the embedded engine or, where that is on PATH, on the Pulumi CLI: the same facts of both.

`World` is a project with its state in a folder; `World.run` does an operation and tells what happened in a
form in which both engines can be compared (`Outcome`). As a script it is the child process that the embedded
engine runs in, since a run changes its process and the SDK knows one program in a process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent.parent, HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import recorder  # noqa: E402
import steps  # noqa: E402

from infra.engine import EngineError, events, run  # noqa: E402
from infra.engine.backend.backend import FileBackend  # noqa: E402
from infra.engine.backend.secrets import crypter_for  # noqa: E402
from infra.engine.display.event_json import to_json  # noqa: E402
from infra.engine.resource import integrity  # noqa: E402
from infra.engine.resource.stack_ref import StackRef  # noqa: E402

LIMIT = 240
"""Seconds that a run may take on a busy machine."""
PROJECT, STACK = "twin", "dev"
CLI = shutil.which("pulumi")
EMBEDDED = ("embedded", "in-process")
"""The embedded engine with the program in a process of its own, and in the engine's."""
_RACES = re.compile(r"resource monitor shut down|monitor has terminated|connection is closing")
"""What a program or plugin says that is being ended because of another failure: by chance."""
_HEX = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Outcome:
    """What a run did. `said`: what the process printed, for a failed test."""

    exit_code: int
    changes: dict[str, int] = field(default_factory=dict)
    operations: dict[str, list[str]] = field(default_factory=dict)
    """Short URN to what was done, in order; failed ones end in `!`."""
    diagnostics: list[str] = field(default_factory=list)
    """`severity urn: message`, sorted."""
    policies: list[str] = field(default_factory=list)
    """`level pack/policy urn: message`, sorted."""
    judged: list[str] = field(default_factory=list)
    """Summaries of the policies: `kind pack urn: passed …; failed …`, sorted."""
    state: dict[str, Any] = field(default_factory=dict)
    """Short URN (with `#` and a number for old copies) to the resource in the checkpoint, secrets opened."""
    outputs: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    def facts(self, *without: str) -> dict[str, Any]:
        """What both engines must agree in."""
        found = {key: value for key, value in asdict(self).items() if key not in ("said", *without)}
        return found if found.get("judged") else {key: found[key] for key in found if key != "judged"}

    def diagnosed(self, *severities: str) -> list[str]:
        """The diagnostics of some severities (errors and warnings)."""
        wanted = severities or ("error", "warning")
        return [line for line in self.diagnostics if line.split(" ", 1)[0] in wanted]


class World:
    """A project of its own.

    Args:
        root: its folder.
        engine: `embedded`, `in-process` or `cli`.
        providers: name to path, as under `plugins:` in Pulumi.yaml.
        sources: name to the folder of a Python plugin, which is copied and runs with this interpreter.
        environment: added for the runs.
    """

    def __init__(
        self,
        root: Path,
        engine: str = "embedded",
        *,
        providers: dict[str, Path] | None = None,
        sources: dict[str, Path] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.root, self.engine, self.environment = root, engine, environment or {}
        self.folder = root / "project"
        self.folder.mkdir(parents=True)
        (root / "state").mkdir()
        providers = dict(providers or {})
        for name, source in (sources or {}).items():
            providers[name] = root / f"plugin-{name}"
            shutil.copytree(source, providers[name], ignore=shutil.ignore_patterns("__pycache__"))
            described = {"runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
            (providers[name] / "PulumiPlugin.yaml").write_text(json.dumps(described))
        project = {
            "name": PROJECT,
            "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
            "backend": {"url": f"file://{root}/state"},
            "plugins": {"providers": [{"name": n, "path": str(p)} for n, p in providers.items()]},
        }
        (self.folder / "Pulumi.yaml").write_text(json.dumps(project))
        (self.folder / f"Pulumi.{STACK}.yaml").write_text(json.dumps({"encryptionsalt": recorder.SALT}))
        os.environ["PULUMI_CONFIG_PASSPHRASE"] = recorder.PASSPHRASE
        self.ref = StackRef(PROJECT, STACK)
        self.backend = FileBackend(f"file://{root}/state")
        self.backend.init(self.ref)

    def program(self, text: str, **files: str) -> World:
        """Write the program (dedented), and further files (`name.py` as `name`)."""
        for name, content in {"__main__": text, **files}.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(content))
        return self

    def config(self, values: dict[str, Any]) -> None:
        """Set the stack's configuration."""
        path = self.folder / f"Pulumi.{STACK}.yaml"
        path.write_text(json.dumps({"encryptionsalt": recorder.SALT, "config": values}))

    def on(self, engine: str) -> World:
        """The same project with another engine from here on."""
        self.engine = engine
        return self

    def run(self, operation: str, *words: str, limit: float = LIMIT) -> Outcome:
        """Do an operation; `words` are the CLI's flags."""
        environment = {
            **os.environ,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(self.root / "home")),
            **self.environment,
        }
        log = self.root / "events.jsonl"
        log.unlink(missing_ok=True)
        if self.engine == "cli":
            quiet = () if operation == "preview" else ("--yes", "--skip-preview")
            command = [str(CLI), operation, *quiet, "--stack", STACK, "--non-interactive"]
            command += ["--event-log", str(log), *words]
        else:
            command = [sys.executable, str(HERE / "twin.py"), self.engine, operation, str(log), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, text=True, timeout=limit, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        seen = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return self._outcome(done.returncode, seen, done.stdout)

    def _outcome(  # noqa: C901, PLR0912 (one case per event)
        self, code: int, seen: list[dict[str, Any]], said: str
    ) -> Outcome:
        out = Outcome(code, said=said)
        found = self.backend.read(self.ref).deployment
        resources = found.get("resources") or []
        integrity.check(resources)
        crypter = crypter_for(found.get("secrets_providers"), recorder.SALT)
        for one in resources:
            name = short(one["urn"])
            while name in out.state:
                name += "#"
            plain = recorder.plain_resource(one, crypter)
            for urns in (plain.get("dependencies"), *(plain.get("propertyDependencies") or {}).values()):
                (urns or []).sort()  # the SDK gathers them in sets
            out.state[name] = self._clean({key: value for key, value in plain.items() if key != "urn"})
            if one["type"] == "pulumi:pulumi:Stack":
                out.outputs = out.state[name].get("outputs", {})
        diagnostics: list[str] = []
        policies: list[str] = []
        for event in seen:
            kind = next(key for key in event if key not in ("sequence", "timestamp"))
            body = event[kind]
            if kind == "summaryEvent":
                out.changes = {op: n for op, n in (body.get("resourceChanges") or {}).items() if n}
            elif kind == "diagnosticEvent" and not body.get("ephemeral"):
                if body["severity"] in ("debug", "info#err") or (code and body["severity"] == "info"):
                    continue  # the latter is what a program that is being ended says on its way
                if code and _RACES.search(body["message"]):
                    continue
                text = f"{body['severity']} {short(body.get('urn', ''))}: {body['message']}"
                diagnostics.append(str(self._clean(text)).strip())
            elif kind == "policyEvent":
                who = f"{body['policyPackName']}/{body['policyName']} {short(body.get('resourceUrn', ''))}"
                policies.append(
                    str(self._clean(f"{body['enforcementLevel']} {who}: {body['message']}")).strip()
                )
            elif kind.startswith("policy") and kind.endswith("SummaryEvent"):
                if code and not body.get("failed"):
                    continue  # how far others came is by chance
                lists = [f"{word} {', '.join(body[word])}" for word in ("passed", "failed") if word in body]
                who = f"{body['policyPackName']} {short(body.get('resourceUrn', ''))}"
                out.judged.append(f"{kind.removesuffix('SummaryEvent')} {who}: {'; '.join(lists)}")
            elif kind in ("resOutputsEvent", "resOpFailedEvent"):
                metadata = body["metadata"]
                entry = metadata["op"] + ("!" if kind == "resOpFailedEvent" else "")
                entries = out.operations.setdefault(short(metadata["urn"]), [])
                if entry not in entries:  # the outputs of a component come twice
                    entries.append(entry)
        if code:  # how far others came is by chance
            out.changes.pop("same", None)
            out.operations = {
                urn: left for urn, ops in out.operations.items() if (left := [o for o in ops if o != "same"])
            }
        out.diagnostics, out.policies = sorted(filter(None, diagnostics)), sorted(policies)
        out.judged.sort()
        return out

    def _clean(self, value: Any) -> Any:
        """Without what differs from run to run."""
        if isinstance(value, dict):
            if value.keys() == {"$long"}:  # a pickled program has its path inside
                return {"$long": "text"}
            return {key: self._clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        if not isinstance(value, str):
            return value
        value = re.sub(r"<\{%.*?%\}>|\x1b\[[0-9;]*m", "", value)
        value = recorder.TRACEBACK.sub("<traceback>\n", value)
        value = (
            value.replace(str(self.root), "<root>").replace(str(HERE), "<here>").replace(sys.prefix, "<venv>")
        )
        value = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", value)
        value = re.sub(r"0x[0-9a-f]{6,}", "<address>", value)
        value = re.sub(r'(File "[^"]*", line )\d+', r"\1<n>", value)
        return value if value == recorder.UNKNOWN else _HEX.sub("<uuid>", value)


def short(urn: str) -> str:
    """A URN without what all in a world have in common."""
    return urn.removeprefix(f"urn:pulumi:{STACK}::{PROJECT}::")


def child(engine: str, operation: str, log: str, words: list[str]) -> int:
    """Run the embedded engine and write its events down."""
    packs = argparse.ArgumentParser(allow_abbrev=False)
    packs.add_argument("--policy-pack", action="append", default=[], type=Path)
    packs.add_argument("--policy-pack-config", action="append", default=[], type=Path)
    policies, words = packs.parse_known_args(words)
    options = replace(
        steps.options({"op": operation, "args": words}, STACK, Path(), in_process=engine == "in-process"),
        policy_packs=tuple(policies.policy_pack),
        policy_pack_configs=tuple(policies.policy_pack_config),
    )
    with Path(log).open("w") as out:
        sequence = 0

        def on_event(event: events.Event) -> None:
            nonlocal sequence
            sequence += 1
            if isinstance(event, events.DiagnosticEvent):
                print(event.severity, event.message, flush=True)
            out.write(json.dumps(to_json(event, sequence, 0)) + "\n")

        try:
            result = run(operation, project_dir=Path.cwd(), stack=STACK, options=options, on_event=on_event)
        except EngineError as error:
            print(f"error: {error}")
            return 1
    if result.error:
        print(f"error: {result.error}")
    return result.exit_code


if __name__ == "__main__":
    sys.exit(child(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
