"""Accelerators of trays: the power that the plan gives each, its driver, and its NVLink domain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.plan.tables.machines import AcceleratorPlan
from infra.plan.tables.power import balance
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables
    from infra.spec.forms import Form


def accelerator_shares(plan: Tables) -> tuple[float, ...]:
    """Part of its rated power that each accelerator may draw, by form index; below 0 where none is left.

    A rack that is given less than its rating takes the difference from its accelerators: nothing else in it
    can be told to draw less.
    """
    return tuple(map(_share, plan.geometry.forms, balance(plan).forms))


def _share(form: Form, watts: float) -> float:
    rated = sum(catalog.platform(slot.platform).node.power.accelerators for slot in form.slots)
    return 1 - max(form.rated_w - watts, 0.0) / rated if rated else 1.0


def accelerator_plans(plan: Tables) -> dict[str, AcceleratorPlan]:
    """Plan of each accelerator by the name of its tray, of the trays in scope that have any."""
    trays = plan.node_frame.select("name", "rack_name", "form", "platform")
    nodes = {name: catalog.platform(name).node for name in trays["platform"].unique()}
    each = {name: node.accelerator for name, node in nodes.items() if node.accelerator and node.accelerators}
    domains: dict[str, list[str]] = {}
    addresses = _loopbacks(plan)
    for name, rack, _, platform in trays.iter_rows():
        if platform in each and each[platform].link_domain == "rack" and name in addresses:
            domains.setdefault(rack, []).append(addresses[name])
    members = {rack: tuple(own) for rack, own in domains.items()}
    shares, drivers = accelerator_shares(plan), {one.platform: one.version for one in plan.site.drivers}
    return {
        name: AcceleratorPlan(
            # whole watts are what drivers take; a millionth is left to rounding
            math.floor(each[platform].power * shares[form] + 1e-6),
            drivers.get(platform),
            members.get(rack, ()) if each[platform].link_domain == "rack" else (),
        )
        for name, rack, form, platform in trays.iter_rows()
        if platform in each
    }


def _loopbacks(plan: Tables) -> dict[str, str]:
    """Address of each machine without its prefix length."""
    rows = plan.addresses.filter(plan.addresses["pool"] == "loopback").select("owner", "address").iter_rows()
    return {owner: address.split("/")[0] for owner, address in rows}
