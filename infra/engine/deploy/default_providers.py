"""Default providers: made by the engine when a resource names none, one per package and version."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from infra.engine.deploy.registration import Registration
from infra.engine.errors import EngineError
from infra.engine.plugin.provider_registry import INTERNAL
from infra.engine.resource.goal import Goal
from infra.engine.resource.urn import PROVIDER_TYPE, package_of
from infra.engine.resource.values import unwrap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from infra.engine.deploy.registration import Registered
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")


def semver(text: str) -> re.Match[str]:
    """A semantic version taken apart.

    Raises:
        EngineError: it is none.
    """
    found = _SEMVER.fullmatch(text)
    if found is None:
        parts = text.split(".", 2)
        if len(parts) < 3:
            raise EngineError("No Major.Minor.Patch elements found")
        for name, part in zip(("major", "minor", "patch"), parts, strict=True):
            if not part.isdigit():
                raise EngineError(f'Invalid character(s) found in {name} number "{part}"')
        raise EngineError(f'Invalid version "{text}"')
    return found


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
            found = semver(version)
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
        if internal or self.version:
            inputs[INTERNAL] = internal


class DefaultProviders:
    """Makes them when they are first needed.

    Args:
        config: a package's configuration.
        register: registers a provider resource and answers with its state.
        versions: the version of a package where a resource names none.
    """

    def __init__(
        self,
        config: Callable[[str], Properties],
        register: Callable[[Registration], Awaitable[Registered]],
        versions: Mapping[str, str],
    ) -> None:
        self._config, self._register, self.versions = config, register, versions
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
        if not request.version and request.package in self.versions:
            request = replace(request, version=self.versions[request.package])
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
        answer = await self._register(Registration(goal))
        return answer.state.provider_reference


def known_versions(resources: Iterable[ResourceState]) -> dict[str, str]:
    """The highest version of each package that a state has providers of."""
    found: dict[str, str] = {}
    for state in resources:
        version = unwrap(state.inputs.get("version")) if state.is_provider else None
        if isinstance(version, str) and _SEMVER.fullmatch(version):
            package = package_of(state.type)
            found[package] = max(found.get(package, version), version, key=_ordering)
    return found


def _ordering(version: str) -> tuple[int, int, int, bool, str]:
    found = _SEMVER.fullmatch(version)
    assert found is not None
    major, minor, patch, before, _ = found.groups()
    return int(major), int(minor), int(patch), before is None, before or ""
