"""A storage tier: the servers that make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, server_args, stand_in
from infra.components.resources.storage import (
    Bucket,
    BucketArgs,
    BucketUser,
    BucketUserArgs,
    Export,
    ExportArgs,
    Quota,
    QuotaArgs,
    StorageServer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine
    from infra.render.exports import Export as Folder
    from infra.spec.services import Bucket as BucketSpec
    from infra.spec.services import BucketUser as BucketUserSpec
    from infra.spec.services import StorageTier as TierSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageTierArgs:
    """Inputs of a storage tier.

    Attributes:
        servers: its servers.
        exports: folders that the first of them exports.
        users, buckets: of an object tier, made by the first server.
        endpoint: URL by which that server reaches a gateway.
        protect: whether Pulumi refuses to delete what holds data: servers, exports, users and buckets.
    """

    servers: Sequence[Machine]
    exports: Sequence[Folder] = ()
    users: Sequence[BucketUserSpec] = ()
    buckets: Sequence[BucketSpec] = ()
    endpoint: str | None = None
    protect: bool = False


def tier_args(servers: Sequence[Machine], declared: TierSpec | None, *, protect: bool) -> StorageTierArgs:
    """Build the inputs of a tier.

    Args:
        servers: its servers.
        declared: what it offers; None if another stack declares that.
        protect: as in the inputs.
    """
    if declared is None:
        return StorageTierArgs(servers=servers, protect=protect)
    from infra.render.exports import exports_of  # noqa: PLC0415 (slow to import)

    return StorageTierArgs(
        servers=servers,
        exports=exports_of(declared),
        users=declared.users,
        buckets=declared.buckets,
        endpoint=declared.endpoint,
        protect=protect,
    )


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
                # objects lie on all servers of the tier: they go with this one only where it is a stand-in
                options = pulumi.ResourceOptions(
                    parent=made, protect=args.protect or None, deleted_with=under
                )
                declare_objects(name, server.name, args, options)
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


def declare_objects(tier: str, server: str, declared: StorageTierArgs, opts: pulumi.ResourceOptions) -> None:
    """Declare users and buckets of an object tier; a bucket comes after its owner, and goes before it.

    Args:
        tier: name of its component; the names of users and buckets begin with it.
        server: machine that is asked to make them.
        declared: what there is.
        opts: of users and buckets alike.
    """
    users = {
        user.name: BucketUser(
            f"{tier}-{user.name}",
            BucketUserArgs(
                server=server,
                name=user.name,
                display=user.display,
                max_buckets=user.max_buckets,
                limit=_whole(user.quota.limit),
                objects=user.quota.objects,
                force_delete=user.force_delete,
            ),
            opts,
        )
        for user in declared.users
    }
    for bucket in declared.buckets:
        Bucket(
            f"{tier}-{bucket.name}",
            BucketArgs(
                server=server,
                name=bucket.name,
                owner=bucket.owner,
                versioning=bucket.versioning,
                endpoint=declared.endpoint,
                limit=_whole(bucket.quota.limit),
                objects=bucket.quota.objects,
                force_delete=bucket.force_delete,
            ),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[users[bucket.owner]])),
        )


def _whole(size: float | None) -> int | None:
    return None if size is None else int(size)
