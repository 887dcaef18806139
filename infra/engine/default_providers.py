"""Default providers: made by the engine when a resource names none, one per package and version."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.engine.errors import EngineError
from infra.engine.goal import Goal
from infra.engine.provider_registry import INTERNAL
from infra.engine.registration import Registration
from infra.engine.urn import PROVIDER_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.engine.registration import Registered
    from infra.engine.values import Properties

_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")


@dataclass(frozen=True, slots=True)
class Parameterization:
    """What makes a provider another one: the package it becomes, and the value that it understands."""

    name: str
    version: str
    value: bytes


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """Which provider is asked for."""

    plugin: str
    version: str = ""
    download_url: str = ""
    parameterization: Parameterization | None = None

    @property
    def package(self) -> str:
        """The package that its resources are of."""
        return self.parameterization.name if self.parameterization else self.plugin

    @property
    def name(self) -> str:
        """The default provider's name: `default`, or `default_1_2_3`.

        Raises:
            EngineError: its version is none.
        """
        version = self.parameterization.version if self.parameterization else self.version
        name = "default"
        if version:
            found = _SEMVER.fullmatch(version)
            if found is None:
                raise EngineError(f"passed invalid version: {version!r}")
            name += "_" + "_".join(found.groups()[:3])
            name += "".join(f"_{part}" for group in found.groups()[3:] if group for part in group.split("."))
        if self.download_url:
            name += "_" + re.sub(r"[^A-Za-z0-9_.-]", "_", self.download_url)
        return name

    def put_into(self, inputs: Properties) -> None:
        """Say in a provider's inputs which plugin and version it is."""
        if self.version:
            inputs["version"] = self.version
        internal = dict(inputs.get(INTERNAL) or {})
        if self.download_url:
            internal["pluginDownloadURL"] = self.download_url
        if self.parameterization is not None:
            internal["name"] = self.plugin
            internal["parameterization"] = base64.b64encode(self.parameterization.value).decode()
            if self.version:
                internal["version"] = self.version
            inputs["version"] = self.parameterization.version
        if internal:
            inputs[INTERNAL] = internal


class DefaultProviders:
    """Makes them when they are first needed.

    Args:
        config: a package's configuration.
        register: registers a provider resource and answers with its state.
    """

    def __init__(
        self,
        config: Callable[[str], Properties],
        register: Callable[[Registration], Awaitable[Registered]],
    ) -> None:
        self._config, self._register = config, register
        self._references: dict[ProviderRequest, asyncio.Task[str]] = {}

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
        task = self._references.get(request)
        if task is None:
            task = self._references[request] = asyncio.ensure_future(self._make(request))
        return task.result() if task.done() else await asyncio.shield(task)

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
        answer = await self._register(Registration(goal))
        return answer.state.provider_reference
