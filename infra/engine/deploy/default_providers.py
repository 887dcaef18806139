"""Default providers: made by the engine when a resource names none, one per package and version."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from infra.engine.deploy.source_events import RegisterResourceEvent
from infra.engine.errors import EngineError
from infra.engine.resource.goal import Goal
from infra.engine.resource.urn import PROVIDER_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from infra.engine.deploy.provider_request import ProviderRequest
    from infra.engine.deploy.source_events import RegisterResult
    from infra.engine.resource.values import Properties


class DefaultProviders:
    """Makes them when they are first needed.

    Args:
        config: a package's configuration.
        register: registers a provider resource and answers with its state.
        known: what a package's provider is where a resource does not say.
    """

    def __init__(
        self,
        config: Callable[[str], Properties],
        register: Callable[[RegisterResourceEvent], Awaitable[RegisterResult]],
        known: Mapping[str, ProviderRequest],
    ) -> None:
        self._config, self._register, self.known = config, register, known
        self._references: dict[ProviderRequest, asyncio.Task[str]] = {}
        self._waiting: dict[ProviderRequest, list[asyncio.Future[None]]] = {}

    async def reference(self, request: ProviderRequest, token: str) -> str:
        """The reference of the default provider for a request.

        Args:
            request: which.
            token: for what, for messages.

        Raises:
            EngineError: default providers of that package are not allowed.
        """
        if self._denied(request.package):
            raise EngineError(
                f"Default provider for '{request.package}' disabled. '{token}' must use an explicit provider."
            )
        request = request.completed(self.known.get(request.package))
        made = self._references.get(request)
        if made is None:
            made = self._references[request] = asyncio.ensure_future(self._make(request))
            made.add_done_callback(lambda _: self._release(request))
        if not made.done():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(request, []).append(turn)
            await turn
        return made.result()

    def _release(self, request: ProviderRequest) -> None:
        """Let go on who waited; the second before the first, as the CLI does, which numbered names show."""
        made = self._references[request]
        if not made.cancelled():
            made.exception()  # whoever waits sees it; nobody may
        waiting = self._waiting.pop(request, [])
        for turn in waiting[1:2] + waiting[:1] + waiting[2:]:
            if not turn.done():
                turn.set_result(None)

    def _denied(self, package: str) -> bool:
        listed = self._config("pulumi").get("disable-default-providers")
        if not listed or package == "pulumi":
            return False
        names = json.loads(listed) if isinstance(listed, str) else listed
        return any(name.strip() in ("*", package) for name in names)

    async def _make(self, request: ProviderRequest) -> str:
        inputs = dict(self._config(request.package))
        request.put_into(inputs)
        goal = Goal(type=PROVIDER_TYPE + request.package, name=request.name, custom=True, properties=inputs)
        answer = await self._register(RegisterResourceEvent(goal))
        return answer.state.provider_reference
