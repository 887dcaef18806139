"""A site's own level: grid connection, core fabrics, management nodes, storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records  # noqa: TC001 (Pulumi reads the annotation)
from infra.components.resources.grid import Connection, ConnectionArgs
from infra.components.servers import declare_servers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.components.fabric import FabricArgs
    from infra.components.storage_tier import StorageTierArgs
    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteArgs:
    """Inputs of a site: all that belongs to no pod.

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

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:site:Site", name, None, opts)
        if args.connection is not None:
            Connection(str(args.connection.name), args.connection, pulumi.ResourceOptions(parent=self))
        self.records = declare_servers(name, args, self)
        self.register_outputs({"storage": list(args.storage), "fabrics": list(args.fabrics)})
