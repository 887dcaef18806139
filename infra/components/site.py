"""A site's own level: grid connection, core fabrics, management nodes, storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.fabric import Fabric, FabricArgs
from infra.components.hardware import output_record, server_args, stand_in
from infra.components.resources import Connection, ConnectionArgs, ManagementServer
from infra.components.storage_tier import StorageTier, StorageTierArgs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteArgs:
    """What belongs to the site and to no pod.

    Attributes:
        connection: the grid connection, if one is declared.
        management: management (head) nodes.
        storage: storage tier name → its servers.
        fabrics: fabric name → its core switches.
    """

    connection: ConnectionArgs | None = None
    management: Sequence[Machine] = ()
    storage: Mapping[str, StorageTierArgs] = field(default_factory=dict)
    fabrics: Mapping[str, FabricArgs] = field(default_factory=dict)


class Site(pulumi.ComponentResource):
    """A site."""

    machines: Mapping[str, pulumi.Output[dict[str, Any]]]
    """Host name → output record, for all machines of the site's level."""

    def __init__(self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:site:Site", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.connection is not None:
            Connection(str(args.connection.name), args.connection, child)
        machines: dict[str, pulumi.Output[dict[str, Any]]] = {}
        for node in args.management:
            under = stand_in(node, self)
            made = ManagementServer(node.name, server_args(node, under), child)
            machines[node.name] = output_record(node, under, made.machine)
        for tier, tier_args in args.storage.items():
            machines |= StorageTier(f"{name}-{tier}", tier_args, child).machines
        for fabric, fabric_args in args.fabrics.items():
            machines |= Fabric(f"{name}-{fabric}", fabric_args, child).machines
        self.machines = machines
        self.register_outputs({"storage": list(args.storage), "fabrics": list(args.fabrics)})
