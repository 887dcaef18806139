"""Protocol of the monitor for the readers of single requests, so that neither names the whole of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from infra.engine.deploy.default_providers import DefaultProviders
    from infra.engine.plugin.provider import Provider
    from infra.engine.plugin.run_info import RunInfo
    from infra.engine.program.callbacks import Callbacks
    from infra.engine.program.packages import Packages
    from infra.engine.program.rpc_errors import Refused
    from infra.engine.resource.goal import Goal


@dataclass(slots=True)
class KnownResource:
    """Registered resource, as later registrations need it."""

    goal: Goal | None
    parent: str
    transforms: list[Any] = field(default_factory=list)
    providers: dict[str, str] = field(default_factory=dict)


class MonitorContext(Protocol):
    """The monitor, as a request's reader sees it.

    Attributes:
        info: what the program may know of the run.
        address: the monitor's own, for components in other processes.
        known: what was registered, by URN.
        packages: registered packages.
        stack_transforms: callbacks for each resource of the stack.
        invoke_transforms: callbacks for each invoke.
        pending_transforms: of remote components, by parent, type and name.
    """

    @property
    def info(self) -> RunInfo: ...  # noqa: D102 (see Attributes, as for all below)
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def callbacks(self) -> Callbacks: ...  # noqa: D102
    @property
    def known(self) -> dict[str, KnownResource]: ...  # noqa: D102
    @property
    def packages(self) -> Packages: ...  # noqa: D102
    @property
    def defaults(self) -> DefaultProviders: ...  # noqa: D102
    @property
    def stack_transforms(self) -> list[Any]: ...  # noqa: D102
    @property
    def invoke_transforms(self) -> list[Any]: ...  # noqa: D102
    @property
    def pending_transforms(self) -> dict[tuple[str, str, str], list[Any]]: ...  # noqa: D102

    def trace(self, request: Any) -> list[str]:
        """Return the stack trace of a request, behind that of the call which it is made for."""

    def hold_trace(self, request: Any) -> str:
        """Keep the stack trace of a call for what is asked for it; return the handle that names it."""

    def provider(self, reference: str) -> Provider:
        """Return a provider by its reference.

        Raises:
            EngineError: not found.
        """

    def inherited_provider(self, parent: str, package: str) -> str:
        """Return the reference of the provider that a resource's parents give it; empty if none does."""

    async def default_reference(self, request: Any, token: str) -> str:
        """Return the reference of the default provider of a request's package."""

    def ended(self, reason: str) -> Refused:
        """End the run for a component or method that failed; return what its caller gets."""
