"""Services of the site: servers, storage, schedulers, people, zones, addresses and stand-ins."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from infra.spec import units
from infra.spec.base import Count, Name, Part, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator


def _v4(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "network",
            "{message}|{hint}",
            {
                "message": f"{text!r} is not an IPv4 network",
                "hint": "write it like `10.0.0.0/8`, host bits zero",
            },
        ) from error
    return text


def _v6(text: str) -> str:
    try:
        ipaddress.IPv6Network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "network",
            "{message}|{hint}",
            {
                "message": f"{text!r} is not an IPv6 network",
                "hint": "write it like `fd00:10::/32`, host bits zero",
            },
        ) from error
    return text


IPv4 = Annotated[str, AfterValidator(_v4), Field(examples=["10.0.0.0/8"])]
IPv6 = Annotated[str, AfterValidator(_v6), Field(examples=["fd00:10::/32"])]


SCHEDULER_PORT = 8786
"""TCP port of the scheduler of `RolloutCluster`: dask's customary one."""
WORKER_PORT = 8788
"""TCP port of its workers; the scheduler fetches results there."""


class Server(Part):
    """Equal servers: of the site, or of each pod in racks of their own."""

    name: Name
    role: Literal["storage", "management"]
    platform: Name
    count: Whole = 1
    """How many; 0 keeps the place of a group that is gone, so that those declared after it stay."""
    per: Literal["site", "pod"] = "site"
    """What `count` is for. Those of pods stand beside the pod's switches, are cabled to the pod's fabrics by
    their NICs, and belong to the pod in every way."""
    attach: Annotated[str, Field(pattern=r"^pod-[0-9]+$", examples=["pod-01"])] | None = None
    """The pod whose first tiers servers of the site are cabled to; None if no data cables are planned."""

    def all(self, pods: int) -> int:
        """How many there are on a site of so many pods."""
        return self.count * (pods if self.per == "pod" else 1)


class Quota(Part):
    """A limit of what one user, one group or one folder may hold of an export."""

    user: Name | None = None
    """One of `users`."""
    group: Name | None = None
    """One that `users` are in."""
    folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["scratch"])] | None = None
    """A folder of the export, which is made, and all that is in it."""
    limit: units.Size
    """More is refused."""
    soft: units.Size | None = None
    """More is taken for seven days (Linux's grace time), then nothing until there is less."""
    files: Count | None = None
    """Most files and folders."""


class Export(Part):
    """A folder that a storage tier offers."""

    path: Annotated[str, Field(pattern=r"^/", examples=["/srv/shared"])]
    mount: Annotated[str, Field(pattern=r"^/", examples=["/shared"])]
    """Where trays mount it."""
    size: units.Size
    quotas: tuple[Quota, ...] = ()


UserName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", examples=["ada"])]
Objects = Annotated[int, Field(ge=1, le=10**15, strict=True, examples=[1_000_000])]


class ObjectQuota(Part):
    """A limit of what a bucket, or all buckets of a user, may hold."""

    limit: units.Size | None = None
    """More is refused."""
    objects: Objects | None = None
    """Most objects; old versions count."""


class BucketUser(Part):
    """A user of object storage, with keys that its gateway makes."""

    name: UserName
    display: Annotated[str, Field(min_length=1, examples=["Ada Lovelace"])] | None = None
    """Its name for people; None for the same."""
    max_buckets: Annotated[int, Field(ge=1, le=10**6, strict=True, examples=[10])] = 1000
    """Most buckets that it may own (1,000 is the gateway's default)."""
    quota: ObjectQuota = ObjectQuota()
    """Over all its buckets."""
    force_delete: bool = False
    """Remove it with its buckets and their objects, once it is declared no longer."""


class Bucket(Part):
    """A bucket."""

    name: Annotated[str, Field(examples=["checkpoints"])]
    """By the rules of S3: it is a part of URLs and of host names."""
    owner: UserName
    """One of the tier's `users`."""
    quota: ObjectQuota = ObjectQuota()
    versioning: bool = False
    """Keep objects that are written over or removed."""
    force_delete: bool = False
    """Remove it with its objects, once it is declared no longer."""


class StorageTier(Part):
    """One kind of storage."""

    name: Name
    kind: Literal["local", "nfs", "parallel", "object"]
    """`local` is the nodes' own NVMe: its capacity follows from the platforms."""
    servers: Name | None = None
    """Name of the servers (under `servers`) that hold it."""
    capacity: units.Size | None = None
    """Usable, over the whole site."""
    read_per_scalable_unit: units.Bandwidth = 0.0
    write_per_scalable_unit: units.Bandwidth = 0.0
    exports: tuple[Export, ...] = ()
    endpoint: Annotated[
        str, Field(pattern=r"^https?://[^/\s]+/?$", examples=["https://objects.lab.internal"])
    ] = "http://127.0.0.1:7480"
    """Of an object tier: URL by which its first server reaches a gateway (7480 is Ceph's default port)."""
    users: tuple[BucketUser, ...] = ()
    """Of an object tier."""
    buckets: tuple[Bucket, ...] = ()
    """Of an object tier."""


class CheckpointNeed(Part):
    """The job that sizes storage."""

    parameters: Annotated[float, Field(gt=0, le=1e18, examples=[1e12])]
    bytes_per_parameter: Annotated[float, Field(gt=0, le=1000, examples=[14])] = 14.0
    """Weights, gradients' master copy and optimizer state (mixed-precision Adam: 2 + 4 + 4 + 4)."""
    accelerators: Annotated[int, Field(ge=1, le=10**9, strict=True, examples=[1])]
    """That the job runs on."""
    interruption_per: units.AcceleratorHours
    """Accelerator-hours between interruptions."""
    pause: units.Span
    """That the job stands still for one checkpoint."""
    source: str


class Storage(Part):
    """All storage of the site."""

    tiers: tuple[StorageTier, ...] = ()
    power: units.Power = 0.0
    """Watts of all its servers and drives."""
    checkpoint: CheckpointNeed | None = None


class Partition(Part):
    """A Slurm partition."""

    name: Name
    default: bool = False
    max_time: str = "INFINITE"


class Slurm(Part):
    """Slurm clusters with block topology."""

    cluster: Name
    controller: Name
    """Name of the servers (under `servers`) that run slurmctld."""
    per: Literal["site", "building", "hall", "pod"] = "site"
    """One cluster for each of these."""
    partitions: tuple[Partition, ...] = Field(min_length=1, examples=[[{"name": "main"}]])
    block_levels: tuple[Literal["rack", "scalable-unit", "pod"], ...] = ("rack", "scalable-unit", "pod")
    """Levels that are blocks of `topology/block`."""
    nodes_per_cluster: Count = 65536
    """Most nodes that one cluster is given (slurm.conf: MAX_SLURM_NODES is 65,536)."""


class Kubernetes(Part):
    """Kubernetes clusters."""

    per: Literal["site", "building", "hall", "pod"] = "hall"
    nodes_per_cluster: Count = 5000
    """Kubernetes documents 5,000 nodes as its limit ("Considerations for large clusters")."""


class Schedulers(Part):
    """Who gives work to nodes."""

    slurm: Slurm | None = None
    kubernetes: Kubernetes | None = None


class RolloutCluster(Part):
    """Servers that carry large rollouts out: each worker takes shards of machines through its steps."""

    scheduler: Name
    """Servers of the site; the first of them gives the workers their shards."""
    workers: Name
    """Servers of which each runs a worker: some of the site, one for each hall, or those of each pod."""


class Services(Part):
    """Site services: each names the servers (under `servers`) that run it."""

    domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$", examples=["lab.internal"])]
    ntp: Name
    """Time server."""
    dns: Name | None = None
    """Servers of names: of the site's domain, by the plan."""
    registry: Name | None = None
    monitoring: Name | None = None
    rollout: RolloutCluster | None = None
    """Cluster for rollouts that are too large for one controller; None: they run inside the controller."""
    power: units.Power = 0.0
    """Watts of management as a whole."""


class User(Part):
    """A person with an account."""

    name: Name
    uid: Annotated[int, Field(ge=1000, le=59999, examples=[10001])]
    groups: tuple[Name, ...] = ()
    public_keys: tuple[str, ...] = ()
    """OpenSSH public keys."""


class Zone(Part):
    """A security zone: a group of machines, and who may reach it."""

    name: Name
    roles: tuple[Literal["tray", "storage", "management", "switch"], ...] = ()
    """Machine roles that are in it."""


class Allow(Part):
    """One allowed pair of zones; everything else is denied."""

    source: Name
    target: Name
    ports: tuple[Annotated[str, Field(pattern=r"^(tcp|udp)/[0-9]+(-[0-9]+)?$", examples=["tcp/6817"])], ...]
    """One port or a range each; ICMP is let in from everywhere."""
    reason: str

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Protocol, first and last port of each."""
        for text in self.ports:
            protocol, _, span = text.partition("/")
            first, _, last = span.partition("-")
            yield protocol, int(first), int(last or first)


class Zones(Part):
    """Security zones and the connectivity matrix: a machine in a zone drops all else."""

    zones: tuple[Zone, ...] = ()
    allow: tuple[Allow, ...] = ()


class Addresses(Part):
    """Address supernets; each pod gets an equal block, and everything in it follows by arithmetic."""

    management: IPv4
    """Out-of-band network (BMCs and management ports speak IPv4)."""
    management_pod: Annotated[int, Field(ge=8, le=30, examples=[18])]
    """Prefix length of a pod's block; block 0 is the site's own."""
    management_gateway: Literal["first", "last"] = "first"
    """Which address of each management block is its gateway's."""
    loopbacks: IPv6 | IPv4
    loopback_pod: Annotated[int, Field(ge=8, le=120, examples=[48])]
    links: IPv6 | IPv4 | None = None
    """For host links (/31 or /127 each); None leaves them unnumbered."""
    link_pod: Annotated[int, Field(ge=8, le=120, examples=[48])] = 48


class StandIn(Part):
    """Size of a VM."""

    vcpus: Count = 1
    memory: units.Size = 640 * 2.0**20
    disk: units.Size = 4 * 2.0**30


class StandIns(Part):
    """Says that this site's machines are VMs on this host, with everything on 127.0.0.1."""

    port_base: Annotated[int, Field(ge=1024, le=60000, examples=[20000])] = 20000
    """First TCP and UDP port: BMC, ssh and cables follow from it by arithmetic."""
    default: StandIn = StandIn()
    sizes: dict[Literal["tray", "storage", "management", "switch"], StandIn] = Field(default_factory=dict)
    """Sizes by role where they differ."""
    start: Literal["fast", "boot"] = "fast"
    """How a machine comes up the first time: from a template's saved memory, or by booting for real."""
    kind: Literal["vm", "simulated"] = "vm"
    limit: Whole = 1000
    """The most machines for which ports are laid out."""
