"""Tenants of Ethernet fabrics: their VRFs, and which machine is in which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.spec.tenants import vlan_of, vrf_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.spec.fabric import Fabric
    from infra.spec.site import Site

TARGET_AS = 64512
"""AS number in route targets, the first private one of two bytes (RFC 6996): switches have one of four bytes
each, beside which a target has no room for a VNI (RFC 5668)."""
TABLES = 1000
"""Number of the first routing table of a tenant, above those of hosts' rails and the system's own."""
PLACES = tuple(rf"^(pod-\d+{rest})-" for rest in ("", r"-su-\d+", r"-su-\d+-rack-\d+"))
"""Regular expressions of the places that a machine's name begins with, from large to small."""


@dataclass(frozen=True, slots=True)
class Vrf:
    """A tenant on a switch.

    Attributes:
        name: of the VRF.
        tenant: that it is for.
        vni: VXLAN network identifier of what is routed in it.
        vlan: number of its own inside the switch.
        table: number of its routing table, on Linux.
        target: route target, the same on all switches.
        bridge, tunnel: names of its interfaces, on Linux.
    """

    name: str
    tenant: str
    vni: int
    vlan: int
    table: int
    target: str
    bridge: str
    tunnel: str


def vrfs_of(fabric: Fabric) -> tuple[Vrf, ...]:
    """List the VRFs of a fabric's tenants."""
    return tuple(
        Vrf(
            name=vrf_of(tenant), tenant=tenant.name, vni=tenant.vni, vlan=vlan_of(tenant.vni),
            table=TABLES + vlan_of(tenant.vni), target=f"{TARGET_AS}:{tenant.vni}",
            bridge=f"br{tenant.vni}", tunnel=f"vni{tenant.vni}",
        )
        for tenant in fabric.tenants
    )  # fmt: skip


def places_of(fabric: Fabric) -> dict[str, str]:
    """Map each place of a tenant to its VRF."""
    return {place: vrf_of(tenant) for tenant in fabric.tenants for place in tenant.places}


def vrf_by_place(site: Site) -> dict[str, dict[str, str]]:
    """Map each fabric that has tenants to the VRFs of their places."""
    return {name: places_of(fabric) for name, fabric in site.fabrics.named().items() if fabric.tenants}


def vrf_of_machine(name: str, places: Mapping[str, str]) -> str:
    """Look up the VRF of a machine by its name; empty for the default one."""
    words = name.split("-")
    return next((places[at] for end in (2, 4, 6) if (at := "-".join(words[:end])) in places), "")


def vrf_column(name: str, places: Mapping[str, str]) -> pl.Expr:
    """Look up the VRFs of machines by the column of their names; empty for the default one."""
    if not places:
        return pl.lit("")
    found = [
        pl.col(name).str.extract(place).replace_strict(dict(places), default=None, return_dtype=pl.String)
        for place in PLACES
    ]
    return pl.coalesce(*found, pl.lit(""))
