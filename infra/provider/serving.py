"""The plugin as a process: gRPC on 127.0.0.1, errors without tracebacks, and an end when the engine ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import traceback
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import grpc
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from infra.errors import UserError
from infra.provider.failures import InitFailed
from infra.provider.plugin import VERSION, Gigasite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.struct_pb2 import Struct  # type: ignore[attr-defined]

OPERATION: Final = "x-pulumi-operation-id"
PARENT_POLL_S = 1.0
_log = logging.getLogger("gigasite.provider")


def _plain_errors(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Answers with the message of what went wrong; the SDK would send the traceback as the message."""

    @wraps(method)
    async def answer(self: Servicer, request: Any, context: Any) -> Any:
        # An engine that is interrupted tries an operation again under its id. We need no record of ids: a
        # thing made twice is made once, as every id follows from what is declared. This only says so.
        known = tuple(item for item in context.invocation_metadata() or () if item[0] == OPERATION)
        if known:
            context.set_trailing_metadata(known)
        try:
            return await method(self, request, context)
        except NotImplementedError:
            await _unimplemented(self, request, context)
        except Exception as error:  # noqa: BLE001 (the border of the process)
            cause = error.__context__ if type(error) is Exception and error.__context__ else error
            trailing: tuple[tuple[str, bytes], ...] = ()
            if isinstance(cause, InitFailed):
                trailing, message = _partial(cause), "\n".join(cause.reasons)
            elif isinstance(cause, UserError):
                message = str(cause)
            else:
                _log.error("%s failed:\n%s", method.__name__, "".join(traceback.format_exception(cause)))
                message = f"this is a bug in the provider gigasite: {type(cause).__name__}: {cause}"
        await context.abort(grpc.StatusCode.UNKNOWN, message, (*known, *trailing))
        raise AssertionError("abort raises")

    return answer


async def _unimplemented(self: Servicer, request: Any, context: Any) -> Any:
    """Answers what we do not serve; the generated base class would print a traceback as well."""
    del self, request
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the provider gigasite does not implement this")


class Servicer(ProviderServicer):
    """The SDK's servicer with messages that a user can read, and what it leaves out."""

    # Without a handshake, engines take what we accept from the answer to Configure.
    Handshake = _unimplemented
    Attach = _unimplemented
    GetMapping = _unimplemented
    GetMappings = _unimplemented
    List = _unimplemented
    Parameterize = _plain_errors(ProviderServicer.Parameterize)
    Invoke = _plain_errors(ProviderServicer.Invoke)
    GetSchema = _plain_errors(ProviderServicer.GetSchema)
    CheckConfig = _plain_errors(ProviderServicer.CheckConfig)
    Configure = _plain_errors(ProviderServicer.Configure)
    Check = _plain_errors(ProviderServicer.Check)
    Diff = _plain_errors(ProviderServicer.Diff)
    Create = _plain_errors(ProviderServicer.Create)
    Update = _plain_errors(ProviderServicer.Update)
    Delete = _plain_errors(ProviderServicer.Delete)
    Read = _plain_errors(ProviderServicer.Read)

    @_plain_errors
    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC's names)
        """Compare configurations; the SDK's own version fails on a detailed diff and drops `changes`."""
        olds = request.old_inputs if request.HasField("old_inputs") else request.olds
        found = await self._provider.diff_config(
            api.DiffRequest(
                request.urn,
                request.id,
                PropertyValue.unmarshal_map(olds),
                PropertyValue.unmarshal_map(request.news),
                list(request.ignoreChanges),
            )
        )
        changes = (
            provider_pb2.DiffResponse.DIFF_SOME if found.changes else provider_pb2.DiffResponse.DIFF_NONE
        )
        return proto.DiffResponse(changes=changes, replaces=found.replaces, diffs=found.diffs)


def _partial(failed: InitFailed) -> tuple[tuple[str, bytes], ...]:
    """The status detail by which an engine keeps a resource that is not all as declared."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=failed.resource_id,
        properties=_struct(failed.properties),
        inputs=_struct(failed.inputs),
        reasons=failed.reasons,
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(failed))
    status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)  # type: ignore[no-untyped-call]


def _struct(values: Any) -> Struct:
    return PropertyValue.marshal_map(values)


def servicer(engine_address: str = "") -> Servicer:
    """A servicer of a fresh provider, for a server or for an engine in the same process."""
    return Servicer([], VERSION, Gigasite(), engine_address)


async def _serve(engine_address: str, parent: int) -> None:
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C goes to the whole foreground group; the engine decides what happens to operations that run.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    watch = loop.create_task(_end_with_parent(parent, stop))
    await stop.wait()
    watch.cancel()
    await server.stop(grace=0.5)


async def _end_with_parent(parent: int, stop: asyncio.Event) -> None:
    """Set `stop` when the process that started us is gone, for example by kill -9."""
    while os.getppid() == parent:  # noqa: ASYNC110 (no event tells it)
        await asyncio.sleep(PARENT_POLL_S)
    stop.set()


def main() -> None:
    """Serve until the engine ends; the first argument that is no option is the engine's address."""
    parent = os.getppid()  # before the engine learns our port: it could be killed at once
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s")
    for name in ("sushy", "urllib3"):  # they warn about each retry, which the resource's own message sums up
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(words[0] if words else "", parent))
    # A request thread can still wait for a controller; its result is nobody's any more.
    sys.stdout.flush()
    os._exit(0)
