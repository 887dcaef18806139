"""Tenants of fabrics: partitions of InfiniBand, and VRFs over VXLAN of Ethernet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.spec.base import Name, Part

Places = Annotated[
    tuple[Annotated[str, Field(pattern=r"^pod-\d+(-su-\d+(-rack-\d+)?)?$")], ...],
    Field(min_length=1, examples=[["pod-01-su-01"]]),
]
"""Pods, scalable units and racks."""


class KeyedPartition(Part):
    """An InfiniBand partition: adapters that reach each other, and no others."""

    name: Name
    key: Annotated[int, Field(ge=1, le=0x7FFE, examples=[0x0001])]
    """P_Key without its membership bit; 0x7fff is the default partition's."""
    places: Places
    """Pods, scalable units and racks whose adapters are full members."""


class Tenant(Part):
    """A tenant of an Ethernet fabric: machines that reach each other over it, and no others."""

    name: Annotated[
        str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?$", examples=["blue"], title="name")
    ]
    """Its VRF on every switch is `Vrf-` and this: 15 characters at most are the name of an interface."""
    vni: Annotated[int, Field(ge=1, le=0xFFFFFF, examples=[5001])]
    """VXLAN network identifier of its VRF (RFC 7348, RFC 9135)."""
    places: Places
    """Pods, scalable units and racks whose machines are in it; all others stay in the default VRF."""


VLANS = 4093
"""VLANs from 2 on: 1 is a switch's default one, 4095 is reserved (IEEE 802.1Q)."""


def vrf_of(tenant: Tenant) -> str:
    """Name of a tenant's VRF; SONiC takes only names that begin with `Vrf`."""
    return f"Vrf-{tenant.name}"


def vlan_of(vni: int) -> int:
    """VLAN of a VNI inside a switch whose system wants one.

    It follows from the VNI alone, so that a tenant that comes or goes changes nothing of the others.
    """
    return 2 + vni % VLANS
