"""Invokes: functions of providers that a program calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime.proto import resource_pb2

from infra.engine.errors import EngineError
from infra.engine.plugin.provider import ProviderError
from infra.engine.program.refusals import refuse_unsupported
from infra.engine.resource import values
from infra.engine.resource.urn import package_of
from infra.engine.resource.wire import Wire, from_struct

if TYPE_CHECKING:
    from infra.engine.program.monitor_context import MonitorContext

_GET_RESOURCE: Final = "pulumi:pulumi:getResource"


async def invoke(monitor: MonitorContext, request: resource_pb2.ResourceInvokeRequest) -> Any:
    """Call a function of a provider.

    Raises:
        EngineError: its provider is unknown or refuses the call.
    """
    refuse_unsupported(request)
    arguments = values.downgrade_outputs(from_struct(request.args))
    reference = request.provider
    if not reference and request.parent:
        reference = monitor.inherited_provider(request.parent, package_of(request.tok))
    if monitor.invoke_transforms:
        options = resource_pb2.TransformInvokeOptions(
            provider=reference,
            version=request.version,
            plugin_download_url=request.pluginDownloadURL,
            plugin_checksums=request.pluginChecksums,
        )
        for callback in monitor.invoke_transforms:
            arguments, options = await monitor.callbacks.transform_invoke(
                callback, request.tok, arguments, options
            )
        reference, request.version = options.provider, options.version
        request.pluginDownloadURL = options.plugin_download_url
        request.pluginChecksums.clear()
        request.pluginChecksums.update(options.plugin_checksums)
        arguments = values.downgrade_outputs(arguments)
    provider = monitor.provider(reference or await monitor.default_reference(request, request.tok))
    try:
        result = await provider.invoke(request.tok, arguments, preview=monitor.info.preview)
    except ProviderError as error:
        raise EngineError(f"invocation of {request.tok} returned an error: {error}") from None
    references = request.acceptResources or request.tok == _GET_RESOURCE
    wire = Wire(references=references, byte_strings=request.accepts_byte_string)
    reply = resource_pb2.ResourceInvokeResponse()
    getattr(reply, "return").CopyFrom(wire.struct(result.outputs))
    for failure in result.failures:
        reply.failures.add(property=failure.property, reason=failure.reason)
    return reply
