"""Provider resources: what checks, compares and configures them, and where those in use are found."""

from __future__ import annotations

import base64
import os
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pulumi.runtime.proto import provider_pb2

from infra.engine.errors import EngineError
from infra.engine.plugin.diff import Changes
from infra.engine.plugin.diff import of_inputs as diff_of_inputs
from infra.engine.plugin.provider import Checked, Outcome, Provider, ProviderError
from infra.engine.plugin.provider_client import PluginProvider
from infra.engine.resource import urn as urns
from infra.engine.resource.urn import ProviderReference
from infra.engine.resource.values import UNKNOWN_TEXT, unwrap

if TYPE_CHECKING:
    from infra.engine.plugin.diff import Diff
    from infra.engine.plugin.plugins import PluginHost
    from infra.engine.plugin.provider import Request
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

INTERNAL: Final = "__internal"
"""Input of a provider resource that is the engine's own; no provider sees it."""
UNKNOWN_ID: Final = UNKNOWN_TEXT
_UNCONFIGURED: Final = "unconfigured"


def without_internal(inputs: Properties) -> Properties:
    """A provider's configuration without what is only for the engine."""
    return {key: value for key, value in inputs.items() if key != INTERNAL}


class ProviderRegistry(Provider):
    """The provider of provider resources, and the directory of all providers in use.

    Args:
        host: starts plugins.
        builtins: the provider of the package `pulumi`.
    """

    def __init__(self, host: PluginHost, builtins: Provider) -> None:
        self._host, self._builtins = host, builtins
        self._providers: dict[ProviderReference, Provider] = {}
        self._aliases: dict[str, str] = {}
        self._configured: list[Provider] = []

    def get(self, reference: str) -> Provider | None:
        """The configured provider that a reference names."""
        return self._providers.get(ProviderReference.parse(reference))

    def register_alias(self, urn: str, alias: str) -> None:
        """Let a provider be found under the URN that it had before."""
        if urn != alias:
            self._aliases[urn] = alias

    def _put(self, urn: str, id_: str, provider: Provider) -> None:
        self._configured.append(provider)
        self._providers[ProviderReference(urn, id_)] = provider
        if urn in self._aliases:
            self._providers[ProviderReference(self._aliases[urn], id_)] = provider

    async def check(self, request: Request) -> Checked:
        """Start the plugin and let it check the configuration."""
        provider = await self._load(request.urn, request.inputs)
        checked = await provider.check_config(
            replace(
                request,
                old_inputs=without_internal(request.old_inputs or {}),
                inputs=without_internal(request.inputs),
            )
        )
        if checked.failures:
            return checked
        self._put(request.urn, _UNCONFIGURED, provider)
        inputs = dict(checked.inputs)
        for key in ("version", INTERNAL):
            if key in request.inputs:
                if key == "version" and key in inputs and inputs[key] != request.inputs[key]:
                    raise ProviderError(f'provider "{request.urn}" attempted to change its version')
                inputs[key] = request.inputs[key]
        return Checked(inputs)

    async def diff(self, request: Request) -> Diff:
        """Let the plugin compare configurations; those that cannot are compared here."""
        provider = self._providers.get(ProviderReference(request.urn, _UNCONFIGURED))
        provider = provider or self._providers[ProviderReference(request.urn, request.id)]
        news = without_internal(request.inputs)
        request = replace(request, old_inputs=without_internal(request.old_inputs or {}), inputs=news)
        diff = await provider.diff_config(request)
        if diff.changes is Changes.UNKNOWN:
            same = not diff_of_inputs(request.old_outputs or {}, news).changed_keys
            diff = replace(diff, changes=Changes.NONE if same else Changes.SOME)
        return diff

    async def same(self, state: ResourceState, *, checked: bool) -> None:
        """Have the provider of an unchanged resource ready.

        Args:
            state: the provider resource, with the inputs to configure it with.
            checked: whether it went through `check` in this run.

        Raises:
            EngineError, ProviderError: it cannot be had.
        """
        reference = ProviderReference(state.urn, state.id)
        if reference in self._providers:
            return
        if not state.id or state.id == UNKNOWN_ID:
            raise ProviderError(f"provider '{state.urn}' has an unknown ID")
        provider = self._providers.pop(ProviderReference(state.urn, _UNCONFIGURED), None) if checked else None
        if provider is None:
            provider = await self._load(state.urn, state.inputs)
        provider.configure(state.urn, state.id, without_internal(state.inputs))
        self._put(state.urn, state.id, provider)

    async def create(self, request: Request) -> Outcome:
        """Configure a new provider; its id is ours to give."""
        provider = self._providers.pop(ProviderReference(request.urn, _UNCONFIGURED), None)
        if provider is None:
            provider = await self._load(request.urn, request.inputs)
        id_ = UNKNOWN_ID if request.preview else str(uuid.uuid4())
        inputs = without_internal(request.inputs)
        provider.configure(request.urn, id_, inputs)
        self._put(request.urn, id_, provider)
        return Outcome(id=id_, outputs=inputs)

    async def update(self, request: Request) -> Outcome:
        """Configure it anew under its id."""
        provider = self._providers.pop(ProviderReference(request.urn, _UNCONFIGURED))
        inputs = without_internal(request.inputs)
        provider.configure(request.urn, request.id, inputs)
        self._put(request.urn, request.id, provider)
        return Outcome(outputs=inputs)

    async def delete(self, request: Request) -> None:
        """Let go of it."""
        self._providers.pop(ProviderReference(request.urn, request.id), None)

    async def read(self, request: Request) -> Outcome:  # noqa: ARG002
        """Provider resources are nowhere but in the state."""
        raise ProviderError("provider resources may not be read")

    async def _load(self, urn: str, inputs: Properties) -> Provider:
        package = urns.package_of(urns.type_of(urn))
        internal = unwrap(inputs.get(INTERNAL) or {})
        name = internal.get("name") or package
        if name == "pulumi":
            return self._builtins
        parameter = internal.get("parameterization")
        version = unwrap((internal if parameter else inputs).get("version")) or ""
        if not isinstance(version, str):
            raise ProviderError("the version of a provider must be a string")
        mapped = {
            old: os.environ[new]
            for new, old in (internal.get("envVarMappings") or {}).items()
            if new in os.environ
        }
        plugin = await self._host.provider(name, version, mapped)
        if parameter:
            wanted = provider_pb2.ParameterizeRequest.ParametersValue(
                name=package, version=unwrap(inputs["version"]), value=base64.b64decode(parameter)
            )
            reply = await plugin.call(
                plugin.provider_stub.Parameterize, provider_pb2.ParameterizeRequest(value=wanted)
            )
            if reply.name != package:
                raise EngineError(f"the plugin {name} became {reply.name} where {package} was asked for")
        return PluginProvider(plugin)

    async def close(self) -> None:
        """Wait for configurations that are under way."""
        for provider in self._configured:
            await provider.close()
