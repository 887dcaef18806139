"""The package's module `storage`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.machines import ServerArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderArgs:
    """Where a folder is exported.

    Attributes:
        server: machine that exports it; a change replaces the resource.
        path: folder on the server; a change replaces the resource.
    """

    server: pulumi.Input[str]
    path: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportArgs(FolderArgs):
    """Declared inputs of one export.

    Attributes:
        size: bytes of its file system; it grows, and never becomes smaller.
        force_delete: remove it with the files that it holds.
    """

    size: pulumi.Input[int]
    force_delete: pulumi.Input[bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaArgs(FolderArgs):
    """Declared inputs of one quota.

    Attributes:
        kind: whose files it counts (user, group, project); a change replaces the resource.
        who: name of the user or group, or the project's number; a change replaces the resource.
        folder: folder of a project, which is made and whose content counts; a change replaces the resource.
        limit: bytes; more is refused.
        soft: bytes from which on more is taken for seven days only.
        files: most files and folders.
    """

    kind: pulumi.Input[str]
    who: pulumi.Input[str]
    folder: pulumi.Input[str] | None = None
    limit: pulumi.Input[int]
    soft: pulumi.Input[int] | None = None
    files: pulumi.Input[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectArgs:
    """Where a user or a bucket is, and how much it may hold.

    Attributes:
        server: server of the tier that is asked; root can run `radosgw-admin` there.
        limit: bytes that it may hold; more is refused.
        objects: most objects that it may hold.
        force_delete: remove it with the objects that it holds.
    """

    server: pulumi.Input[str]
    limit: pulumi.Input[int] | None = None
    objects: pulumi.Input[int] | None = None
    force_delete: pulumi.Input[bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUserArgs(ObjectArgs):
    """Declared inputs of one user of object storage.

    Attributes:
        name: its name; a change replaces the resource.
        display: its name for people.
        max_buckets: most buckets that it may own.
    """

    name: pulumi.Input[str]
    display: pulumi.Input[str] | None = None
    max_buckets: pulumi.Input[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketArgs(ObjectArgs):
    """Declared inputs of one bucket.

    Attributes:
        name: its name; a change replaces the resource.
        owner: user that owns it and all objects in it.
        versioning: keep objects that are written over or removed.
        endpoint: URL by which the server reaches the gateway.
    """

    name: pulumi.Input[str]
    owner: pulumi.Input[str]
    versioning: pulumi.Input[bool] | None = None
    endpoint: pulumi.Input[str] | None = None


class StorageServer(pulumi.CustomResource):
    """A storage server, powered through its management controller.

    Attributes:
        machine: what the machine says about itself: serial, uuid, power_state, model, bmc_url, driver.
        simulated: true if no machine stands behind this, only a simulation.
    """

    machine: pulumi.Output[dict[str, str]]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["machine", "simulated"])
        super().__init__("gigasite:storage:Server", name, {**properties(args), **outputs}, opts)


class Export(pulumi.CustomResource):
    """A folder that a storage server exports, in a file system of its own.

    It grows while it is in use, is never made smaller, and is removed only when it is empty, unless
    `force_delete` is set.

    Attributes:
        applied: how it came into force: `role` with the step that configures machines, `live` on the running
            server, `simulated` where none stands behind it.
    """

    applied: pulumi.Output[str]

    def __init__(self, name: str, args: ExportArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["applied"])
        super().__init__("gigasite:storage:Export", name, {**properties(args), **outputs}, opts)


class Quota(pulumi.CustomResource):
    """A limit of one user, one group or one folder (a project) within an export, kept by its server.

    Attributes:
        applied: how it came into force: `role` with the step that configures machines, `live` on the running
            server, `simulated` where none stands behind it.
    """

    applied: pulumi.Output[str]

    def __init__(self, name: str, args: QuotaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["applied"])
        super().__init__("gigasite:storage:Quota", name, {**properties(args), **outputs}, opts)


class BucketUser(pulumi.CustomResource):
    """A user of a Ceph Object Gateway, with a quota over all its buckets.

    Ceph makes its keys, which are secrets of the stack. A quota is never set below what is used, and a user
    that owns buckets is removed only if `force_delete` is set, with all that is in them.

    Attributes:
        applied: `live` on the cluster, `waiting` for a server that does not answer or has no Ceph yet (the
            next `up` goes on with it), `simulated` where none stands behind it.
        access_key: its S3 access key.
        secret_key: its S3 secret key.
    """

    applied: pulumi.Output[str]
    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]

    def __init__(self, name: str, args: BucketUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["applied", "access_key", "secret_key"])
        super().__init__("gigasite:storage:BucketUser", name, {**properties(args), **outputs}, opts)


class Bucket(pulumi.CustomResource):
    """A bucket of a Ceph Object Gateway.

    Its quota changes while it is in use and is never set below what is used; another owner gets it with all
    objects. It is removed only when it is empty, unless `force_delete` is set.

    Attributes:
        applied: `live` on the cluster, `waiting` for a server that does not answer or has no Ceph yet (the
            next `up` goes on with it), `simulated` where none stands behind it.
    """

    applied: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["applied"])
        super().__init__("gigasite:storage:Bucket", name, {**properties(args), **outputs}, opts)
