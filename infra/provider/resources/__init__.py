"""The resource types of the package, by token."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.provider.resources.resource_type import ResourceType


@cache
def registry() -> dict[str, ResourceType[Any]]:
    """Token → resource type."""
    from infra.provider.resources.compute import Rack  # noqa: PLC0415
    from infra.provider.resources.cooling import Cdu  # noqa: PLC0415
    from infra.provider.resources.grid import Connection  # noqa: PLC0415
    from infra.provider.resources.management import ManagementServer  # noqa: PLC0415
    from infra.provider.resources.network import Switch  # noqa: PLC0415
    from infra.provider.resources.power import Feed  # noqa: PLC0415
    from infra.provider.resources.standin import Machine  # noqa: PLC0415
    from infra.provider.resources.storage import StorageServer  # noqa: PLC0415

    kinds = (Machine(), Rack(), StorageServer(), ManagementServer(), Switch(), Connection(), Feed(), Cdu())
    return {kind.type_name: kind for kind in kinds}
