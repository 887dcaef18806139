"""Every field of the protocol and of the state: kept, used, refused by name, or said here why it is not.

`protocol_fields.json` has them all. A field that a new SDK brings is in none of its lists and fails here.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import callback_pb2, engine_pb2, provider_pb2, resource_pb2

from infra.engine import EngineError
from infra.engine.program.refusals import REFUSED, refuse_unsupported
from infra.engine.program.rpc_errors import Refused
from infra.engine.resource.state import CustomTimeouts, PendingOperation, ResourceState, Snapshot
from infra.engine.resource.version_range import check_version

pytestmark = pytest.mark.unit

ENGINE = Path(__file__).resolve().parents[3] / "infra" / "engine"
TABLE = json.loads(Path(__file__).with_name("protocol_fields.json").read_text())
SERVICES = {
    "ResourceMonitor": resource_pb2,
    "Engine": engine_pb2,
    "ResourceProvider": provider_pb2,
    "Callbacks": callback_pb2,
}
# What travels packed in other messages.
PACKED = [
    *(
        resource_pb2.DESCRIPTOR.message_types_by_name[f"{kind}{way}"]
        for kind in ("Transform", "TransformInvoke", "ResourceHook", "ErrorHook")
        for way in ("Request", "Response")
    ),
    *(
        provider_pb2.DESCRIPTOR.message_types_by_name[name]
        for name in ("ErrorResourceInitFailed", "ConfigureErrorMissingKeys")
    ),
]


def fields_of_the_sdk() -> dict[str, set[str]]:
    """Each message that can be sent or got, with its fields."""
    found: dict[str, set[str]] = {}
    waiting = list(PACKED)
    for service, module in SERVICES.items():
        for method in module.DESCRIPTOR.services_by_name[service].methods:
            waiting += [method.input_type, method.output_type]
    while waiting:
        message = waiting.pop()
        name = message.full_name.removeprefix("pulumirpc.")
        if message.full_name.startswith("google.") or message.GetOptions().map_entry or name in found:
            continue
        found[name] = {field.name for field in message.fields}
        waiting += [field.message_type for field in message.fields if field.message_type]
    return found


def test_every_field_and_call_of_the_sdk_is_accounted_for() -> None:
    assert fields_of_the_sdk() == {name: set(fields) for name, fields in TABLE["messages"].items()}
    for service, module in SERVICES.items():
        methods = {method.name for method in module.DESCRIPTOR.services_by_name[service].methods}
        assert methods == set(TABLE["methods"][service])


@cache
def words() -> frozenset[str]:
    """Every name, attribute, keyword and text in the engine's code."""
    found: set[str] = set()
    for path in ENGINE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.Name | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.id if isinstance(node, ast.Name) else node.name)
    return frozenset(found)


def test_what_is_said_to_be_used_is_named_in_the_code() -> None:
    told = {**TABLE["messages"], **TABLE["methods"]}
    said = {
        f"{group}.{name}" for group, names in told.items() for name, how in names.items() if how == "used"
    }
    assert not {name for name in said if name.rpartition(".")[2] not in words()}


REFUSALS = [
    (message, field)
    for message, fields in TABLE["messages"].items()
    for field, how in fields.items()
    if how == "refused"
]


@pytest.mark.parametrize(("message", "field"), REFUSALS)
def test_what_is_refused_is_refused_by_its_name(message: str, field: str) -> None:
    request: Any = getattr(resource_pb2, message)()
    refuse_unsupported(request)
    described = request.DESCRIPTOR.fields_by_name[field]
    if isinstance(getattr(request, field), str):
        setattr(request, field, "given")
    elif described.message_type is None:
        getattr(request, field).append("given")
    elif hasattr(getattr(request, field), "add"):
        getattr(request, field).add()
    else:
        getattr(request, field).SetInParent()
    with pytest.raises(Refused, match=field) as refused:
        refuse_unsupported(request)
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION


def test_each_refusal_is_in_the_table() -> None:
    assert {(message, field) for message, fields in REFUSED.items() for field in fields} == set(REFUSALS)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("", True),
        (">=3.0.0", True),
        (">=3.0.0 <4.0.0", True),
        ("<3.0.0", False),
        (">= 3.0.0", True),
        ("<3.0.0 || >3.1.0", True),
        ("!3.260.0", False),
        ("3.260.0", True),
        ("=3.260.0", True),
        ("3.x", True),
        ("3.260.x", True),
        ("<3.x", False),
        (">3.x", False),
        ("<=3.x", True),
        ("!=3.x", False),
        (">=3.261.x", False),
        ("4.x", False),
        (">3.260.0-alpha.1", True),
        (">=3.260.1-alpha", False),
        ("*", True),
        (">=4.0.0", False),
        ("==3.260.0 !3.1.0", True),
    ],
)
def test_a_version_that_is_required_is_looked_at(wanted: str, *, fits: bool) -> None:
    if fits:
        check_version(wanted)
        return
    with pytest.raises(EngineError, match="does not satisfy the version range"):
        check_version(wanted)


@pytest.mark.parametrize("wanted", ["three", ">=3", "~3.0.0", ">=3.0.0, <4.0.0", "3.0.0 ||| 4.0.0"])
def test_a_range_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(EngineError, match="parsing CLI version range"):
        check_version(wanted)


# Every field of the published schema (ResourceV3, ManifestV1, OperationV2, DeploymentV3 of apitype), with a
# value that none of them has by itself.
RESOURCE: dict[str, Any] = {
    "urn": "urn:pulumi:dev::p::a:b:C::n",
    "custom": True,
    "delete": True,
    "id": "i",
    "type": "a:b:C",
    "inputs": {"a": 1.5},
    "outputs": {"b": [True, None]},
    "parent": "urn:parent",
    "protect": True,
    "taint": True,
    "external": True,
    "dependencies": ["urn:d"],
    "initErrors": ["bad"],
    "provider": "urn:provider::id",
    "extensionRef": "ref",
    "propertyDependencies": {"a": ["urn:d"], "b": []},
    "pendingReplacement": True,
    "additionalSecretOutputs": ["b"],
    "aliases": ["urn:was"],
    "customTimeouts": {"create": 1, "update": 2.5, "delete": 3, "read": 4},
    "importID": "imported",
    "retainOnDelete": True,
    "deletedWith": "urn:w",
    "replaceWith": ["urn:r"],
    "created": "2026-01-01T00:00:00Z",
    "modified": "2026-01-02T00:00:00Z",
    "sourcePosition": "project:///a.py#1",
    "stackTrace": [{"sourcePosition": "project:///b.py#2"}],
    "ignoreChanges": ["x"],
    "hideDiff": ["h"],
    "replaceOnChanges": ["y"],
    "replacementTrigger": {"t": "v"},
    "refreshBeforeUpdate": True,
    "viewOf": "urn:v",
    "resourceHooks": {"BeforeCreate": ["hook"]},
    "snippetId": "snippet",
    "of a newer Pulumi": {"kept": True},
}
DEPLOYMENT: dict[str, Any] = {
    "manifest": {
        "time": "2026-01-01T00:00:00Z",
        "magic": "m",
        "version": "v",
        "plugins": [{"name": "conf", "path": "/p", "type": "resource", "version": "1.0.0"}],
    },
    "secrets_providers": {"type": "passphrase", "state": {"salt": "s"}},
    "resources": [RESOURCE],
    "pending_operations": [{"resource": RESOURCE, "type": "creating"}],
    "metadata": {"integrity_error": {"version": "v", "command": "c", "error": "e"}},
    "snippets": [{"id": "snippet"}],
}


class NoCrypter:
    def encrypt(self, plaintext: str) -> str:
        raise AssertionError(plaintext)

    def decrypt(self, ciphertext: str) -> str:
        raise AssertionError(ciphertext)


def test_a_resource_keeps_every_field_of_the_state() -> None:
    state = ResourceState.from_json(RESOURCE, NoCrypter())
    assert state.to_json(NoCrypter()) == RESOURCE
    assert state.copy().to_json(NoCrypter()) == RESOURCE
    assert set(state.unknown_fields) == {"extensionRef", "snippetId", "of a newer Pulumi"}


def test_a_deployment_keeps_every_field_but_who_wrote_it_and_when() -> None:
    written = Snapshot.from_json(DEPLOYMENT, NoCrypter()).to_json(NoCrypter())
    for key in ("time", "magic", "version"):
        assert written["manifest"].pop(key)
    assert written == DEPLOYMENT | {"manifest": {"plugins": DEPLOYMENT["manifest"]["plugins"]}}
    operation = DEPLOYMENT["pending_operations"][0]
    assert PendingOperation.from_json(operation, NoCrypter()).to_json(NoCrypter()) == operation


@pytest.mark.parametrize("name", CustomTimeouts.__dataclass_fields__)
def test_each_timeout_alone_is_kept(name: str) -> None:
    assert CustomTimeouts(**{name: 2.5}).to_json() == {name: 2.5}
    assert CustomTimeouts(**{name: 2.5})
