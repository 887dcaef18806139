"""Callbacks: the program's own functions (transforms, hooks), called through the server it runs for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from pulumi.runtime.proto import alias_pb2, callback_pb2, callback_pb2_grpc, resource_pb2

from infra.engine.deploy.hooks import HOOK_FIELDS, Hook
from infra.engine.plugin.go_text import duration
from infra.engine.plugin.plugins import CHANNEL_OPTIONS
from infra.engine.plugin.provider import ProviderError
from infra.engine.resource import wire
from infra.engine.resource.wire import Wire

if TYPE_CHECKING:
    from infra.engine.deploy.hooks import ErrorHookFunction, HookFunction
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


def _wire(callback: callback_pb2.Callback) -> Wire:
    return Wire(outputs=True, byte_strings=callback.accepts_byte_string)


class Callbacks:
    """The callback servers of programs and component providers, by address."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def invoke(self, callback: callback_pb2.Callback, request: Any, reply: Any) -> Any:
        """Call a function with a message of its kind; the answer is one too.

        Raises:
            ProviderError: it raised.
        """
        channel = self._channels.get(callback.target)
        if channel is None:
            channel = grpc.aio.insecure_channel(callback.target, options=CHANNEL_OPTIONS)
            self._channels[callback.target] = channel
        stub = callback_pb2_grpc.CallbacksStub(channel)
        message = callback_pb2.CallbackInvokeRequest(
            token=callback.token, request=request.SerializeToString()
        )
        try:
            answer = await stub.Invoke(message)
        except grpc.aio.AioRpcError as error:
            raise ProviderError(error.details() or error.code().name) from None
        reply.ParseFromString(answer.response)
        return reply

    async def transform(
        self,
        callback: callback_pb2.Callback,
        request: resource_pb2.RegisterResourceRequest,
        properties: Properties,
        options: resource_pb2.TransformResourceOptions,
    ) -> tuple[Properties, resource_pb2.TransformResourceOptions]:
        """Let a transform change a registration."""
        message = resource_pb2.TransformRequest(
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            properties=_wire(callback).struct(properties),
            options=options,
        )
        try:
            reply = await self.invoke(callback, message, resource_pb2.TransformResponse())
        except ProviderError as error:
            raise ProviderError(f"invoke transform: rpc error: code = Unknown desc = {error}") from None
        if reply.HasField("properties"):
            properties = wire.from_struct(reply.properties)
        return properties, reply.options if reply.HasField("options") else options

    async def transform_invoke(
        self,
        callback: callback_pb2.Callback,
        token: str,
        arguments: Properties,
        options: resource_pb2.TransformInvokeOptions,
    ) -> tuple[Properties, resource_pb2.TransformInvokeOptions]:
        """Let a transform change a function's call."""
        message = resource_pb2.TransformInvokeRequest(
            token=token, args=_wire(callback).struct(arguments), options=options
        )
        reply = await self.invoke(callback, message, resource_pb2.TransformInvokeResponse())
        if reply.HasField("args"):
            arguments = wire.from_struct(reply.args)
        return arguments, reply.options if reply.HasField("options") else options

    def hook(self, callback: callback_pb2.Callback) -> HookFunction:
        """A resource hook as a function."""

        async def call(hook: Hook, new: ResourceState | None, old: ResourceState | None) -> None:
            after = hook.startswith("After")
            state = new or old
            assert state is not None
            message = resource_pb2.ResourceHookRequest(
                urn=state.urn,
                id=state.id,
                name=state.name,
                type=state.type,
                **_states(_wire(callback), new, old),
            )
            if new is not None and after:
                message.new_outputs.CopyFrom(_wire(callback).struct(new.outputs))
            reply = await self.invoke(callback, message, resource_pb2.ResourceHookResponse())
            if reply.error:
                raise ProviderError(reply.error)

        return call

    def error_hook(self, callback: callback_pb2.Callback) -> ErrorHookFunction:
        """An error hook as a function."""

        async def call(
            state: ResourceState, old: ResourceState | None, operation: str, failures: list[str]
        ) -> bool:
            new = None if operation == "delete" else state
            message = resource_pb2.ErrorHookRequest(
                urn=state.urn,
                id=state.id,
                name=state.name,
                type=state.type,
                failed_operation=operation,
                errors=failures,
                **_states(_wire(callback), new, old),
            )
            reply = await self.invoke(callback, message, resource_pb2.ErrorHookResponse())
            if reply.error:
                raise ProviderError(reply.error)
            return bool(reply.retry)

        return call

    async def close(self) -> None:
        """Hang up."""
        for channel in self._channels.values():
            await channel.close()


def _states(encode: Wire, new: ResourceState | None, old: ResourceState | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if new is not None:
        fields |= {"new_inputs": encode.struct(new.inputs), "new_options": _options(new)}
    if old is not None:
        fields |= {
            "old_inputs": encode.struct(old.inputs),
            "old_outputs": encode.struct(old.outputs),
            "old_options": _options(old),
        }
    return fields


def _options(state: ResourceState) -> resource_pb2.ResourceOptions:
    """A resource's options as hooks see them; fields that this SDK's messages lack are left out."""
    wanted: dict[str, Any] = {
        "parent": state.parent,
        "depends_on": state.dependencies,
        "protect": state.protect,
        "ignore_changes": state.ignore_changes,
        "replace_on_changes": state.replace_on_changes,
        "provider": state.provider,
        "retain_on_delete": state.retain_on_delete,
        "deleted_with": state.deleted_with,
        "replace_with": state.replace_with,
        "additional_secret_outputs": state.additional_secret_outputs,
        "import": state.import_id,
        "hide_diff": state.hide_diff,
        "aliases": [alias_pb2.Alias(urn=urn) for urn in state.aliases],
    }
    if state.custom_timeouts:
        times = {name: duration(value) for name, value in state.custom_timeouts.to_json().items()}
        wanted["custom_timeouts"] = resource_pb2.RegisterResourceRequest.CustomTimeouts(**times)
    if state.resource_hooks:
        names = {HOOK_FIELDS[Hook(hook)]: given for hook, given in state.resource_hooks.items()}
        wanted["hooks"] = resource_pb2.RegisterResourceRequest.ResourceHooksBinding(**names)
    known = resource_pb2.ResourceOptions.DESCRIPTOR.fields_by_name
    return resource_pb2.ResourceOptions(**{key: value for key, value in wanted.items() if key in known})
