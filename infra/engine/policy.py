"""Policy packs: analyzers that see every resource before it is made, and the whole stack at the end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import analyzer_pb2

from infra.engine import values
from infra.engine.errors import EngineError
from infra.engine.events import PolicyEvent, PolicyLoadEvent, PolicyRemediationEvent
from infra.engine.plugins import Command, python_of, runtime_of
from infra.engine.urn import ProviderReference
from infra.engine.values import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infra.engine.deployment import Deployment
    from infra.engine.events import Event
    from infra.engine.goal import Goal
    from infra.engine.monitor import RunInfo
    from infra.engine.plugins import Plugin, PluginHost
    from infra.engine.state import ResourceState

# Policies see values as they are, with what is not known yet as such.
_WIRE: Final = Wire(secrets=False, references=False)
_LEVELS: Final = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
    analyzer_pb2.REMEDIATE: "remediate",
}
_NUMBERS: Final = {name: number for number, name in _LEVELS.items()}


@dataclass(slots=True)
class Pack:
    """A policy pack that runs."""

    name: str
    version: str
    plugin: Plugin


@dataclass(slots=True)
class Policy:
    """The policy packs of a run.

    Attributes:
        packs: those loaded.
        emit: takes events.
        preview: violations are told, and fail the run only at its end.
        saw_error: a mandatory policy is violated.
    """

    emit: Callable[[Event], None]
    preview: bool
    packs: list[Pack] = field(default_factory=list)
    saw_error: bool = False

    async def load(
        self, host: PluginHost, folders: Sequence[Path], configs: Sequence[Path], info: RunInfo, python: str
    ) -> None:
        """Start the packs.

        Args:
            host: starts plugins.
            folders: of the packs, each with PulumiPolicy.yaml.
            configs: JSON files with their settings, in the same order; may be fewer.
            info: what they may know of the run.
            python: what runs them where they name no environment of their own.

        Raises:
            EngineError: one cannot be read or started, or its settings are wrong.
        """
        self.emit(PolicyLoadEvent())
        for index, folder in enumerate(folders):
            config = _config(configs[index]) if index < len(configs) else {}
            self.packs.append(await self._start(host, folder, config, info, python))

    async def _start(
        self, host: PluginHost, folder: Path, config: dict[str, Any], info: RunInfo, python: str
    ) -> Pack:
        described = folder / "PulumiPolicy.yaml"
        if not described.is_file():
            raise EngineError(f"{folder} is no policy pack: it has no PulumiPolicy.yaml")
        runtime, options = runtime_of(described)
        if runtime != "python":
            raise EngineError(
                f"the policy pack {folder} is written for {runtime}; this engine runs Python packs"
            )
        words = (python_of(folder, options, python), "-u", str(folder))
        plugin = await host.start(Command(folder.name, words))
        stub = plugin.analyzer_stub
        settings = analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=info.stack,
            project=info.project,
            organization=info.organization,
            dry_run=info.preview,
            config=info.config,
            config_secret_keys=info.secret_keys,
        )
        await _optional(plugin, stub.ConfigureStack, settings)
        about = await _call(plugin, stub.GetAnalyzerInfo, Empty())
        if about.supportsConfig:
            await _call(plugin, stub.Configure, _configured(about, config))
        elif config:
            raise EngineError(f"the policy pack {about.name} takes no settings")
        return Pack(about.name, about.version, plugin)

    async def check(self, deployment: Deployment, new: ResourceState, goal: Goal) -> bool:
        """Let the packs change a resource's inputs, then judge them; whether it must not go on."""
        for pack in self.packs:
            await self._remediate(pack, deployment, new, goal)
        invalid = False
        for pack in self.packs:
            request = analyzer_pb2.AnalyzeRequest(**_about(deployment, new, goal, new.inputs))
            reply = await _call(pack.plugin, pack.plugin.analyzer_stub.Analyze, request)
            invalid = self._tell(reply.diagnostics, new.urn) or invalid
        return invalid and not self.preview

    async def _remediate(self, pack: Pack, deployment: Deployment, new: ResourceState, goal: Goal) -> None:
        request = analyzer_pb2.AnalyzeRequest(**_about(deployment, new, goal, new.inputs))
        reply = await _optional(pack.plugin, pack.plugin.analyzer_stub.Remediate, request)
        for one in reply.remediations if reply is not None else ():
            if one.diagnostic:
                self.emit(
                    PolicyEvent(
                        one.diagnostic,
                        one.policyName,
                        one.policyPackName,
                        one.policyPackVersion,
                        "advisory",
                        new.urn,
                    )
                )
                continue
            after = values.from_struct(one.properties)
            _keep_secrets(new.inputs, after)
            self.emit(
                PolicyRemediationEvent(
                    new.urn, one.policyName, one.policyPackName, one.policyPackVersion, new.inputs, after
                )
            )
            new.inputs = after

    async def check_stack(self, deployment: Deployment) -> bool:
        """Judge the stack as it is now; whether a mandatory policy is violated."""
        resources = []
        for state in deployment.news.values():
            resource = analyzer_pb2.AnalyzerResource(
                **_about(deployment, state, None, state.outputs),
                parent=state.parent,
                dependencies=state.dependencies,
            )
            for key, names in state.property_dependencies.items():
                resource.propertyDependencies[key].urns.extend(names)
            resources.append(resource)
        violated = False
        for pack in self.packs:
            request = analyzer_pb2.AnalyzeStackRequest(resources=resources)
            reply = await _call(pack.plugin, pack.plugin.analyzer_stub.AnalyzeStack, request)
            violated = self._tell(reply.diagnostics, "") or violated
        return violated

    def _tell(self, diagnostics: Any, urn: str) -> bool:
        """Tell people; whether one is mandatory."""
        mandatory = False
        for one in diagnostics:
            # What could not be remediated counts as mandatory.
            level = (
                "mandatory"
                if one.enforcementLevel == analyzer_pb2.REMEDIATE
                else _LEVELS[one.enforcementLevel]
            )
            mandatory = mandatory or level == "mandatory"
            self.emit(
                PolicyEvent(
                    one.message,
                    one.policyName,
                    one.policyPackName,
                    one.policyPackVersion,
                    level,
                    one.urn or urn,
                )
            )
        self.saw_error = self.saw_error or mandatory
        return mandatory


def _keep_secrets(before: values.Properties, after: values.Properties) -> None:
    """Policies see values without their marks; what was secret stays so."""
    for key, value in before.items():
        if key in after and values.has_secret(value):
            after[key] = value if values.equal(value, after[key]) else values.Secret(after[key])


def _about(
    deployment: Deployment, state: ResourceState, goal: Goal | None, properties: values.Properties
) -> dict[str, Any]:
    """What a policy may know of a resource."""
    options = analyzer_pb2.AnalyzerResourceOptions(
        protect=state.protect,
        ignoreChanges=state.ignore_changes,
        additionalSecretOutputs=state.additional_secret_outputs,
        aliases=state.aliases,
        parent=state.parent,
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
            create=state.custom_timeouts.create,
            update=state.custom_timeouts.update,
            delete=state.custom_timeouts.delete,
        ),
    )
    if goal is not None and goal.delete_before_replace is not None:
        options.deleteBeforeReplace = goal.delete_before_replace
        options.deleteBeforeReplaceDefined = True
    found: dict[str, Any] = {
        "urn": state.urn,
        "type": state.type,
        "name": state.name,
        "properties": _WIRE.struct(properties),
        "options": options,
    }
    if state.provider:
        reference = ProviderReference.parse(state.provider)
        provider = deployment.news.get(reference.urn) or deployment.olds.get(reference.urn)
        if provider is not None:
            found["provider"] = analyzer_pb2.AnalyzerProviderResource(
                urn=provider.urn,
                type=provider.type,
                name=provider.name,
                properties=_WIRE.struct(provider.inputs),
            )
    return found


def _config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the policy settings {path}: {error}") from error
    if not isinstance(found, dict):
        raise EngineError(f"the policy settings {path} must be a map of policies")
    return found


def _configured(about: Any, config: dict[str, Any]) -> Any:
    """The settings of a pack's policies: its own, then those for `all`, then those of each."""
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    names = [policy.name for policy in about.policies]
    unknown = [name for name in config if name != "all" and name not in names]
    if unknown:
        raise EngineError(f"the policy pack {about.name} has no policy {', '.join(unknown)}")
    for policy in about.policies:
        target = request.policyConfig[policy.name]
        target.enforcementLevel = policy.enforcementLevel
        if policy.name in about.initialConfig:
            target.MergeFrom(about.initialConfig[policy.name])  # type: ignore[no-untyped-call]
        for given in (config.get("all"), config.get(policy.name)):
            settings = {"enforcementLevel": given} if isinstance(given, str) else dict(given or {})
            level = settings.pop("enforcementLevel", None)
            if level is not None:
                if level not in _NUMBERS:
                    raise EngineError(
                        f"{level!r} is no enforcement level", hint=f"use one of {', '.join(_NUMBERS)}"
                    )
                target.enforcementLevel = _NUMBERS[level]
            target.properties.MergeFrom(_WIRE.struct(settings))
    return request


async def _call(plugin: Plugin, method: Any, request: Any) -> Any:
    try:
        return await plugin.call(method, request)
    except grpc.aio.AioRpcError as error:
        raise EngineError(f"the policy pack {plugin.name} failed: {error.details()}") from None


async def _optional(plugin: Plugin, method: Any, request: Any) -> Any:
    """A call that older packs do not have."""
    try:
        return await plugin.call(method, request)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise EngineError(f"the policy pack {plugin.name} failed: {error.details()}") from None
