"""Fabrics as data: tiers of switches over blocks of the site, with rails, planes, link counts and radix.

An accelerator's NICs go to the first tier's switches of their block; each tier's uplinks go to the next
tier's switches of the block around it, spread evenly. `groups` splits a tier into sets that only the lower
switches of the same index reach (planes of a core); `group_by: rail` makes a tier per rail.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from infra.spec.base import Count, Factor, Name, Part, Whole

Split = Literal[1, 2, 4, 8]
"""Into how many a port or an interface can be split: by its lanes, of which there are eight at most."""

Block = Literal["rack", "scalable-unit", "pod", "hall", "building", "site"]
"""Levels that a tier's switches can be counted over, from small to large."""

BLOCKS: tuple[str, ...] = ("rack", "scalable-unit", "pod", "hall", "building", "site")


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


class KeyedPartition(Part):
    """An InfiniBand partition: adapters that reach each other, and no others."""

    name: Name
    key: Annotated[int, Field(ge=1, le=0x7FFE, examples=[0x0001])]
    """P_Key without its membership bit; 0x7fff is the default partition's."""
    places: tuple[Annotated[str, Field(pattern=r"^pod-\d+(-su-\d+(-rack-\d+)?)?$")], ...] = Field(
        min_length=1, examples=[["pod-01-su-01"]]
    )
    """Pods, scalable units and racks whose adapters are full members."""


class Fabric(Part):
    """One network."""

    title: str = ""
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
    routing: Literal["auto", "bgp", "static", "subnet-manager", "none"] = "auto"
    """`auto` is what its switches' operating system does: a subnet manager for InfiniBand, else BGP."""
    asn_base: Annotated[int, Field(ge=1, le=4294967294, examples=[4200000000])] = 4200000000
    """First private AS number (RFC 6996); each switch's is this plus its index."""
    partitions: tuple[KeyedPartition, ...] = ()
    """Of a fabric with a subnet manager; with any, all other adapters reach only the manager."""
    source: str = ""


class Fabrics(Part):
    """The site's networks; each is left out where the site has none."""

    east_west: Fabric | None = None
    """Accelerator to accelerator."""
    north_south: Fabric | None = None
    """Hosts to storage, services and the world."""
    out_of_band: Fabric | None = None
    """Management ports."""

    def named(self) -> dict[str, Fabric]:
        """Those that the site has, by the name that NICs refer to (`east-west`)."""
        every = {
            "east-west": self.east_west,
            "north-south": self.north_south,
            "out-of-band": self.out_of_band,
        }
        return {name: fabric for name, fabric in every.items() if fabric}
