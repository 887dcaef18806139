"""Fabrics as data: tiers of switches over blocks of the site, with rails, planes, link counts and radix.

An accelerator's NICs go to the first tier's switches of their block; each tier's uplinks go to the next
tier's switches of the block around it, spread evenly. `groups` splits a tier into sets that only the lower
switches of the same index reach (planes of a core); `group_by: rail` makes a tier per rail.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from infra.spec.base import Count, Factor, Name, Part, Whole
from infra.spec.tenants import KeyedPartition, Tenant

Split = Literal[1, 2, 4, 8]
"""Into how many a port or an interface can be split: by its lanes, of which there are eight at most."""

Block = Literal["rack", "scalable-unit", "pod", "hall", "building", "site"]
"""Levels that a tier's switches can be counted over, from small to large."""

BLOCKS: tuple[str, ...] = ("rack", "scalable-unit", "pod", "hall", "building", "site")


Kind = Literal["east-west", "north-south", "storage", "out-of-band"]
"""What a fabric is for; NICs of the catalog's platforms say which kind they are cabled to."""

KINDS: tuple[str, ...] = ("east-west", "north-south", "storage", "out-of-band")


class Tier(Part):
    """Equal switches of one layer."""

    name: Name
    """Part of their names, so unique over all fabrics: `leaf`, `spine`, `core`, `ns-leaf`."""
    switch: Name
    """Model."""
    per: Block
    """The block that `count` is for."""
    count: Count | None = None
    """Switches in each block, rail (first tier), plane and group; without it, as few as
    the ports allow with each lower switch's uplinks spread evenly."""
    down: Count | None = None
    """Ports of each that face down; by default what `up` leaves."""
    up: Whole = 0
    """Ports of each that face up."""
    groups: Count = 1
    """Sets in which switches of this tier come (see above); `count` is for one of them."""
    group_by: Literal["index", "rail"] = "index"
    breakout: Split | None = None
    """Ports into which each port of these switches is split; by default the fabric's."""
    oversubscription: Annotated[float, Field(gt=0, le=1000, examples=[8.0])] | None = None
    """The most bandwidth that may come from below for each unit of its uplinks'."""


class ServerLeaf(Part):
    """First-tier switches of servers' racks, beside those that trays are cabled to.

    They stand with the pod's switches, and their uplinks go to the second tier, from its last port that faces
    down backwards: more trays move none of them.
    """

    name: Name
    """Part of their names, so unique over all fabrics."""
    switch: Name
    """Model."""
    servers: tuple[Name, ...] = Field(min_length=1, examples=[["storage"]])
    """Groups of servers of each pod that are cabled to them."""
    count: Count | None = None
    """Switches in each pod, rail and plane; without it, as few as the ports allow."""
    down: Count | None = None
    """Ports of each that face down; by default what `up` leaves."""
    up: Count
    """Ports of each that face up: a multiple of the switches that they reach."""


class Fabric(Part):
    """One network."""

    title: str = ""
    kind: Kind | None = None
    """Which ports of machines it is for: NICs of this `fabric` in the catalog, or management ports. The four
    that have a name of their own are of the kind that they are named after; others must say it."""
    pods: Annotated[
        tuple[Count, Count] | None,
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "string", "pattern": r"^[0-9]+ *- *[0-9]+$"},
                    {"type": "null"},
                ],
                "examples": ["5-8"],
            }
        ),
    ] = None
    """Numbers of the pods that it is in, such as `5-8`; by default all. A pod has one fabric of a kind."""
    rails: Count = 1
    """NIC i of a node goes to rail i modulo this: its own first-tier switches."""
    planes: Split = 1
    """Each NIC is split into this many ports, each in a network of its own."""
    breakout: Split = 1
    """Ports into which each switch port is split (with cables that fan out)."""
    bisection: Factor | None = None
    """The least part of the hosts' bandwidth that must cross between any two halves of them."""
    paths: Count | None = None
    """The fewest shortest paths that any two first-tier switches must have."""
    tiers: tuple[Tier, ...] = Field(min_length=1, examples=[[{"name": "leaf"}]])
    leaves: tuple[ServerLeaf, ...] = ()
    """Leaves of their own for racks of servers."""
    routing: Literal["auto", "bgp", "static", "subnet-manager", "none"] = "auto"
    """`auto` is what its switches' operating system does: a subnet manager for InfiniBand, else BGP."""
    asn_base: Annotated[int, Field(ge=1, le=4294967294, examples=[4200000000])] = 4200000000
    """First private AS number (RFC 6996); each switch's is this plus its index."""
    vlan: Annotated[int, Field(ge=1, le=4094, examples=[10])] = 10
    """Of an out-of-band fabric: the VLAN that its ports are in and its uplinks carry (IEEE 802.1Q)."""
    partitions: tuple[KeyedPartition, ...] = ()
    """Of a fabric with a subnet manager; with any, all other adapters reach only the manager."""
    tenants: tuple[Tenant, ...] = ()
    """Of a fabric with BGP: the switches keep them apart by VRFs, joined by EVPN over VXLAN."""
    source: str = ""

    @field_validator("pods", mode="before")
    @classmethod
    def _pods(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value, value)
        if isinstance(value, str):
            first, dash, last = (text.strip() for text in value.partition("-"))
            numbers = [int(text) for text in (first, last) if text.isascii() and text.isdigit()]
            if dash and len(numbers) == 2 and numbers[0] <= numbers[1] and len(value) < 20:
                return tuple(numbers)
            raise PydanticCustomError(
                "pods", "{message}|{hint}",
                {"message": f"{value!r} is not a range of pods", "hint": "write it like `5-8`"},
            )  # fmt: skip
        return value

    def switches(self) -> dict[tuple[str, int], Tier | ServerLeaf]:
        """Its tiers and its leaves for servers, by where they are declared."""
        tiers = {("tiers", index): tier for index, tier in enumerate(self.tiers)}
        return {**tiers, **{("leaves", index): leaf for index, leaf in enumerate(self.leaves)}}

    def models(self) -> set[str]:
        """Switch models that it is made of."""
        return {part.switch for part in self.switches().values()}

    def scope(self, pods: int) -> range:
        """Indices of the pods that it is in, of so many."""
        return range(pods) if self.pods is None else range(self.pods[0] - 1, self.pods[1])


class Fabrics(Part):
    """The site's networks; each is left out where the site has none.

    Further ones have names of their own and say their `kind`: InfiniBand in some pods and RoCE in others are
    two of the kind `east-west`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Fabric] = Field(init=False)

    east_west: Fabric | None = None
    """Accelerator to accelerator."""
    north_south: Fabric | None = None
    """Hosts to storage, services and the world."""
    storage: Fabric | None = None
    """Hosts to storage servers, where that is a network of its own."""
    out_of_band: Fabric | None = None
    """Management ports."""

    def named(self) -> dict[str, Fabric]:
        """Those that the site has, by name (`east-west`): the usual ones, then its own in order."""
        every = {
            "east-west": self.east_west,
            "north-south": self.north_south,
            "storage": self.storage,
            "out-of-band": self.out_of_band,
            **{key.replace("_", "-"): fabric for key, fabric in self.__pydantic_extra__.items()},
        }
        return {name: fabric for name, fabric in every.items() if fabric}

    def kinds(self) -> dict[str, str]:
        """Kind of each fabric that the site has, by name."""
        return {name: fabric.kind or name for name, fabric in self.named().items()}
