"""A storage tier: the servers that make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, server_args, stand_in
from infra.components.resources.storage import Export, ExportArgs, Quota, QuotaArgs, StorageServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine
    from infra.render.exports import Export as Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTierArgs:
    """Inputs of a storage tier.

    Attributes:
        servers: its servers.
        exports: folders that the first of them exports.
        protect: whether Pulumi refuses to delete servers and exports: they hold data.
    """

    servers: Sequence[Machine]
    exports: Sequence[Folder] = ()
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
            if server is args.servers[0]:
                for folder in args.exports:
                    _export(server.name, folder, made, under or made, protect=args.protect)
        self.register_outputs({"servers": len(args.servers)})


def _export(
    server: str, folder: Folder, parent: pulumi.Resource, holder: pulumi.Resource, *, protect: bool
) -> None:
    """Declare a folder that a server exports, and its quotas; they go with what holds them."""
    name = f"{server}{folder.path.replace('/', '-')}"
    made = Export(
        name,
        ExportArgs(server=server, path=folder.path, size=folder.size),
        pulumi.ResourceOptions(parent=parent, protect=protect or None, deleted_with=holder),
    )
    for quota in folder.quotas:
        whose = PurePosixPath(quota.folder).name if quota.folder else quota.who
        Quota(
            f"{name}-{quota.kind}-{whose}",
            QuotaArgs(
                server=server,
                path=folder.path,
                kind=quota.kind,
                who=quota.who,
                folder=quota.folder,
                limit=quota.limit * 1024,
                soft=quota.soft * 1024 or None,
                files=quota.files or None,
            ),
            pulumi.ResourceOptions(parent=made, deleted_with=holder),
        )
