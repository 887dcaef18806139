"""A storage tier: the servers that make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, server_args, stand_in
from infra.components.resources.storage import StorageServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTierArgs:
    """Inputs of a storage tier.

    Attributes:
        servers: its servers.
        protect: whether Pulumi refuses to delete them: they hold data.
    """

    servers: Sequence[Machine]
    protect: bool = False


class StorageTier(pulumi.ComponentResource):
    """The servers of one storage tier."""

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: StorageTierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:storage:Tier", name, None, opts)
        self.records = Records()
        for server in args.servers:
            under = stand_in(server, self)
            made = StorageServer(
                server.name,
                server_args(server, under),
                pulumi.ResourceOptions(parent=self, protect=args.protect or None),
            )
            self.records.add_one(server, under, made.machine)
        self.register_outputs({"servers": len(args.servers)})
