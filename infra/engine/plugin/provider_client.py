"""A provider in a plugin: the protocol's calls over gRPC, in the forms that the plugin accepts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
from pulumi.runtime.proto import provider_pb2

from infra.engine.plugin.diff import Diff
from infra.engine.plugin.plugin_features import PluginFeatures, PluginWires
from infra.engine.plugin.provider import (
    Checked,
    Constructed,
    DiffUnavailableError,
    Invoked,
    Outcome,
    Provider,
    ProviderError,
    Request,
)
from infra.engine.plugin.provider_replies import (
    PluginWire,
    annotate,
    configure_failure_of,
    diff_of,
    failure_of,
    failures_of,
    init_failure_of,
    is_unimplemented,
    names_of,
    properties_of,
    refuse_unknowns,
    restore_assets,
)
from infra.engine.resource import urn as urns
from infra.engine.resource import value_json, values

if TYPE_CHECKING:
    from infra.engine.plugin.plugins import Plugin
    from infra.engine.resource.values import Properties


class PluginProvider(Provider):
    """A provider in a plugin. One per provider resource: each has its own configuration."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin, self._stub = plugin, plugin.provider_stub
        self._configuring: asyncio.Task[bool] | None = None
        self._set_features(PluginFeatures.from_handshake(plugin.handshake))

    def _set_features(self, features: PluginFeatures) -> None:
        self._features, self._wires = features, PluginWires(features)

    async def check_config(self, request: Request) -> Checked:
        """See `Provider`; a plugin that has no such call takes the inputs as they are."""
        wire = PluginWire(secrets=False, references=False)
        message = provider_pb2.CheckRequest(
            **names_of(request.urn),
            olds=wire.struct(request.old_inputs or {}),
            news=wire.struct(request.inputs),
        )
        try:
            reply = await self._plugin.call(self._stub.CheckConfig, message)
        except grpc.RpcError as error:
            if is_unimplemented(error, "CheckConfig"):
                return Checked(request.inputs)
            raise failure_of(error) from None
        inputs = properties_of(reply.inputs)
        annotate(inputs, request.inputs)
        return Checked(inputs, failures_of(reply.failures))

    async def diff_config(self, request: Request) -> Diff:
        """See `Provider`; a plugin that has no such call does not know."""
        wire = PluginWire(secrets=False, references=False)
        message = provider_pb2.DiffRequest(
            **names_of(request.urn),
            old_inputs=wire.struct(request.old_inputs or {}),
            olds=wire.struct(request.old_outputs or {}),
            news=wire.struct(request.inputs),
            ignoreChanges=request.ignore,
        )
        try:
            return diff_of(await self._plugin.call(self._stub.DiffConfig, message))
        except grpc.RpcError as error:
            if is_unimplemented(error, "DiffConfig"):
                return Diff()
            raise failure_of(error) from None

    def configure(self, urn: str, id_: str, inputs: Properties) -> None:
        """See `Provider`."""
        self._configuring = asyncio.ensure_future(self._configure(urn, id_, inputs))
        # Whoever needs the provider sees the failure; nobody may.
        self._configuring.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _configure(self, urn: str, id_: str, inputs: Properties) -> bool:
        package = urns.package_of(urns.type_of(urn))
        settings = {key: value for key, value in inputs.items() if key != "version"}
        if values.has_unknown(settings):
            return False
        variables = {}
        for key, value in settings.items():
            plain = values.unwrap(value)
            text = plain if isinstance(plain, str) else json.dumps(value_json.value_to_json(plain, None))
            variables[f"{package}:config:{key}"] = text
        message = provider_pb2.ConfigureRequest(
            **names_of(urn),
            id=id_,
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            variables=variables,
            args=PluginWire().struct(inputs),
        )
        try:
            reply = await self._plugin.call(self._stub.Configure, message)
        except grpc.RpcError as error:
            raise configure_failure_of(error) from None
        if self._plugin.handshake is None:
            self._set_features(PluginFeatures.from_configure(reply))
        return True

    async def _ready(self) -> bool:
        """Whether the configuration is known; waits for it."""
        if self._configuring is None:
            return True
        if self._configuring.done():
            return self._configuring.result()
        return await asyncio.shield(self._configuring)

    async def check(self, request: Request) -> Checked:
        """See `Provider`."""
        if not await self._ready():
            return Checked(request.inputs)
        wire = self._wires.inputs(preview=request.preview)
        message = provider_pb2.CheckRequest(
            **names_of(request.urn),
            olds=wire.struct(request.old_inputs or {}),
            news=wire.struct(request.inputs),
            randomSeed=request.seed,
        )
        reply = await self._call(self._stub.Check, message)
        inputs = properties_of(reply.inputs)
        if not request.preview:
            refuse_unknowns(inputs)
        if not self._features.secrets:
            annotate(inputs, request.inputs)
        return Checked(inputs, failures_of(reply.failures))

    async def diff(self, request: Request) -> Diff:
        """See `Provider`.

        Raises:
            DiffUnavailableError: its configuration is not known yet.
        """
        if not await self._ready():
            raise DiffUnavailableError(
                "The provider for this resource has inputs that are not known during preview.\n"
                "This preview may not correctly represent the changes that will be applied during an update."
            )
        wire = self._wires.preview_state if request.preview else self._wires.state
        message = provider_pb2.DiffRequest(
            **names_of(request.urn),
            id=request.id,
            old_inputs=wire.struct(request.old_inputs or {}),
            olds=wire.struct(request.old_outputs or {}),
            news=wire.struct(request.inputs),
            ignoreChanges=request.ignore,
        )
        return diff_of(await self._call(self._stub.Diff, message))

    async def create(self, request: Request) -> Outcome:
        """See `Provider`."""
        blind = await self._blind(request)
        if blind is not None:
            return blind
        message = provider_pb2.CreateRequest(
            **names_of(request.urn),
            properties=self._wires.inputs(preview=request.preview).struct(request.inputs),
            timeout=request.seconds,
            preview=request.preview,
        )
        outcome = await self._change(self._stub.Create, message, request)
        if not outcome.id and not request.preview:
            text = f"plugin returned empty resource.ID from create '{request.urn}'"
            raise ProviderError(text, uncertain=True)
        if not self._features.secrets:
            annotate(outcome.outputs, request.inputs)
        return outcome

    async def _blind(self, request: Request) -> Outcome | None:
        """Return the preview of a plugin that has none: nothing is known, or the outputs are the inputs."""
        known = await self._ready()
        if not request.preview:
            return None
        if not known:
            return Outcome(outputs={})
        return None if self._features.preview else Outcome(outputs=dict(request.inputs))

    async def read(self, request: Request) -> Outcome:
        """See `Provider`."""
        if not await self._ready():
            return Outcome(id=request.id, outputs={}, inputs={})
        message = provider_pb2.ReadRequest(
            **names_of(request.urn),
            id=request.id,
            properties=None if request.old_outputs is None else self._wires.state.struct(request.old_outputs),
            inputs=None if request.old_inputs is None else self._wires.state.struct(request.old_inputs),
            timeout=request.seconds,
        )
        outcome = await self._change(self._stub.Read, message, request)
        if not self._features.secrets:
            annotate(outcome.inputs, request.old_inputs)
            annotate(outcome.outputs, request.old_outputs)
        for part in (outcome.inputs, outcome.outputs):
            restore_assets(request.old_inputs, part)
        return outcome

    async def update(self, request: Request) -> Outcome:
        """See `Provider`."""
        blind = await self._blind(request)
        if blind is not None:
            return blind
        message = provider_pb2.UpdateRequest(
            **names_of(request.urn),
            id=request.id,
            olds=self._wires.state.struct(request.old_outputs or {}),
            news=self._wires.inputs(preview=request.preview).struct(request.inputs),
            old_inputs=self._wires.state.struct(request.old_inputs or {}),
            timeout=request.seconds,
            ignoreChanges=request.ignore,
            preview=request.preview,
        )
        outcome = await self._change(self._stub.Update, message, request)
        if not self._features.secrets:
            annotate(outcome.outputs, request.inputs)
        return outcome

    async def delete(self, request: Request) -> None:
        """See `Provider`."""
        await self._ready()
        message = provider_pb2.DeleteRequest(
            **names_of(request.urn),
            id=request.id,
            properties=self._wires.state.struct(request.old_outputs or {}),
            old_inputs=self._wires.state.struct(request.old_inputs or {}),
            timeout=request.seconds,
        )
        await self._call(self._stub.Delete, message, request.operation_id)

    async def invoke(self, token: str, arguments: Properties, *, preview: bool) -> Invoked:
        """See `Provider`."""
        if not await self._ready():
            return Invoked({})
        request = provider_pb2.InvokeRequest(
            tok=token, args=self._wires.update.struct(arguments), preview=preview
        )
        reply = await self._call(self._stub.Invoke, request)
        outputs = properties_of(getattr(reply, "return"))
        refuse_unknowns(outputs)
        if not self._features.secrets and values.has_secret(arguments):
            outputs = {
                key: value if isinstance(value, values.Secret) else values.Secret(value)
                for key, value in outputs.items()
            }
        return Invoked(outputs, failures_of(reply.failures))

    async def call(self, request: provider_pb2.CallRequest, arguments: Properties) -> Invoked:
        """See `Provider`."""
        if not await self._ready():
            return Invoked({})
        request.args.CopyFrom(self._wires.method.struct(arguments))
        reply = await self._call(self._stub.Call, request)
        dependencies = {key: list(names.urns) for key, names in reply.returnDependencies.items()}
        outputs = properties_of(getattr(reply, "return"))
        return Invoked(outputs, failures_of(reply.failures), dependencies)

    async def construct(self, request: provider_pb2.ConstructRequest, inputs: Properties) -> Constructed:
        """See `Provider`."""
        await self._ready()
        if not self._features.secrets:
            raise ProviderError("plugins that can construct components must support secrets")
        request.inputs.CopyFrom(self._wires.component.struct(inputs))
        reply = await self._call(self._stub.Construct, request)
        dependencies = {key: list(names.urns) for key, names in reply.stateDependencies.items()}
        return Constructed(reply.urn, properties_of(reply.state), dependencies)

    async def close(self) -> None:
        """See `Provider`."""
        if self._configuring is not None:
            await asyncio.wait([self._configuring])

    async def _call(self, method: Any, request: Any, operation_id: str = "") -> Any:
        try:
            return await self._plugin.call(method, request, operation_id)
        except grpc.RpcError as error:
            raise failure_of(error) from None

    async def _change(self, method: Any, message: Any, request: Request) -> Outcome:
        """A call that answers with a resource, or with one whose initialisation failed."""
        reasons: tuple[str, ...] = ()
        known = False
        try:
            reply, known = await self._plugin.call_known(method, message, request.operation_id)
        except grpc.RpcError as error:
            partial = init_failure_of(error)
            if partial is None:
                raise failure_of(error) from None
            reply, reasons = partial, tuple(partial.reasons) or ("resource init failed",)
        fields = reply.DESCRIPTOR.fields_by_name
        id_ = reply.id if "id" in fields else ""
        outputs = properties_of(reply.properties) if reply.HasField("properties") else None
        inputs = None
        if "inputs" in fields and reply.HasField("inputs"):
            inputs = properties_of(reply.inputs)
        if not request.preview:
            refuse_unknowns(outputs)
        return Outcome(id_, outputs, inputs, reasons, reply.refresh_before_update, known)
