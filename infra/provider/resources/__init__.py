"""The resource types of the package, by token."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.provider.resources.resource_type import ResourceType

RESOURCE_TYPES = (
    "standin.StandIn",
    "compute.Rack",
    "storage.StorageServer",
    "storage.Export",
    "storage.Quota",
    "objects.BucketUser",
    "objects.Bucket",
    "management.ManagementServer",
    "network.Switch",
    "network.Partition",
    "network.Tenant",
    "grid.Connection",
    "power.Feed",
    "cooling.Cdu",
)
"""Module of this package and class of each resource type, in the order of the reference page."""


@cache
def registry() -> dict[str, ResourceType[Any]]:
    """Return token → resource type."""
    kinds = map(_load, RESOURCE_TYPES)
    return {kind.type_name: kind for kind in kinds}


def _load(name: str) -> ResourceType[Any]:
    module, _, kind = name.partition(".")
    loaded: ResourceType[Any] = getattr(import_module(f"{__name__}.{module}"), kind)()
    return loaded
