"""Which provider is asked for: plugin, version, place, and the parameter that makes it another package's."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.engine.errors import EngineError
from infra.engine.plugin.provider_registry import INTERNAL
from infra.engine.resource.urn import package_of
from infra.engine.resource.values import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")


def semver(text: str) -> re.Match[str]:
    """A semantic version taken apart.

    Raises:
        EngineError: it is not valid.
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
    """Parameter that makes a provider another one: the package it becomes, and its value."""

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
    checksums: tuple[tuple[str, bytes], ...] = ()
    """Of the plugin's downloads, by platform: kept for whoever downloads it."""

    @property
    def package(self) -> str:
        """The package that its resources are of."""
        return self.parameterization.name if self.parameterization else self.plugin

    @property
    def name(self) -> str:
        """The default provider's name: `default`, or `default_1_2_3`.

        Raises:
            EngineError: its version is not valid.
        """
        version = self.parameterization.version if self.parameterization else self.version
        name = "default"
        if version:
            found = semver(version)
            name += "_" + "_".join(found.groups()[:3])
            name += "".join(f"_{part}" for group in found.groups()[3:] if group for part in group.split("."))
        if self.download_url:
            name += "_" + _into_name(self.download_url)
        return name

    def completed(self, known: ProviderRequest | None) -> ProviderRequest:
        """The same with what is known of its package where it says nothing."""
        if known is None:
            return self
        return ProviderRequest(
            known.plugin if self.parameterization is None and known.parameterization else self.plugin,
            self.version or known.version,
            self.download_url or known.download_url,
            self.parameterization or known.parameterization,
            self.checksums or known.checksums,
        )

    def put_into(self, inputs: Properties) -> None:
        """Say in a provider's inputs which plugin and version it is."""
        if self.version:
            inputs["version"] = self.version
        internal = dict(inputs.get(INTERNAL) or {})
        if self.download_url:
            internal["pluginDownloadURL"] = self.download_url
        if self.checksums:
            internal["pluginChecksums"] = {key: value.hex() for key, value in self.checksums}
        if self.parameterization is not None:
            internal["name"] = self.plugin
            internal["parameterization"] = base64.b64encode(self.parameterization.value).decode()
            if self.version:
                internal["version"] = self.version
            inputs["version"] = self.parameterization.version
        if internal or self.version:
            inputs[INTERNAL] = internal


def of_state(state: ResourceState) -> ProviderRequest:
    """Which provider a provider resource of the state is."""
    package = package_of(state.type)
    inputs = state.inputs
    internal = unwrap(inputs.get(INTERNAL)) if INTERNAL in inputs else inputs
    internal = internal if isinstance(internal, dict) else {}
    parameter = internal.get("parameterization")
    version = unwrap((internal if parameter else inputs).get("version"))
    becomes = unwrap(inputs.get("version"))
    return ProviderRequest(
        str(internal.get("name") or package),
        version if isinstance(version, str) else "",
        str(internal.get("pluginDownloadURL") or ""),
        Parameterization(package, str(becomes), base64.b64decode(parameter)) if parameter else None,
    )


def find_packages(
    required: Iterable[ProviderRequest], resources: Iterable[ResourceState]
) -> dict[str, ProviderRequest]:
    """Find the provider of each package for requests that name none, as the CLI does.

    Args:
        required: what the program's packages need; if that is anything, the state does not count.
        resources: the state.
    """
    requests = list(required) or [of_state(state) for state in resources if state.is_provider]
    found: dict[str, ProviderRequest] = {}
    for request in requests:
        known = found.get(request.package)
        if known is None or _ordering(request.version) >= _ordering(known.version):
            found[request.package] = request
    return found


def _ordering(version: str) -> tuple[int, int, int, bool, str]:
    found = _SEMVER.fullmatch(version)
    if found is None:
        return -1, 0, 0, False, ""
    major, minor, patch, before, _ = found.groups()
    return int(major), int(minor), int(patch), before is None, before or ""


def _into_name(text: str) -> str:
    """A text as the CLI makes it part of a name (`tokens.IntoQName`): `https_/host/path` of a URL."""
    parts = [part for part in text.split("/") if part]
    named = [
        re.sub(rb"[^A-Za-z0-9_.-]", b"_", re.sub(rb"\A[^A-Za-z0-9_.]", b"_", part.encode())).decode()
        for part in parts
    ]
    return "/".join(named) or "_"
