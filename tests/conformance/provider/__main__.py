"""The test provider `conf`: a cloud in a file, a log of every call, and faults on demand.

It speaks the protocol directly, without the SDK's provider classes, so that each reply is exactly what stands
here. What it does is written down in README.md.
"""

# ruff: noqa: N802, ARG002 (the method names and arguments are those of the protocol)
from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
import types
from concurrent import futures
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2

for _name in ("pulumi", "pulumi.runtime"):
    # Only the generated messages are wanted: importing the whole SDK takes half a second at each start.
    _package = types.ModuleType(_name)
    _folder = _name.replace(".", "/")
    _package.__path__ = [f"{entry}/{_folder}" for entry in sys.path if Path(entry, _folder).is_dir()]
    sys.modules[_name] = _package

from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2  # noqa: E402

FOLDER = Path(os.environ["CONF_DIR"])
# With CONF_OPERATIONS=1 the provider knows operation ids: what it did once under one, it does not do again.
# This is no part of the recorded contract; the crash tests use it.
KNOWS_OPERATIONS = os.environ.get("CONF_OPERATIONS") == "1"
OPERATION_ID = "x-pulumi-operation-id"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SHOWN = {
    SECRET: "$secret",
    "c44067f5952c0a294b673a41bacd8c17": "$asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "$archive",
    "5cf8f73096256a8f31e491e813e4eb8e": "$resource",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "$outputvalue",
}

Properties = dict[str, Any]


# Values: the wire's Struct as plain Python, with the secret marks left in


def from_struct(struct: struct_pb2.Struct) -> Properties:
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
    return None


def to_struct(properties: Properties) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def secret(value: Any) -> Properties:
    return {SIGNATURE: SECRET, "value": value}


def strip(value: Any) -> Any:
    """The value without secret marks."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return strip(value["value"])
        return {key: strip(item) for key, item in value.items()}
    return [strip(item) for item in value] if isinstance(value, list) else value


def show(value: Any) -> Any:
    """The value in the notation of the call log."""
    if isinstance(value, dict):
        inner = {key: show(item) for key, item in value.items() if key != SIGNATURE}
        if SIGNATURE not in value:
            return inner
        mark = SHOWN.get(value[SIGNATURE], value[SIGNATURE])
        return {mark: inner["value"] if mark == "$secret" else inner}
    if isinstance(value, list):
        return [show(item) for item in value]
    if value == UNKNOWN:
        return {"$unknown": True}
    if isinstance(value, str) and len(value) > 300:
        return {"$long": [len(value), value[:20]]}
    return value


def changed(old: Properties, new: Properties, but: str) -> list[str]:
    """The names of properties that were added, removed or differ."""
    old, new = strip(old), strip(new)
    missing = object()
    return sorted(
        key
        for key in old.keys() | new.keys()
        if key != but and old.get(key, missing) != new.get(key, missing)
    )


# The cloud


class Cloud:
    """cloud.json and calls.jsonl, held under one lock by whoever writes, in whichever process."""

    threads = threading.Lock()

    def __enter__(self) -> Self:
        self.threads.acquire()
        self.lock = (FOLDER / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            self.content = json.loads((FOLDER / "cloud.json").read_text())
        except FileNotFoundError:
            self.content = {"seq": {}, "objects": {}, "calls": 0}
        return self

    def __exit__(self, *_: object) -> None:
        # By a rename: a kill in the middle of a write must not lose the cloud.
        fresh = FOLDER / f"cloud.{os.getpid()}"
        fresh.write_text(json.dumps(self.content, indent=1))
        fresh.replace(FOLDER / "cloud.json")
        self.lock.close()
        self.threads.release()

    @property
    def objects(self) -> dict[str, Properties]:
        return self.content["objects"]

    def number(self, name: str) -> int:
        """How often an object of this name was created, with this time."""
        count = self.content["seq"][name] = self.content["seq"].get(name, 0) + 1
        return count

    def had_effect(self, kind: str, identity: str, state: Properties) -> None:
        """Note, together with the effect, that the present operation had it, and count it."""
        operation = getattr(CURRENT, "operation", None)
        if operation:
            self.content.setdefault("operations", {})[operation] = {"id": identity, "state": state}
            effects = self.content.setdefault("effects", {})
            effects[f"{kind} {identity}"] = effects.get(f"{kind} {identity}", 0) + 1

    def log(self, record: Properties) -> None:
        with (FOLDER / "calls.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")


class CallError(Exception):
    """A call fails with this message; with a detail, after it took effect."""

    def __init__(self, message: str, detail: Any = None) -> None:
        super().__init__(message)
        self.message, self.detail = message, detail


def fault(method: str, name: str, *, preview: bool = False) -> list[str]:
    """Wait or fail as the step says.

    Returns:
        the reasons of a failure that comes after the effect.
    """
    for entry in json.loads((FOLDER / "step.json").read_text()).get("faults") or []:
        if (entry["method"], entry["name"]) != (method, name) or (preview and not entry.get("preview")):
            continue
        time.sleep(entry.get("delay") or 0)
        if entry.get("partial"):
            return entry["partial"]
        if entry.get("message"):
            raise CallError(entry["message"])
    return []


SENT = {  # the request's properties, and the name each has in the log
    "Create": {"properties": "news"},
    "Delete": {"properties": "olds", "old_inputs": "old_inputs"},
    "Read": {"properties": "olds", "inputs": "inputs"},
    "Update": {"olds": "olds", "old_inputs": "old_inputs", "news": "news"},
    "Invoke": {"args": "args"},
    "Configure": {"args": "args"},
}
PLANNED = {"olds": "olds", "old_inputs": "old_inputs", "news": "news"}


def describe(method: str, request: Any) -> Properties:
    """What the log says of a call when it starts."""
    record: Properties = {"method": method}
    for name in ("urn", "id", "tok"):
        if getattr(request, name, ""):
            record[name] = getattr(request, name)
    present = {field.name for field, _ in request.ListFields()}
    for field, shown in SENT.get(method, PLANNED).items():
        if field in present:
            record[shown] = show(from_struct(getattr(request, field)))
    if method in ("Create", "Update", "Invoke"):
        record["preview"] = bool(getattr(request, "preview", False))
    if getattr(request, "timeout", 0):
        record["timeout"] = request.timeout
    if getattr(request, "ignoreChanges", None):
        record["ignore_changes"] = list(request.ignoreChanges)
    return record


def logged(call: Any) -> Any:
    """Log the start and the end of a call, and turn a CallError into the protocol's error."""
    method = call.__name__

    def run(self: Conf, request: Any, context: Any) -> Any:
        record = describe(method, request)
        with Cloud() as cloud:
            cloud.content["calls"] += 1
            number = cloud.content["calls"]
            cloud.log({"at": "start", "call": number} | record)
        end: Properties = {"at": "end", "call": number}
        try:
            name = record.get("urn", record.get("tok", "")).split("::")[-1]
            response, end["reply"] = once(method, request, context, lambda: call(self, request, name))
        except CallError as failure:
            end["error"] = failure.message
            if failure.detail is not None:
                detail = failure.detail
                end["init_errors"] = list(detail.reasons)
                end["reply"] = {"id": detail.id, "properties": show(from_struct(detail.properties))}
                status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=failure.message)
                status.details.add().Pack(detail)
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, failure.message)
        finally:
            with Cloud() as cloud:
                cloud.log(end)
        return response

    return run


CURRENT = threading.local()  # the operation whose effect this thread is about to have


def once(method: str, request: Any, context: Any, do: Any) -> Any:
    """Do a call; if it was done before under the same operation id, answer as then."""
    operation = dict(context.invocation_metadata()).get(OPERATION_ID) if KNOWS_OPERATIONS else None
    if operation is None or getattr(request, "preview", False):
        return do()
    context.set_trailing_metadata(((OPERATION_ID, operation),))
    with Cloud() as cloud:
        before = cloud.content.setdefault("operations", {}).get(operation)
    if before is None:
        CURRENT.operation = operation
        try:
            return do()
        finally:
            CURRENT.operation = None
    if method == "Delete":
        return empty_pb2.Empty(), {"again": True}
    properties = to_struct(before["state"])
    if method == "Update":
        return provider_pb2.UpdateResponse(properties=properties), {"again": True}
    return provider_pb2.CreateResponse(id=before["id"], properties=properties), {"again": True}


def with_digest(inputs: Properties) -> Properties:
    """The state that follows from inputs: those, and the digest of a password."""
    state = dict(inputs)
    if "password" in inputs:
        password = strip(inputs["password"])
        state["digest"] = secret(UNKNOWN if password == UNKNOWN else f"digest:{password}")
    return state


def half_made(identity: str, state: Properties, inputs: Properties, reasons: list[str]) -> CallError:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=identity, properties=to_struct(state), inputs=to_struct(inputs), reasons=reasons
    )
    return CallError("init failed", detail)


class Conf(provider_pb2_grpc.ResourceProviderServicer):
    """The provider; every method logged replies with the message and what the log says of it."""

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, request: Any, context: Any) -> Any:
        schema = {"name": "conf", "version": "1.0.0", "resources": {}}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    @logged
    def CheckConfig(self, request: Any, name: str) -> Any:
        news = from_struct(request.news)
        failures = []
        if "badConfig" in news:
            failures.append(
                provider_pb2.CheckFailure(property="badConfig", reason="badConfig is not allowed")
            )
        reply = {"inputs": show(news), "failures": len(failures)}
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures), reply

    @logged
    def DiffConfig(self, request: Any, name: str) -> Any:
        diffs = changed(from_struct(request.old_inputs), from_struct(request.news), but="version")
        replaces = [key for key in diffs if key == "account"]
        response = provider_pb2.DiffResponse(changes=2 if diffs else 1, diffs=diffs, replaces=replaces)
        return response, {"diffs": diffs, "replaces": replaces}

    @logged
    def Configure(self, request: Any, name: str) -> Any:
        fault("configure", "conf")
        response = provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=True
        )
        return response, {}

    @logged
    def Invoke(self, request: Any, token: str) -> Any:
        arguments = from_struct(request.args)
        key = strip(arguments.get("key"))
        fault("invoke", key)
        if key == "missing":
            failure = provider_pb2.CheckFailure(property="key", reason="no such key")
            return provider_pb2.InvokeResponse(failures=[failure]), {"failures": 1}
        value: Any = f"V-{key}"
        if strip(arguments.get("secret")):
            value = secret(value)
        result = {"value": value}
        return provider_pb2.InvokeResponse(**{"return": to_struct(result)}), show(result)

    @logged
    def Check(self, request: Any, name: str) -> Any:
        fault("check", name)
        olds, news = from_struct(request.olds), from_struct(request.news)
        failures = [(key, f"{key} is not allowed") for key in ("bad", "worse") if key in news]
        if strip(news.get("auto")) is True and "label" not in news:
            news["label"] = olds.get("label", f"auto-{name}")
        if isinstance(news.get("fold"), str) and news["fold"] != UNKNOWN:
            news["fold"] = news["fold"].lower()
        response = provider_pb2.CheckResponse(
            inputs=to_struct(news),
            failures=[provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures],
        )
        return response, {"inputs": show(news), "failures": [list(failure) for failure in failures]}

    @logged
    def Diff(self, request: Any, name: str) -> Any:
        fault("diff", name)
        kind = request.urn.split("::")[-2].split("$")[-1]
        if kind == "conf:index:Loose":
            return provider_pb2.DiffResponse(), {"changes": "unknown"}
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        diffs = changed(old, new, but="note")
        replaces = [key for key in diffs if key in ("site", "zone")]
        delete_first = "zone" in diffs
        response = provider_pb2.DiffResponse(
            changes=2 if diffs else 1, diffs=diffs, replaces=replaces, deleteBeforeReplace=delete_first,
            stables=[] if replaces else ["serial"], hasDetailedDiff=kind != "conf:index:Plain",
        )  # fmt: skip
        if response.hasDetailedDiff:
            for key in diffs:
                word = "ADD" if key not in old else "DELETE" if key not in new else "UPDATE"
                if key in replaces:
                    word += "_REPLACE"
                detail = response.detailedDiff[key]
                detail.kind, detail.inputDiff = provider_pb2.PropertyDiff.Kind.Value(word), True
        return response, {"diffs": diffs, "replaces": replaces, "delete_before_replace": delete_first}

    @logged
    def Create(self, request: Any, name: str) -> Any:
        inputs = from_struct(request.properties)
        state = with_digest(inputs)
        identity = ""
        if request.preview:
            fault("create", name, preview=True)
            state |= {"serial": UNKNOWN, "rev": UNKNOWN}
        else:
            reasons = fault("create", name)
            with Cloud() as cloud:
                identity = f"{name}-{cloud.number(name)}"
                state |= {"serial": f"S-{identity}", "rev": 1}
                cloud.objects[identity] = {"inputs": inputs, "state": state}
                cloud.had_effect("create", identity, state)
            if reasons:
                raise half_made(identity, state, inputs, reasons)
        response = provider_pb2.CreateResponse(id=identity, properties=to_struct(state))
        return response, {"id": identity, "properties": show(state)}

    @logged
    def Update(self, request: Any, name: str) -> Any:
        olds, inputs = from_struct(request.olds), from_struct(request.news)
        state = with_digest(inputs) | {"serial": olds.get("serial")}
        if request.preview:
            fault("update", name, preview=True)
            state["rev"] = UNKNOWN
        else:
            reasons = fault("update", name)
            state["rev"] = (strip(olds.get("rev")) or 0) + 1
            with Cloud() as cloud:
                cloud.objects[request.id] = {"inputs": inputs, "state": state}
                cloud.had_effect("update", request.id, state)
            if reasons:
                raise half_made(request.id, state, inputs, reasons)
        return provider_pb2.UpdateResponse(properties=to_struct(state)), {"properties": show(state)}

    @logged
    def Read(self, request: Any, name: str) -> Any:
        reasons = fault("read", name)
        with Cloud() as cloud:
            found = cloud.objects.get(request.id)
        if found is None:
            return provider_pb2.ReadResponse(), {"id": ""}
        state, inputs = found["state"], found["inputs"]
        if reasons:
            raise half_made(request.id, state, inputs, reasons)
        response = provider_pb2.ReadResponse(
            id=request.id, properties=to_struct(state), inputs=to_struct(inputs)
        )
        return response, {"id": request.id, "properties": show(state), "inputs": show(inputs)}

    @logged
    def Delete(self, request: Any, name: str) -> Any:
        fault("delete", name)
        with Cloud() as cloud:
            cloud.objects.pop(request.id, None)
            cloud.had_effect("delete", request.id, {})
        return empty_pb2.Empty(), {}


def end_with_parent(parent: int) -> None:
    """End when the process that started us is gone: an engine that was killed cannot tell us."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    """Serve on a free port of the loopback, and print it as every plugin does."""
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=unlimited)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Conf(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
