"""Requests of the protocol that this engine does not support: refused by name, never passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc

from infra.engine.program.rpc_errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "RegisterResourceRequest": {
        "state_migrations": "state migrations are not supported by this engine",
        "snippetId": "snippets (`pulumi do`) are not supported by this engine",
    },
    "RegisterPackageRequest": {"extension": "extensions of packages are not supported by this engine"},
    "ResourceInvokeRequest": {"dependsOn": "the program has to wait for what an invoke depends on"},
}
"""Words for each field of a request, by the names of the protocol."""


def refuse_unsupported(request: Any) -> None:
    """Check that a request asks for nothing that this engine lacks.

    Raises:
        Refused: it does.
    """
    for field, words in REFUSED.get(request.DESCRIPTOR.name, {}).items():
        described = request.DESCRIPTOR.fields_by_name.get(field)
        if described is not None and any(described is given for given, _ in request.ListFields()):
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"{field}: {words} (use `--engine pulumi`)")
