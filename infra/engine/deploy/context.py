"""Protocols of what steps and planners need from a deployment, so that neither names the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Container

    from infra.engine.deploy.deployment_options import DeploymentOptions
    from infra.engine.deploy.hooks import Hooks
    from infra.engine.plugin.provider import Provider
    from infra.engine.plugin.provider_registry import ProviderRegistry
    from infra.engine.resource.graph import DependencyGraph
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.targets import Targets


class Recorder(Protocol):
    """The part of the snapshot that a step itself writes to."""

    def acknowledge(self, step: Any) -> None:
        """Record that a create has its id, before its hooks run."""


class StepContext(Protocol):
    """Part of a deployment that a step needs while it is applied.

    Attributes:
        preview: nothing outside is changed.
        news: states of this run, by URN.
        olds: states before the run, by URN; those pending deletion are left out.
    """

    @property
    def preview(self) -> bool: ...  # noqa: D102 (see Attributes, as for all below)
    @property
    def options(self) -> DeploymentOptions: ...  # noqa: D102
    @property
    def hooks(self) -> Hooks: ...  # noqa: D102
    @property
    def registry(self) -> ProviderRegistry: ...  # noqa: D102
    @property
    def snapshot(self) -> Recorder: ...  # noqa: D102
    @property
    def news(self) -> dict[str, ResourceState]: ...  # noqa: D102
    @property
    def olds(self) -> dict[str, ResourceState]: ...  # noqa: D102

    def provider_of(self, state: ResourceState) -> Provider:
        """Return the provider of a resource.

        Raises:
            ProviderError: it is not there.
        """

    def warn(self, message: str, urn: str = "") -> None:
        """Emit a warning about a resource, or about the run if there is no URN."""

    def error(self, message: str, urn: str = "") -> str:
        """Emit an error; return the message, to raise it with."""


class PlanContext(StepContext, Protocol):
    """Part of a deployment that planners need to decide.

    Attributes:
        resources: the old state, in its order, those pending deletion among it.
        graph: dependencies of the old state.
        all_olds: old states by URN, those pending deletion among them.
    """

    @property
    def project(self) -> str: ...  # noqa: D102
    @property
    def stack(self) -> str: ...  # noqa: D102
    @property
    def resources(self) -> list[ResourceState]: ...  # noqa: D102
    @property
    def graph(self) -> DependencyGraph: ...  # noqa: D102
    @property
    def all_olds(self) -> dict[str, list[ResourceState]]: ...  # noqa: D102

    async def ensure_provider(self, state: ResourceState) -> None:
        """Have the provider of a resource ready, out of the old state if nothing registered it.

        Raises:
            EngineError: not found, or it cannot be started.
        """

    def info(self, message: str, urn: str = "") -> None:
        """Emit a message."""

    def tell_unknown(self, targets: Targets, known: Container[str] = ()) -> bool:
        """Report targets that are neither in the old state nor known; return whether there are any."""
