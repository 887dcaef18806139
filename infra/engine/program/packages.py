"""Packages that a program registers, and which of them a request asks for."""

from __future__ import annotations

import uuid
from typing import Any

from pulumi.runtime.proto import resource_pb2

from infra.engine.deploy.provider_request import Parameterization, ProviderRequest
from infra.engine.errors import EngineError
from infra.engine.program.refusals import refuse_unsupported
from infra.engine.resource.urn import package_of


class Packages:
    """The packages of one run, by reference."""

    def __init__(self) -> None:
        self._by_reference: dict[str, ProviderRequest] = {}

    def get(self, reference: str) -> ProviderRequest:
        """Return a registered package.

        Raises:
            EngineError: the reference is unknown.
        """
        try:
            return self._by_reference[reference]
        except KeyError:
            raise EngineError(f"unknown provider package '{reference}'") from None

    def register(self, request: resource_pb2.RegisterPackageRequest) -> Any:
        """Add a package, perhaps one that a parameter makes out of another; reply with its reference."""
        refuse_unsupported(request)
        parameterization = None
        if request.HasField("parameterization"):
            given = request.parameterization
            parameterization = Parameterization(given.name, given.version, given.value)
        url = request.download_url.removesuffix("/")
        wanted = ProviderRequest(
            request.name, request.version, url, parameterization, tuple(sorted(request.checksums.items()))
        )
        for reference, known in self._by_reference.items():
            if known == wanted:
                return resource_pb2.RegisterPackageResponse(ref=reference)
        reference = str(uuid.uuid4())
        self._by_reference[reference] = wanted
        return resource_pb2.RegisterPackageResponse(ref=reference)

    def requested_by(self, request: Any, token: str) -> ProviderRequest:
        """Return the package of a request that names no provider.

        Args:
            request: any message with `packageRef`, `version`, `pluginDownloadURL` and `pluginChecksums`.
            token: type of the resource or name of the function; names the package where nothing else does.

        Raises:
            EngineError: the reference is unknown.
        """
        if request.packageRef:
            return self.get(request.packageRef)
        return ProviderRequest(
            package_of(token),
            request.version,
            request.pluginDownloadURL.removesuffix("/"),
            checksums=tuple(sorted(request.pluginChecksums.items())),
        )
