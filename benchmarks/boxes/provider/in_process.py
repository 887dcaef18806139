"""A provider that costs next to nothing, for benchmarks and crash tests: `box:index:Item`.

With BOX_LOG it appends one line to that file for each effect. With BOX_DELAY it takes that many seconds for
each. With BOX_IDEMPOTENT it knows an operation id again, and says so.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

OPERATION = "x-pulumi-operation-id"


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The provider."""

    def __init__(self) -> None:
        self._log = os.environ.get("BOX_LOG")
        self._delay = float(os.environ.get("BOX_DELAY") or 0)
        self._knows = bool(os.environ.get("BOX_IDEMPOTENT"))
        self._lock = threading.Lock()
        self._done: dict[str, str] = {}
        if self._log and Path(self._log).exists():
            for line in Path(self._log).read_text().splitlines():
                words = line.split("\t")
                if len(words) == 4:
                    self._done[words[0]] = words[3]

    def _effect(self, context: Any, method: str, urn: str, id_: str) -> str:
        """Do it once: one line, written in one go; the id it was done under."""
        operation = dict(context.invocation_metadata() or ()).get(OPERATION, "") if context else ""
        if self._knows and operation and context:
            context.set_trailing_metadata(((OPERATION, operation),))
        if not self._log:
            return id_
        if self._delay and not (self._knows and operation in self._done):
            time.sleep(self._delay)
        with self._lock:
            if self._knows and operation in self._done:
                return self._done[operation]
            line = f"{operation}\t{method}\t{urn}\t{id_}\n".encode()
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, line)
            os.close(descriptor)
            self._done[operation] = id_
            return id_

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.GetSchemaResponse(schema='{"name": "box", "version": "1.0.0"}')

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, acceptResources=True, acceptOutputs=True, supportsPreview=True
        )

    def Check(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        old, new = request.old_inputs.fields, request.news.fields
        changed = sorted(
            key for key in {*old, *new} if key not in old or key not in new or old[key] != new[key]
        )
        replaces = [key for key in changed if key in ("site", "zone")]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace="zone" in replaces,
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        reply = provider_pb2.CreateResponse(properties=request.properties)
        if not request.preview:
            reply.id = self._effect(context, "create", request.urn, f"{request.name}-{time.time_ns():x}")
            reply.properties.fields["serial"].string_value = f"S-{request.name}"
        return reply

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        reply = provider_pb2.UpdateResponse(properties=request.news)
        if not request.preview:
            self._effect(context, "update", request.urn, request.id)
            reply.properties.fields["serial"].CopyFrom(request.olds.fields["serial"])
        return reply

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        self._effect(context, "delete", request.urn, request.id)
        return Empty()

    def Read(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802, D102
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)


def servicer() -> Servicer:
    """What an engine calls that has this provider in its own process."""
    return Servicer()
