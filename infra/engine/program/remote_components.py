"""Remote components and methods of resources: what a program asks for and a provider carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime.proto import alias_pb2, provider_pb2, resource_pb2

from infra.engine.deploy.hooks import HOOK_FIELDS
from infra.engine.plugin.go_text import go_text
from infra.engine.plugin.provider import ProviderError
from infra.engine.resource import property_path, values
from infra.engine.resource.urn import is_provider_type
from infra.engine.resource.wire import Wire, from_struct, wire_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.engine.program.monitor_context import MonitorContext
    from infra.engine.resource.goal import Alias, Goal
    from infra.engine.resource.values import Properties, Value

_FLAGS: Final = {
    "protect": "protect",
    "retain_on_delete": "retainOnDelete",
    "delete_before_replace": "deleteBeforeReplace",
}


async def construct(
    monitor: MonitorContext,
    request: resource_pb2.RegisterResourceRequest,
    goal: Goal,
    providers: Mapping[str, str],
) -> resource_pb2.RegisterResourceResponse:
    """Let a component's provider make it; its children it registers itself.

    Raises:
        Refused: it failed; the run ends.
    """
    provider = monitor.provider(goal.provider)
    message = _construct_request(monitor, request, goal, providers)
    try:
        made = await provider.construct(message, _upgrade_outputs(goal.properties))
    except ProviderError as error:
        about = f"{request.type} resource '{request.name}'"
        raise monitor.ended(f"{about} has a problem: {_message(error, goal.properties)}") from None
    reply = resource_pb2.RegisterResourceResponse(urn=made.urn)
    wire = wire_for(request)
    reply.object.CopyFrom(wire.struct(made.outputs))
    _depend(reply.propertyDependencies, made.outputs, made.dependencies)
    return reply


async def call(monitor: MonitorContext, request: resource_pb2.ResourceCallRequest) -> Any:
    """Let a resource's provider run a method of it.

    Raises:
        Refused: it failed; the run ends.
    """
    reference = _method_provider(monitor, request) or await monitor.default_reference(request, request.tok)
    provider = monitor.provider(reference)
    arguments = from_struct(request.args)
    info = monitor.info
    message = provider_pb2.CallRequest(
        tok=request.tok,
        project=info.project,
        stack=info.stack,
        config=info.config,
        dryRun=info.preview,
        parallel=info.parallel,
        monitorEndpoint=monitor.address,
        organization=info.organization,
        configSecretKeys=info.secret_keys,
        accepts_output_values=True,
        stack_trace_handle=monitor.hold_trace(request),
    )
    given = {key: list(found.urns) for key, found in request.argDependencies.items()}
    _depend(message.argDependencies, arguments, given)
    try:
        result = await provider.call(message, _upgrade_outputs(arguments))
    except ProviderError as error:
        said = _message(error, arguments)
        raise monitor.ended(f"call to function '{request.tok}' failed: {said}") from None
    reply = provider_pb2.CallResponse()
    getattr(reply, "return").CopyFrom(Wire(byte_strings=request.accepts_byte_string).struct(result.outputs))
    _depend(reply.returnDependencies, result.outputs, result.dependencies)
    for failure in result.failures:
        reply.failures.add(property=failure.property, reason=failure.reason)
    return reply


def _message(error: ProviderError, inputs: Properties) -> str:
    """Format an error and the inputs that it is about, as the CLI shows it."""
    lines = [str(error)]
    inputs = values.downgrade_outputs(inputs)
    for failure in error.inputs:
        value = property_path.find(failure.property, inputs)
        shown = "" if value is property_path.NOTHING else f" with value '{go_text(value)}'"
        lines.append(f"\t\t- property {failure.property}{shown} has a problem: {failure.reason}")
    return "\n".join(lines)


def _depend(field: Any, properties: Properties, given: Mapping[str, Any]) -> None:
    """Write down what each property depends on, as was said beside it and in itself."""
    for key, value in properties.items():
        field[key].urns.extend(dict.fromkeys([*given.get(key, ()), *values.dependencies_of(value)]))


def _method_provider(monitor: MonitorContext, request: resource_pb2.ResourceCallRequest) -> str:
    """The provider of the resource whose method is called."""
    if request.provider or "__self__" not in request.args.fields:
        return request.provider
    itself = request.args.fields["__self__"].struct_value.fields
    urn = itself["urn"].string_value
    if is_provider_type(request.tok.rsplit("/", 1)[0]):
        return f"{urn}::{itself['id'].string_value}"
    known = monitor.known.get(urn)
    return known.goal.provider if known and known.goal else ""


def _construct_request(
    monitor: MonitorContext,
    request: resource_pb2.RegisterResourceRequest,
    goal: Goal,
    providers: Mapping[str, str],
) -> provider_pb2.ConstructRequest:
    """The request to a component's provider, but for the inputs."""
    info = monitor.info
    message = provider_pb2.ConstructRequest(
        project=info.project,
        stack=info.stack,
        organization=info.organization,
        config=info.config,
        configSecretKeys=info.secret_keys,
        dryRun=info.preview,
        parallel=info.parallel,
        monitorEndpoint=monitor.address,
        type=goal.type,
        name=goal.name,
        parent=goal.parent,
        providers=providers,
        dependencies=goal.dependencies,
        additionalSecretOutputs=goal.additional_secret_outputs,
        deletedWith=goal.deleted_with,
        replace_with=goal.replace_with,
        ignoreChanges=goal.ignore_changes,
        replaceOnChanges=goal.replace_on_changes,
        aliases=[_alias_message(alias) for alias in goal.aliases],
        accepts_output_values=True,
        stack_trace_handle=monitor.hold_trace(request),
    )
    for name, field in _FLAGS.items():
        value = getattr(goal, name)
        if value is not None:
            setattr(message, field, value)
    for key, names in goal.property_dependencies.items():
        message.inputDependencies[key].urns.extend(names)
    if request.HasField("customTimeouts"):
        times = request.customTimeouts
        message.customTimeouts.create = times.create
        message.customTimeouts.update = times.update
        message.customTimeouts.delete = times.delete
        message.customTimeouts.read = times.read
    for hook, field in HOOK_FIELDS.items():
        named = goal.resource_hooks.get(hook)
        if named and hasattr(message.resource_hooks, field):
            getattr(message.resource_hooks, field).extend(named)
    return message


def _alias_message(alias: Alias) -> alias_pb2.Alias:
    if alias.urn:
        return alias_pb2.Alias(urn=alias.urn)
    spec = alias_pb2.Alias.Spec(name=alias.name, type=alias.type, stack=alias.stack, project=alias.project)
    if alias.no_parent:
        spec.noParent = True
    elif alias.parent:
        spec.parentUrn = alias.parent
    return alias_pb2.Alias(spec=spec)


def _upgrade_outputs(value: Value) -> Value:
    """Unknowns and secrets as output values, for component providers."""
    if isinstance(value, dict):
        return {key: _upgrade_outputs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_upgrade_outputs(item) for item in value]
    if isinstance(value, values.Secret):
        return values.OutputValue(value.value, secret=True)
    return values.OutputValue(value) if value is values.UNKNOWN else value
