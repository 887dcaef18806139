"""Policy packs: analyzers that see every resource before it is made, and the whole stack at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime.proto import analyzer_pb2

from infra.engine.events import (
    PolicyAnalyzeStackSummaryEvent,
    PolicyAnalyzeSummaryEvent,
    PolicyEvent,
    PolicyLoadEvent,
    PolicyRemediateSummaryEvent,
    PolicyRemediationEvent,
)
from infra.engine.plugin.policy_pack import PolicyPack
from infra.engine.resource import urn as urns
from infra.engine.resource import values, wire
from infra.engine.resource.urn import ProviderReference
from infra.engine.resource.wire import Wire
from infra.engine.workspace.policy_config import LEVELS, read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infra.engine.deploy.context import PlanContext
    from infra.engine.events import Event
    from infra.engine.plugin.plugins import PluginHost
    from infra.engine.plugin.run_info import RunInfo
    from infra.engine.resource.goal import Goal
    from infra.engine.resource.state import ResourceState
    from infra.engine.workspace.toolchain import Interpreter

_WIRE: Final = Wire(secrets=True, references=False)
_SEVERITIES: Final = {
    analyzer_pb2.POLICY_SEVERITY_LOW: "low",
    analyzer_pb2.POLICY_SEVERITY_MEDIUM: "medium",
    analyzer_pb2.POLICY_SEVERITY_HIGH: "high",
    analyzer_pb2.POLICY_SEVERITY_CRITICAL: "critical",
}


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
    packs: list[PolicyPack] = field(default_factory=list)
    saw_error: bool = False

    @property
    def shown(self) -> dict[str, str]:
        """Each pack's name and folder, as the CLI writes them, and its version."""
        return {f"{pack.name}|local|{pack.folder}": pack.version for pack in self.packs}

    async def load(
        self,
        host: PluginHost,
        folders: Sequence[Path],
        configs: Sequence[Path],
        info: RunInfo,
        python: Interpreter,
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
            config = read_config(configs[index]) if index < len(configs) else {}
            self.packs.append(await PolicyPack.start(host, folder, config, info, python))

    async def check(self, deployment: PlanContext, new: ResourceState, goal: Goal) -> bool:
        """Let the packs change a resource's inputs, then judge them; whether it must not go on."""
        for pack in self.packs:
            await self._remediate(pack, deployment, new, goal)
        invalid = False
        for pack in self.packs:
            request = analyzer_pb2.AnalyzeRequest(**_about(deployment, new, goal, new.inputs))
            reply = await pack.call(pack.plugin.analyzer_stub.Analyze, request)
            invalid = self._tell(pack, reply.diagnostics, lambda _: new.urn) or invalid
            self.emit(pack.summary(PolicyAnalyzeSummaryEvent, reply, new.urn))
        return invalid and not self.preview

    async def _remediate(
        self, pack: PolicyPack, deployment: PlanContext, new: ResourceState, goal: Goal
    ) -> None:
        request = analyzer_pb2.AnalyzeRequest(**_about(deployment, new, goal, new.inputs))
        reply = await pack.call_optional(pack.plugin.analyzer_stub.Remediate, request)
        if reply is None:
            return
        for one in reply.remediations:
            if one.diagnostic:
                self._emit_violation(pack, one, one.diagnostic, "advisory", new.urn)
                continue
            after = wire.from_struct(one.properties)
            _keep_secrets(new.inputs, after)
            version = pack.version or one.policyPackVersion
            self.emit(
                PolicyRemediationEvent(
                    new.urn, one.policyName, one.policyPackName, version, new.inputs, after
                )
            )
            new.inputs = after
        self.emit(pack.summary(PolicyRemediateSummaryEvent, reply, new.urn))

    async def check_stack(self, deployment: PlanContext) -> bool:
        """Judge the stack as it is now; whether a mandatory policy is violated."""
        resources = []
        for state in deployment.news.values():
            resource = analyzer_pb2.AnalyzerResource(
                **_about(deployment, state, None, state.outputs),
                parent=state.parent,
                dependencies=state.dependencies,
            )
            for key, names in state.property_dependencies.items():
                if not names:
                    continue
                resource.propertyDependencies[key].urns.extend(names)
            resources.append(resource)
        root = urns.make(
            deployment.stack,
            deployment.project,
            "",
            urns.STACK_TYPE,
            f"{deployment.project}-{deployment.stack}",
        )
        violated = False
        for pack in self.packs:
            request = analyzer_pb2.AnalyzeStackRequest(resources=resources)
            reply = await pack.call_optional(pack.plugin.analyzer_stub.AnalyzeStack, request)
            if reply is None:
                continue
            mandatory = self._tell(
                pack, reply.diagnostics, lambda urn: urn if urn in deployment.news else root
            )
            violated = violated or mandatory
            self.emit(pack.summary(PolicyAnalyzeStackSummaryEvent, reply))
        return violated

    def _tell(self, pack: PolicyPack, diagnostics: Any, about: Callable[[str], str]) -> bool:
        """Tell people; whether one is mandatory.

        Args:
            pack: whose policies they are of.
            diagnostics: what it found.
            about: from the URN that a diagnostic names to that which it is shown at.
        """
        mandatory = False
        for one in diagnostics:
            level = LEVELS[one.enforcementLevel]
            if level == "remediate":
                level = "mandatory"  # what could not be remediated
            mandatory = mandatory or level == "mandatory"
            self._emit_violation(pack, one, one.message, level, about(one.urn))
        self.saw_error = self.saw_error or mandatory
        return mandatory

    def _emit_violation(self, pack: PolicyPack, one: Any, message: str, level: str, urn: str) -> None:
        said = _SEVERITIES.get(one.severity, "") if isinstance(one, analyzer_pb2.AnalyzeDiagnostic) else ""
        policy = pack.policies.get(one.policyName)
        severity = said or (_SEVERITIES.get(policy.severity, "") if policy else "")
        version = pack.version or one.policyPackVersion
        self.emit(
            PolicyEvent(f"{message}\n", one.policyName, one.policyPackName, version, level, urn, severity)
        )


def _about(
    deployment: PlanContext, state: ResourceState, goal: Goal | None, properties: values.Properties
) -> dict[str, Any]:
    """Build the description of a resource for a policy."""
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
        "properties": _WIRE.struct(_public(properties)),
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
                properties=_WIRE.struct(_public(provider.inputs)),
            )
    return found


def _keep_secrets(before: values.Properties, after: values.Properties) -> None:
    """A pack that copies inputs loses their marks; what was secret stays so (with the CLI it does not)."""
    for key, value in before.items():
        if key in after and values.has_secret(value) and not values.has_secret(after[key]):
            after[key] = value if values.equal(value, after[key]) else values.Secret(after[key])


def _public(properties: values.Properties) -> values.Properties:
    """Drop the properties of the SDK and of the engine (`__provider`, `__internal`)."""
    return {key: value for key, value in properties.items() if not key.startswith("__")}
