"""Servers of a site and of its pods: management servers, storage tiers, and their part of each fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pulumi

from infra.components.fabric import Fabric
from infra.components.hardware import Records, server_args, stand_in
from infra.components.resources.management import ManagementServer
from infra.components.storage_tier import StorageTier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.components.fabric import FabricArgs
    from infra.components.storage_tier import StorageTierArgs
    from infra.plan.tables.machines import Machine


class Servers(Protocol):
    """Parts that the arguments of a site and of a pod share."""

    @property
    def management(self) -> Sequence[Machine]: ...  # noqa: D102
    @property
    def storage(self) -> Mapping[str, StorageTierArgs]: ...  # noqa: D102
    @property
    def fabrics(self) -> Mapping[str, FabricArgs]: ...  # noqa: D102


def declare_servers(name: str, args: Servers, parent: pulumi.Resource) -> Records:
    """Declare them as children of a component.

    Args:
        name: of the component; the names of tiers and fabrics begin with it.
        args: what it is made of.
        parent: the component.

    Returns:
        entries of the machines for the stack's output.
    """
    records, child = Records(), pulumi.ResourceOptions(parent=parent)
    for node in args.management:
        under = stand_in(node, parent)
        made = ManagementServer(node.name, server_args(node, under), child)
        records.add_one(node, under, made.machine)
    for tier, tier_args in args.storage.items():
        records.include(StorageTier(f"{name}-{tier}", tier_args, child).records)
    for fabric, fabric_args in args.fabrics.items():
        records.include(Fabric(f"{name}-{fabric}", fabric_args, child).records)
    return records
