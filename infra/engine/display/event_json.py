"""Events as the CLI writes them: JSON lines of a run (`--event-log`), and the digest of a preview."""

from __future__ import annotations

import json
import re
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TextIO

from infra.engine import events
from infra.engine.masking import MASK
from infra.engine.resource import value_json, values
from infra.engine.resource.values import Secret

if TYPE_CHECKING:
    from infra.engine.events import Event, StepMetadata
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

_CONTROL = re.compile(r"\x1b\[[0-9;]*[mK]|<\{%.*?%\}>")

# The key of each kind of event in the CLI's envelope.
_KEYS: dict[type, str] = {
    events.CancelEvent: "cancelEvent",
    events.StdoutEvent: "stdoutEvent",
    events.DiagnosticEvent: "diagnosticEvent",
    events.PreludeEvent: "preludeEvent",
    events.SummaryEvent: "summaryEvent",
    events.ResourcePreEvent: "resourcePreEvent",
    events.ResOutputsEvent: "resOutputsEvent",
    events.ResOpFailedEvent: "resOpFailedEvent",
    events.PolicyEvent: "policyEvent",
    events.PolicyRemediationEvent: "policyRemediationEvent",
    events.PolicyAnalyzeSummaryEvent: "policyAnalyzeSummaryEvent",
    events.PolicyRemediateSummaryEvent: "policyRemediateSummaryEvent",
    events.PolicyAnalyzeStackSummaryEvent: "policyAnalyzeStackSummaryEvent",
    events.PolicyLoadEvent: "policyLoadEvent",
    events.ErrorEvent: "errorEvent",
}


_OMITTED_IF_EMPTY = frozenset({"resource_urn", "severity", "passed", "failed"})


class _Blind:
    """Encrypts everything to nothing: what is shown or logged of a secret."""

    def encrypt(self, plaintext: str) -> str:
        del plaintext
        return MASK

    def decrypt(self, ciphertext: str) -> str:
        del ciphertext
        return f'"{MASK}"'


def blind_secrets(properties: Properties) -> dict[str, Any]:
    """A property map in checkpoint form, where each secret's ciphertext is `[secret]`."""
    return value_json.to_json({key: _forgotten(value) for key, value in properties.items()}, _Blind())


def _forgotten(value: Any) -> Any:
    if isinstance(value, Secret):
        return Secret(None, MASK)
    if isinstance(value, dict):
        return {key: _forgotten(item) for key, item in value.items()}
    return [_forgotten(item) for item in value] if isinstance(value, list) else value


def mask_secrets(value: Any) -> Any:
    """A value where each secret is the text `[secret]`."""
    if isinstance(value, Secret) or (isinstance(value, values.OutputValue) and value.secret):
        return MASK
    if isinstance(value, dict):
        return {key: mask_secrets(item) for key, item in value.items()}
    return [mask_secrets(item) for item in value] if isinstance(value, list) else value


def plain_text(message: str) -> str:
    """A message without colors."""
    return _CONTROL.sub("", message)


def to_json(event: Event, sequence: int, timestamp: int) -> dict[str, Any]:
    """One event in its envelope.

    Args:
        event: the event.
        sequence: its number in the run, from 0.
        timestamp: UNIX seconds.
    """
    body: dict[str, Any]
    match event:
        case events.ResourcePreEvent() | events.ResOutputsEvent():
            body = {"metadata": _metadata(event.metadata)} | ({"planning": True} if event.planning else {})
        case events.ResOpFailedEvent():
            body = {"metadata": _metadata(event.metadata), "status": event.status, "steps": event.steps}
        case events.DiagnosticEvent():
            body = _diagnostic(event)
        case events.StdoutEvent():
            body = {"message": event.message, "color": "never"}
        case events.PreludeEvent():
            body = {"config": event.config}
        case events.SummaryEvent():
            body = {
                "maybeCorrupt": event.maybe_corrupt, "durationSeconds": event.duration_seconds,
                "resourceChanges": {str(op): count for op, count in event.resource_changes.items()},
                "PolicyPacks": event.policy_packs, "isPreview": event.is_preview, "result": event.result,
            }  # fmt: skip
        case events.PolicyRemediationEvent():
            body = _fields(event, ("before", "after"))
            body |= {"color": "raw", "policyPackVersionTag": event.policy_pack_version}
            body |= {"before": blind_secrets(event.before), "after": blind_secrets(event.after)}
        case events.PolicyEvent():
            body = {"color": "never", "policyPackVersionTag": event.policy_pack_version} | _fields(event)
        case events.PolicyAnalyzeSummaryEvent():
            body = {"policyPackVersionTag": event.policy_pack_version} | _fields(event)
        case _:
            body = _fields(event)
    return {"sequence": sequence, "timestamp": timestamp, _KEYS[type(event)]: body}


def _fields(event: Any, but: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        _camel(field.name): getattr(event, field.name)
        for field in fields(event)
        if field.name not in but and (getattr(event, field.name) or field.name not in _OMITTED_IF_EMPTY)
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _diagnostic(event: events.DiagnosticEvent) -> dict[str, Any]:
    body: dict[str, Any] = {"urn": event.urn} if event.urn else {}
    if event.prefix:
        body["prefix"] = event.prefix
    body |= {"message": plain_text(event.message), "color": "never", "severity": str(event.severity)}
    if event.stream_id:
        body["streamID"] = event.stream_id
    return body | ({"ephemeral": True} if event.ephemeral else {})


def _metadata(step: StepMetadata) -> dict[str, Any]:
    body: dict[str, Any] = {"op": str(step.op), "urn": step.urn, "type": step.type}
    body |= {"old": _state(step.old), "new": _state(step.new)}
    if step.keys:
        body["keys"] = list(step.keys)
    if step.diffs:
        body["diffs"] = list(step.diffs)
    body["detailedDiff"] = _detailed(step)
    if step.logical:
        body["logical"] = True
    return body | {"provider": step.provider}


def _detailed(step: StepMetadata) -> dict[str, Any] | None:
    if step.detailed_diff is None:
        return None
    return {
        path: {"diffKind": str(diff.kind), "inputDiff": diff.input_diff}
        for path, diff in step.detailed_diff.items()
    }


def _state(state: ResourceState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    body: dict[str, Any] = {"type": state.type, "urn": state.urn}
    flags = {
        "custom": state.custom, "delete": state.delete, "protect": state.protect, "taint": state.taint,
        "external": state.external, "retainOnDelete": state.retain_on_delete,
    }  # fmt: skip
    body |= {key: True for key, value in flags.items() if value}
    body |= {"id": state.id if isinstance(state.id, str) else "", "parent": state.parent}
    body |= {
        "inputs": blind_secrets(state.inputs),
        "outputs": blind_secrets(state.outputs),
        "provider": state.provider,
    }
    if state.init_errors:
        body["initErrors"] = list(state.init_errors)
    return body


class EventStream:
    """Writes each event as a JSON line as it comes.

    Args:
        out: an open text file.
    """

    def __init__(self, out: TextIO) -> None:
        self._out, self._sequence = out, 0

    def __call__(self, event: Event) -> None:
        """Write one."""
        if isinstance(event, events.DiagnosticEvent) and event.severity is events.Severity.DEBUG:
            return
        line = json.dumps(to_json(event, self._sequence, int(time.time())), separators=(",", ":"))
        self._out.write(line + "\n")
        self._out.flush()
        self._sequence += 1


class PreviewDigest:
    """Gathers a preview into the one JSON document that `pulumi preview --json` prints."""

    def __init__(self) -> None:
        self._config: dict[str, str] = {}
        self._steps: dict[tuple[str, str], dict[str, Any]] = {}
        self._refreshed: set[str] = set()
        self._diagnostics: list[dict[str, Any]] = []
        self._summary: events.SummaryEvent | None = None
        self._started = time.monotonic_ns()

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case events.PreludeEvent():
                self._config = event.config
            case events.ResourcePreEvent():
                self._step(event.metadata)
            case events.ResOutputsEvent() if event.metadata.urn in self._refreshed:
                # What a refresh found is told by its outcome.
                if event.metadata.detailed_diff or event.metadata.op is events.Op.DELETE:
                    self._step(event.metadata)
            case events.DiagnosticEvent() if not event.ephemeral and event.severity != events.Severity.DEBUG:
                said: dict[str, Any] = {"urn": event.urn} if event.urn else {}
                message = plain_text(event.prefix + event.message)
                self._diagnostics.append(said | {"message": message, "severity": str(event.severity)})
            case events.SummaryEvent():
                self._summary = event
            case _:
                pass

    def _step(self, step: StepMetadata) -> None:
        if step.op is events.Op.REFRESH:
            self._refreshed.add(step.urn)
        body: dict[str, Any] = {"op": str(step.op), "urn": step.urn}
        if step.provider:
            body["provider"] = step.provider
        for key, state in (("oldState", step.old), ("newState", step.new)):
            if state is not None:
                shown = state.copy(inputs=mask_secrets(state.inputs), outputs=mask_secrets(state.outputs))
                body[key] = shown.to_json(_Blind())
        reasons = {"diffReasons": list(step.diffs), "replaceReasons": list(step.keys)}
        body |= {key: value for key, value in reasons.items() if value}
        refreshed = step.urn in self._refreshed  # then its outcome takes the place of its start
        place = (step.urn, "" if refreshed else str(step.op))
        self._steps[place] = body | {"detailedDiff": _detailed(step)}

    def document(self) -> dict[str, Any]:
        """The whole digest."""
        out: dict[str, Any] = {"config": self._config} if self._config else {}
        out["steps"] = list(self._steps.values())
        if self._diagnostics:
            out["diagnostics"] = self._diagnostics
        changes = self._summary.resource_changes if self._summary else {}
        return out | {
            "duration": time.monotonic_ns() - self._started,
            "changeSummary": {str(op): count for op, count in changes.items()},
        }
