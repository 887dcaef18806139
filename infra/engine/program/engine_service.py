"""The Engine service: logs of programs and plugins, and the root resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from infra.engine.errors import EngineError
from infra.engine.events import DiagnosticEvent, Severity
from infra.engine.resource.version_range import check_version

if TYPE_CHECKING:
    from collections.abc import Callable

_SEVERITIES: Final = {
    engine_pb2.DEBUG: Severity.DEBUG,
    engine_pb2.INFO: Severity.INFO,
    engine_pb2.WARNING: Severity.WARNING,
    engine_pb2.ERROR: Severity.ERROR,
}


class EngineService(engine_pb2_grpc.EngineServicer):
    """Answers programs and plugins.

    Args:
        emit: takes what they log.
    """

    def __init__(self, emit: Callable[[DiagnosticEvent], None]) -> None:
        self._emit = emit
        self._root = ""
        self.muted = False
        """Whether what the program says does not matter any more, as it is being ended."""

    def log(self, request: engine_pb2.LogRequest) -> None:
        """Pass a message on."""
        if self.muted:
            return
        severity = _SEVERITIES.get(request.severity, Severity.INFO)
        event = DiagnosticEvent(
            request.message, severity, request.urn, stream_id=request.streamId, ephemeral=request.ephemeral
        )
        self._emit(event)

    async def Log(self, request: Any, context: Any) -> Any:  # noqa: ARG002, D102, N802
        self.log(request)
        return Empty()

    async def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, D102, N802
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    async def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, D102, N802
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    async def StartDebugging(self, request: Any, context: Any) -> Any:  # noqa: ARG002, D102, N802
        text = f"Waiting for debugger to attach ({request.message})..."
        self._emit(DiagnosticEvent(text, Severity.INFO, ephemeral=True))
        return Empty()

    async def RequirePulumiVersion(self, request: Any, context: Any) -> Any:  # noqa: D102, N802
        try:
            check_version(request.pulumi_version_range)
        except EngineError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return engine_pb2.RequirePulumiVersionResponse()
