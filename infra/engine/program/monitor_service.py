"""The resource monitor as a gRPC service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import resource_pb2_grpc

from infra.engine.program.rpc_errors import Refused

if TYPE_CHECKING:
    from infra.engine.program.monitor import Monitor


class MonitorService(resource_pb2_grpc.ResourceMonitorServicer):
    """The monitor over gRPC."""

    def __init__(self, monitor: Monitor) -> None:
        for method in monitor.handlers:
            setattr(self, method, partial(self._serve, monitor, method))

    async def _serve(self, monitor: Monitor, method: str, request: Any, context: Any) -> Any:
        try:
            return await monitor.answer(method, request)
        except Refused as refused:
            await context.abort(refused.code, str(refused))
