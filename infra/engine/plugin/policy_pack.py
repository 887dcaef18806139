"""One policy pack: its process, its settings, and calls to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined]
from pulumi.runtime.proto import analyzer_pb2

from infra.engine.errors import EngineError
from infra.engine.events import (
    PolicyAnalyzeStackSummaryEvent,
    PolicyAnalyzeSummaryEvent,
    PolicyRemediateSummaryEvent,
)
from infra.engine.plugin.finder import Command, python_of, runtime_of
from infra.engine.workspace import yamlfile
from infra.engine.workspace.policy_config import configure_policies

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.plugin.plugins import Plugin, PluginHost
    from infra.engine.plugin.run_info import RunInfo
    from infra.engine.workspace.toolchain import Interpreter


@dataclass(slots=True)
class PolicyPack:
    """A policy pack that runs.

    Attributes:
        name: as it calls itself.
        version: that of PulumiPolicy.yaml, if it says one.
        folder: as it was asked for.
        plugin: its process.
        policies: what it says of each of its policies, by name.
    """

    name: str
    version: str
    folder: str
    plugin: Plugin
    policies: dict[str, analyzer_pb2.PolicyInfo]

    def summary(
        self, kind: type[PolicyAnalyzeSummaryEvent], reply: Any, urn: str = ""
    ) -> PolicyAnalyzeSummaryEvent:
        """Which of its policies passed and failed, by its reply to Analyze, Remediate or AnalyzeStack."""
        of_stack = kind is PolicyAnalyzeStackSummaryEvent
        of_type = analyzer_pb2.POLICY_TYPE_STACK if of_stack else analyzer_pb2.POLICY_TYPE_RESOURCE
        found = reply.remediations if kind is PolicyRemediateSummaryEvent else reply.diagnostics
        failed = {one.policyName for one in found}
        silent = {one.policy_name for one in reply.not_applicable}
        asked = {
            name
            for name, policy in self.policies.items()
            if policy.policy_type in (of_type, analyzer_pb2.POLICY_TYPE_UNKNOWN)
            and policy.enforcementLevel != analyzer_pb2.DISABLED
        }
        passed = asked - failed - silent
        return kind(self.name, self.version, tuple(sorted(passed)), tuple(sorted(failed)), urn)

    @classmethod
    async def start(
        cls, host: PluginHost, folder: Path, config: dict[str, Any], info: RunInfo, python: Interpreter
    ) -> PolicyPack:
        """Start and configure the policy pack in a folder.

        Args:
            host: starts plugins.
            folder: with PulumiPolicy.yaml.
            config: settings by policy.
            info: what it may know of the run.
            python: what runs it where it names no environment of its own.

        Raises:
            EngineError: it cannot be read or started, or its settings are wrong.
        """
        command, where, version = await asyncio.to_thread(_command, folder, python)
        plugin = await host.start(command)
        stub = plugin.analyzer_stub
        about_stack = analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=info.stack,
            project=info.project,
            organization=info.organization,
            dry_run=info.preview,
            config=info.config,
            config_secret_keys=info.secret_keys,
        )
        greeting = analyzer_pb2.AnalyzerHandshakeRequest(
            engine_address=host.engine_address, root_directory=where, program_directory=where
        )
        await _call_optional(plugin, stub.Handshake, greeting)
        await _call_optional(plugin, stub.ConfigureStack, about_stack)
        about = await _call(plugin, stub.GetAnalyzerInfo, Empty())
        policies = {one.name: one for one in about.policies}
        if about.supportsConfig:
            in_force = configure_policies(about, version or about.version, config)
            await _call(plugin, stub.Configure, in_force)
            for name, settings in in_force.policyConfig.items():
                if name in policies:
                    policies[name].enforcementLevel = settings.enforcementLevel
        elif config:
            raise EngineError(f"the policy pack {about.name} takes no settings")
        return cls(about.name, version or about.version, str(folder), plugin, policies)

    async def call(self, method: Any, request: Any) -> Any:
        """Call the pack.

        Raises:
            EngineError: the call failed.
        """
        return await _call(self.plugin, method, request)

    async def call_optional(self, method: Any, request: Any) -> Any:
        """Call a method that older packs lack; return None if this pack does.

        Raises:
            EngineError: the call failed.
        """
        return await _call_optional(self.plugin, method, request)


def _command(path: Path, python: Interpreter) -> tuple[Command, str, str]:
    """How to start a pack, its folder, and the version that its description says.

    Raises:
        EngineError: there is no pack, or not one that this engine can run.
    """
    folder = path if path.is_dir() else path.parent
    described = folder / "PulumiPolicy.yaml"
    version = ""
    if described.is_file():
        document = yamlfile.load(described)
        content = document.value if document else None
        version = str(content.get("version") or "") if isinstance(content, dict) else ""
    if path.is_file():
        return Command(path.name, (str(path.resolve()),)), str(folder), version
    if not described.is_file():
        raise EngineError(f"{path} is no policy pack: it has no PulumiPolicy.yaml")
    runtime, options = runtime_of(described)
    if runtime != "python":
        raise EngineError(
            f"the policy pack {folder} is written for {runtime}; "
            "this engine runs Python packs and executables",
            hint="use the Pulumi CLI (`--engine pulumi`)",
        )
    own = python_of(folder, options, python)
    words = (own.path, "-u", str(folder.resolve()))
    return Command(folder.name, words, own.environment), str(folder), version


async def _call(plugin: Plugin, method: Any, request: Any) -> Any:
    try:
        return await plugin.call(method, request)
    except grpc.aio.AioRpcError as error:
        raise _failure(plugin, error) from None


async def _call_optional(plugin: Plugin, method: Any, request: Any) -> Any:
    try:
        return await plugin.call(method, request)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise _failure(plugin, error) from None


def _failure(plugin: Plugin, error: grpc.aio.AioRpcError) -> EngineError:
    return EngineError(f"the policy pack {plugin.name} failed: {error.details()}")
