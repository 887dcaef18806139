"""The steps of a scenario: what is changed before each one, and the options of the operation it runs."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.engine import EngineError, ImportSpec, Options
from infra.engine.resource.stack_ref import StackRef
from infra.engine.workspace.config import ConfigValue
from infra.engine.workspace.import_file import read_imports

if TYPE_CHECKING:
    from infra.engine.backend.backend import FileBackend
    from infra.engine.backend.secrets import PassphraseCrypter
    from infra.engine.workspace.stack_settings import StackSettings

PROJECT = "suite"
Step = dict[str, Any]


def load(path: Path) -> dict[str, Any]:
    """A scenario file (YAML 1.1, with anchors)."""
    return yaml.safe_load(path.read_text())


# ---------------------------------------------------------------- flags


# Flags that change what the engine does, by the commands of the CLI that have them.
_COMMON = {"target", "target-dependents", "exclude", "run-program"}
_UPDATE = {
    "exclude-dependents",
    "expect-no-changes",
    "ignore-protect",
    "refresh",
    "replace",
    "target-replace",
}
_PENDING = {"clear-pending-creates", "import-pending-creates", "skip-pending-creates"}
ACCEPTED = {
    "up": _COMMON | _UPDATE | {"continue-on-error"},
    "preview": _COMMON | _UPDATE,
    "refresh": _COMMON | _PENDING | {"exclude-dependents", "expect-no-changes", "preview-only"},
    "destroy": _COMMON
    | {"continue-on-error", "exclude-protected", "ignore-protect", "preview-only", "refresh"},
    "import": {"preview-only"},
}
KNOWN = frozenset().union(*ACCEPTED.values())


def refuse_unknown(operation: str, words: list[str]) -> None:
    """As the CLI does before anything else.

    Raises:
        EngineError: a command lacks a flag.
    """
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and name in KNOWN - ACCEPTED[operation]:
            raise EngineError(f"unknown flag: --{name}")


def truth(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


_PRINTING = (
    "yes", "skip-preview", "diff", "json", "suppress-outputs", "suppress-progress", "show-sames",
    "show-reads", "show-replacement-steps", "show-config", "show-secrets", "show-policy-remediations",
    "generate-code",
    "non-interactive", "show-full-output", "strict", "neo", "urns", "emoji", "debug", "logtostderr",
    "logflow", "disable-integrity-checking", "skip-plugin-pre-install", "fully-qualify-stack-names",
)  # fmt: skip
_PRINTING_WITH_VALUE = (
    "suppress-permalink", "color", "tracing", "otel-traces", "profiling", "memprofilerate", "verbose",
    "import-file", "save-plan", "out", "stack",
)  # fmt: skip
_SHORT = {
    "target": "t", "exclude": "x", "refresh": "r", "yes": "y", "debug": "d", "json": "j", "emoji": "e",
    "fully-qualify-stack-names": "Q", "verbose": "v", "out": "o", "stack": "s", "config": "c",
    "parallel": "p", "message": "m",
}  # fmt: skip


def parser(operation: str) -> argparse.ArgumentParser:
    """The CLI's flags that change what the engine does; those that change what it prints are ignored."""
    out = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False, add_help=False)

    def add(name: str, **how: Any) -> None:
        short = {"file": "f"} if operation == "import" else {"skip-preview": "f"}
        letter = (_SHORT | short).get(name)
        if letter == "x" and operation == "up":
            letter = None  # as the CLI has it
        out.add_argument(f"--{name}", *([f"-{letter}"] if letter else []), **how)

    for name in (
        "target",
        "exclude",
        "replace",
        "target-replace",
        "import-pending-creates",
        "config",
        "properties",
    ):
        add(name, action="append", default=[])
    for name in (
        "target-dependents", "exclude-dependents", "exclude-protected", "ignore-protect", "refresh",
        "run-program", "expect-no-changes", "continue-on-error", "clear-pending-creates",
        "skip-pending-creates", "preview-only", "skip-config-validation", *_PRINTING,
    ):  # fmt: skip
        add(name, nargs="?", const=True, default=False, type=truth)
    for name in ("message", "parent", "provider", *_PRINTING_WITH_VALUE):
        add(name, default="")
    add("parallel", type=int, default=0)
    add("protect", nargs="?", const=True, default=True, type=truth)
    add("file", type=Path)
    out.add_argument("positional", nargs="*")
    return out


def urn(text: str, stack: str) -> str:
    """`TYPE::NAME` in full."""
    if "::" in text and not text.startswith("urn:"):
        return f"urn:pulumi:{stack}::{PROJECT}::{text}"
    return text


def options(step: Step, stack: str, folder: Path, *, in_process: bool) -> Options:
    """What the step asks of the engine; files are found from the project's folder."""
    words: list[str] = []
    for name, value in (step.get("flags") or {}).items():
        flag = "--" + name.replace("_", "-")
        many = value if isinstance(value, list) else [value]
        words += [f"{flag}={str(one).lower() if isinstance(one, bool) else one}" for one in many]
    words += map(str, step.get("args") or [])
    refuse_unknown(step["op"], words)
    given, unknown = parser(step["op"]).parse_known_args(words)
    if unknown:
        word = unknown[0].partition("=")[0]
        long = word.startswith("--")
        raise EngineError(
            f"unknown flag: {word}" if long else f"unknown shorthand flag: '{word[1]}' in {word}"
        )

    def urns(values: list[str]) -> tuple[str, ...]:
        return tuple(urn(one, stack) for value in values for one in value.split(","))

    pending = given.import_pending_creates
    asked: dict[str, Any] = {
        "targets": urns(given.target),
        "target_dependents": given.target_dependents,
        "excludes": urns(given.exclude),
        "exclude_dependents": given.exclude_dependents,
        "replace": urns(given.replace),
        "target_replace": urns(given.target_replace),
        "refresh": given.refresh,
        "run_program": given.run_program,
        "expect_no_changes": given.expect_no_changes,
        "continue_on_error": given.continue_on_error,
        "skip_config_validation": given.skip_config_validation,
        "preview_only": given.preview_only or bool(step.get("preview_only")),
        "exclude_protected": given.exclude_protected,
        "ignore_protect": given.ignore_protect,
        "parallel": given.parallel,
        "in_process": in_process,
        "clear_pending_creates": given.clear_pending_creates,
        "import_pending_creates": tuple(zip(pending[::2], pending[1::2], strict=True)),
        "imports": tuple(imports(given, stack, folder)) if step["op"] == "import" else (),
        "message": given.message,
        "config": dict(pair.partition("=")[::2] for pair in given.config) or None,
    }
    known = {field.name for field in fields(Options)}
    if lacking := [name for name, value in asked.items() if value and name not in known]:
        raise NotImplementedError(f"the engine has no option {', '.join(lacking)}")
    return Options(**{name: value for name, value in asked.items() if name in known})


def imports(given: argparse.Namespace, stack: str, folder: Path) -> list[ImportSpec]:
    """What an import is asked for: by words, or by a file of the CLI's form."""
    common = {"protect": given.protect, "properties": tuple(given.properties)}
    if given.file is None:
        kind, name, identity = given.positional
        # Both may be said as NAME=URN, where the name is for the code that is generated.
        parent, provider = (text.rpartition("=")[2] for text in (given.parent, given.provider))
        return [ImportSpec(kind, name, identity, parent=parent, provider=provider, **common)]
    return read_imports(folder / given.file, StackRef(PROJECT, stack), protect=given.protect)


# ---------------------------------------------------------------- what changes before a step


def sealed(value: Any, crypter: PassphraseCrypter) -> Any:
    """A configuration value with each `$secret` encrypted."""
    if isinstance(value, dict):
        if set(value) == {"$secret"}:
            inner = value["$secret"]
            return {"secure": crypter.encrypt(inner if isinstance(inner, str) else json.dumps(inner))}
        return {key: sealed(item, crypter) for key, item in value.items()}
    return [sealed(item, crypter) for item in value] if isinstance(value, list) else value


def configure(settings: StackSettings, config: dict[str, Any], crypter: PassphraseCrypter) -> None:
    """Write the stack's settings file: exactly this configuration."""
    settings.config = {key: ConfigValue(sealed(value, crypter)) for key, value in config.items()}
    settings.encryption_salt = crypter.salt
    settings.save()


def change_cloud(folder: Path, changes: dict[str, Any]) -> None:
    """What happens to the real objects behind the engine's back."""
    path = folder / "cloud.json"
    cloud = json.loads(path.read_text()) if path.exists() else {"seq": {}, "objects": {}, "calls": 0}
    objects = cloud["objects"]
    for identity, made in (changes.get("objects") or {}).items():
        inputs = made.get("inputs") or {}
        default = inputs | {"serial": f"S-{identity}", "rev": 1}
        objects[identity] = {"inputs": inputs, "state": made.get("state", default)}
    for identity, properties in (changes.get("change") or {}).items():
        for name, value in properties.items():
            objects[identity]["state"][name] = value
            if name not in ("serial", "rev", "digest"):
                objects[identity]["inputs"][name] = value
    for identity in changes.get("delete") or []:
        objects.pop(identity, None)
    path.write_text(json.dumps(cloud))


def edit_state(backend: FileBackend, ref: StackRef, edits: list[dict[str, Any]]) -> None:
    """Rewrite the checkpoint as a crash would have left it; nothing looks at whether it holds together."""
    path = backend.files(ref).checkpoint
    whole = json.loads(path.read_bytes())
    latest = whole["checkpoint"]["latest"]
    resources: list[dict[str, Any]] = latest.setdefault("resources", [])

    def find(name: str) -> dict[str, Any] | None:
        return next((one for one in resources if one["urn"] == urn(name, ref.stack)), None)

    for edit in edits:
        if "pending" in edit:
            found = find(edit["resource"])
            if found is None:
                like = find(edit["like"]) or {}
                found = {key: like[key] for key in ("custom", "type", "provider", "parent") if key in like}
                found |= {"urn": urn(edit["resource"], ref.stack), "inputs": edit.get("inputs") or {}}
                found["type"] = found["urn"].split("::")[2].rpartition("$")[2]
            operation = {"resource": dict(found), "type": edit["pending"]}
            latest.setdefault("pending_operations", []).append(operation)
        elif "drop" in edit:
            resources[:] = [one for one in resources if one["urn"] != urn(edit["drop"], ref.stack)]
        else:
            found = find(edit["set"])
            assert found is not None, f"{edit['set']} is not in the state"
            found |= edit["to"]
    path.write_text(json.dumps(whole))


def is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None
