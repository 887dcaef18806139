"""The resource monitor: what a program talks to."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import resource_pb2

from infra.engine.deploy.default_providers import DefaultProviders
from infra.engine.deploy.source_events import (
    ProgramEndEvent,
    RegisterResourceEvent,
    RegisterResourceOutputsEvent,
    ResultKind,
)
from infra.engine.errors import EngineError
from infra.engine.plugin.provider import ProviderError
from infra.engine.program import remote_components
from infra.engine.program.callbacks import Callbacks
from infra.engine.program.goals import GoalReader
from infra.engine.program.invokes import invoke
from infra.engine.program.monitor_context import KnownResource
from infra.engine.program.packages import Packages
from infra.engine.program.rpc_errors import Refused, check_token, shut_down
from infra.engine.resource import assets, values
from infra.engine.resource.goal import ReadGoal
from infra.engine.resource.source_positions import positions, trace
from infra.engine.resource.urn import is_provider_type
from infra.engine.resource.wire import from_struct, wire_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.engine.deploy.deployment import Deployment
    from infra.engine.deploy.provider_request import ProviderRequest
    from infra.engine.deploy.source_events import RegisterResult
    from infra.engine.plugin.provider import Provider
    from infra.engine.plugin.run_info import RunInfo
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

_FEATURES: Final = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "OUTPUT_VALUES",
    "ALIAS_SPECS",
    "REPLACEMENT_TRIGGER",
    "DELETED_WITH",
    "REPLACE_WITH",
    "TRANSFORMS",
    "INVOKE_TRANSFORMS",
    "PARAMETERIZATION",
    "RESOURCE_HOOKS",
    "ERROR_HOOKS",
    "SENDS_OPTIONS_TO_HOOKS",
    "BYTE_STRING",
)
"""What this monitor can do, by the protocol's names. Not among them: what the SDK then does itself
(invokes that wait for resources), state migrations."""


class Monitor:
    """Answers the program.

    Args:
        deployment: which carries out what is asked for.
        info: what the program may know.
        config: a package's configuration, for default providers.
        known: what a package's provider is where the program does not say.

    Attributes:
        handlers: what answers each call, by the protocol's names; those that are no coroutines do so at once.
    """

    def __init__(
        self,
        deployment: Deployment,
        info: RunInfo,
        config: Callable[[str], Properties],
        known: Mapping[str, ProviderRequest],
    ) -> None:
        self.deployment, self.info = deployment, info
        self.callbacks = Callbacks()
        self.address = ""
        self.known: dict[str, KnownResource] = {}
        self.packages = Packages()
        self.defaults = DefaultProviders(config, self._register, known)
        self.stack_transforms: list[Any] = []
        self.pending_transforms: dict[tuple[str, str, str], list[Any]] = {}
        self.invoke_transforms: list[Any] = []
        self._open: set[asyncio.Future[Any]] = set()
        self._traces: dict[str, list[str]] = {}
        self._closed = False
        self._shutdown = asyncio.Event()
        self.signalled = False
        self.handlers: dict[str, Callable[[Any], Any]] = {
            "GetDeploymentInfo": self._deployment_info,
            "SupportsFeature": self._supports_feature,
            "RegisterPackage": self.packages.register,
            "RegisterStackTransform": self._register_stack_transform,
            "RegisterStackInvokeTransform": self._register_stack_invoke_transform,
            "RegisterResource": self._register_resource,
            "RegisterResourceOutputs": self._register_resource_outputs,
            "ReadResource": self._read_resource,
            "Invoke": partial(invoke, self),
            "Call": partial(remote_components.call, self),
            "RegisterResourceHook": self._register_hook,
            "RegisterErrorHook": self._register_error_hook,
            "SignalAndWaitForShutdown": self._signal_and_wait_for_shutdown,
        }

    # ------------------------------------------------------------ the end

    def abort(self) -> None:
        """Answer everything open, and all that may still come, with "unavailable": the program then ends."""
        self._closed = True
        self._shutdown.set()
        for future in list(self._open):
            if not future.done():
                future.set_exception(shut_down())
                future.add_done_callback(lambda done: done.exception())

    def ended(self, reason: str) -> Refused:
        """End the run for a component or method that failed; one that fails while it ends is only an echo."""
        if not self._closed:
            self.deployment.error(reason)
            self.deployment.push(ProgramEndEvent(""))
        return shut_down()

    async def _answer(self, future: asyncio.Future[Any]) -> Any:
        if self._closed:
            raise shut_down()
        self._open.add(future)
        try:
            return await future
        finally:
            self._open.discard(future)

    async def _register(self, registration: RegisterResourceEvent) -> RegisterResult:
        if self._closed:
            raise shut_down()
        self.deployment.push(registration)
        answer: RegisterResult = await self._answer(registration.answer)
        return answer

    async def answer(self, method: str, request: Any) -> Any:
        """The reply to a call, by the protocol's name of it.

        Raises:
            Refused: with the code and the words that the caller gets.
        """
        handler = self.handlers.get(method)
        if handler is None:
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {method}")
        try:
            reply = handler(request)
            return await reply if inspect.isawaitable(reply) else reply
        except (EngineError, ProviderError, ValueError) as error:
            raise Refused(grpc.StatusCode.UNKNOWN, str(error).strip()) from error

    # ------------------------------------------------------------ the calls

    def _deployment_info(self, request: Any) -> resource_pb2.DeploymentInfo:  # noqa: ARG002
        """Reply with the facts of the run and the features of this monitor."""
        info = self.info
        return resource_pb2.DeploymentInfo(
            project=info.project,
            stack=info.stack,
            organization=info.organization,
            config=info.config,
            configSecretKeys=info.secret_keys,
            dryRun=info.preview,
            parallel=info.parallel,
            supportedFeatures=[
                getattr(resource_pb2, f"RESOURCE_MONITOR_FEATURE_{name}")
                for name in _FEATURES
                if hasattr(resource_pb2, f"RESOURCE_MONITOR_FEATURE_{name}")
            ],
        )

    async def _signal_and_wait_for_shutdown(self, request: Any) -> Any:  # noqa: ARG002
        """The program has nothing more to ask, but stays for its callbacks until the end."""
        if self.signalled:
            raise Refused(grpc.StatusCode.UNKNOWN, "Already waiting for shutdown")
        self.signalled = True
        self.deployment.push(ProgramEndEvent())
        await self._shutdown.wait()
        return Empty()

    async def _register_hook(self, request: resource_pb2.RegisterResourceHookRequest) -> Any:
        """Take a resource hook in."""
        function = self.callbacks.hook(request.callback)
        self.deployment.hooks.register(
            request.name, function, in_preview=request.on_dry_run, lenient=request.ignore_errors
        )
        return Empty()

    async def _register_error_hook(self, request: Any) -> Any:
        """Take an error hook in."""
        self.deployment.hooks.register_error(request.name, self.callbacks.error_hook(request.callback))
        return Empty()

    def _supports_feature(self, request: resource_pb2.SupportsFeatureRequest) -> Any:
        """Whether a feature, by the name that older SDKs ask for it, is supported."""
        words = "".join(f"_{char}" if char.isupper() else char for char in request.id).upper()
        return resource_pb2.SupportsFeatureResponse(hasSupport=words in _FEATURES)

    def _register_stack_transform(self, request: Any) -> Any:
        """Take in a transform of all resources."""
        self.stack_transforms.append(request)
        return Empty()

    def _register_stack_invoke_transform(self, request: Any) -> Any:
        """Take in a transform of all invokes."""
        self.invoke_transforms.append(request)
        return Empty()

    async def _register_resource_outputs(self, request: Any) -> Any:
        """A component's outputs."""
        found = values.downgrade_outputs(from_struct(request.outputs))
        outputs = RegisterResourceOutputsEvent(
            request.urn, await assets.hash_assets(found, self.info.program_dir)
        )
        if self._closed:
            raise shut_down()
        self.deployment.push(outputs)
        await self._answer(outputs.answer)
        return Empty()

    async def _register_resource(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        """A resource that the program wants."""
        reader = GoalReader(self, request)
        goal = await reader.read()
        if request.remote:
            reply = await remote_components.construct(self, request, goal, reader.providers)
            self.known[reply.urn] = KnownResource(None, goal.parent, reader.transforms, reader.providers)
            return reply
        answer = await self._register(RegisterResourceEvent(goal))
        if answer.kind is not ResultKind.SUCCESS and not request.supportsResultReporting:
            raise Refused(grpc.StatusCode.INTERNAL, "resource registration failed")
        state = answer.state
        self.known[state.urn] = KnownResource(goal, goal.parent, reader.transforms, reader.providers)
        return self._registered(request, state, state.outputs if request.custom else {}, answer)

    def _registered(
        self,
        request: resource_pb2.RegisterResourceRequest,
        state: ResourceState,
        outputs: Properties,
        answer: RegisterResult,
    ) -> resource_pb2.RegisterResourceResponse:
        if not request.supportsPartialValues:
            outputs = {key: value for key, value in outputs.items() if not values.has_unknown(value)}
        wire = wire_for(request)
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id=state.id,
            object=wire.struct(outputs),
            result=_RESULTS[answer.kind],
            unknown=answer.unknown,
        )

    def trace(self, request: Any) -> list[str]:
        """The stack trace of a request, behind that of the call which it is made for."""
        return self._traces.get(request.parentStackTraceHandle, []) + trace(request, self.info.project_dir)

    def hold_trace(self, request: Any) -> str:
        """Keep the stack trace of a call for what is asked for it; the handle that names it."""
        found = self.trace(request)
        if not found:
            return ""
        handle = str(uuid.uuid4())
        self._traces[handle] = found
        return handle

    def provider(self, reference: str) -> Provider:
        """A provider of this run.

        Raises:
            EngineError: there is none of that reference.
        """
        provider = self.deployment.registry.get(reference)
        if provider is None:
            raise EngineError(f"unknown provider '{reference}'")
        return provider

    async def _read_resource(self, request: resource_pb2.ReadResourceRequest) -> Any:
        """A resource that the program reads."""
        check_token(request.type)
        provider = request.provider
        if not provider and not is_provider_type(request.type):
            provider = await self.default_reference(request, request.type)
        goal = ReadGoal(
            type=request.type,
            name=request.name,
            id=request.id,
            properties=values.downgrade_outputs(from_struct(request.properties)),
            parent=request.parent,
            provider=provider,
            dependencies=list(request.dependencies),
            additional_secret_outputs=list(request.additionalSecretOutputs),
            source_position=positions(request, self.info.project_dir),
            stack_trace=self.trace(request),
        )
        answer = await self._register(RegisterResourceEvent(goal))
        state = answer.state
        self.known[state.urn] = KnownResource(None, goal.parent)
        wire = wire_for(request)
        return resource_pb2.ReadResourceResponse(urn=state.urn, properties=wire.struct(state.outputs))

    async def default_reference(self, request: Any, token: str) -> str:
        """Return the reference of the default provider for a request that names none."""
        return await self.defaults.reference(self.packages.requested_by(request, token), token)

    def inherited_provider(self, parent: str, package: str) -> str:
        """The provider that a parent component passes on for a package."""
        known = self.known.get(parent)
        return known.providers.get(package, "") if known else ""

    async def close(self) -> None:
        """Hang up on callback servers."""
        await self.callbacks.close()


# The numbers are the protocol's; this SDK's messages do not name the last one.
_RESULTS: Final[dict[ResultKind, Any]] = {
    ResultKind.SUCCESS: 0,
    ResultKind.FAILED: 1,
    ResultKind.SKIPPED: 2,
}
