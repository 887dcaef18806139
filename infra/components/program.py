"""From a stack's name to its components: SITE is the site's own level, SITE.POD one pod of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.fabric import FabricArgs
from infra.components.pod import Pod, PodArgs
from infra.components.resources import CduArgs, ConnectionArgs, FeedArgs, Provider, ProviderArgs
from infra.components.scalable_unit import ScalableUnitArgs
from infra.components.site import Site, SiteArgs
from infra.components.storage_tier import StorageTierArgs
from infra.plan import Plan, Role, machines_of, plan
from infra.spec import load_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.plan import Machine
    from infra.spec.site import Site as Declaration

DRIVER = "GIGASITE_DRIVER"
"""Environment variable that picks the provider's driver where the stack's configuration does not."""
_WATTS_PER_KW = 1e3
_WATTS_PER_MW = 1e6


def declare(stack: str) -> None:
    """Declare everything of a stack and export its outputs.

    Args:
        stack: `SITE` or `SITE.POD`.

    Raises:
        infra.errors.UserError: the declaration has mistakes, or there is no such site or pod.
    """
    name, _, pod = stack.partition(".")
    declaration = load_site(name)
    whole = plan(declaration)
    provider = _provider(declaration)
    opts = pulumi.ResourceOptions(providers=[provider])
    if pod:
        _declare_pod(whole, pod, opts)
    else:
        _declare_site(whole, opts, simulated=_driver(pulumi.Config("gigasite")) == "simulated")


def _driver(config: pulumi.Config) -> str:
    return config.get("driver") or os.environ.get(DRIVER) or "redfish"


def _provider(declaration: Declaration) -> Provider:
    config = pulumi.Config("gigasite")
    args = ProviderArgs(
        site=declaration.name,
        driver=_driver(config),
        latency=config.get_float("latency"),
        failure_rate=config.get_float("failure_rate"),
        timeout=config.get_float("timeout"),
    )
    return Provider(declaration.name, args)


def _declare_site(whole: Plan, opts: pulumi.ResourceOptions, *, simulated: bool) -> None:
    declaration = whole.site
    own = machines_of(whole, site_level=True)
    group_of = dict(whole.own_level().server_frame.select("name", "group").iter_rows())
    storage = [machine for machine in own if machine.role is Role.STORAGE]
    # What holds data is protected, unless it is a stand-in or a simulation that is meant to be thrown away.
    protect = declaration.stand_ins is None and not simulated
    tiers = {
        tier.name: StorageTierArgs(
            servers=[machine for machine in storage if group_of[machine.name] == tier.servers],
            protect=protect,
        )
        for tier in declaration.storage.tiers
        if tier.servers is not None
    }
    placed = {machine.name for tier in tiers.values() for machine in tier.servers}
    spare = [machine for machine in storage if machine.name not in placed]
    if spare:
        tiers["unassigned"] = StorageTierArgs(servers=spare, protect=protect)
    site = Site(
        declaration.name,
        SiteArgs(
            connection=_connection(declaration),
            management=[machine for machine in own if machine.role is Role.MANAGEMENT],
            storage=tiers,
            fabrics=_fabrics(own, whole.own_level()),
        ),
        opts,
    )
    pulumi.export("site", declaration.name)
    pulumi.export("pods", list(whole.pods))
    pulumi.export("shared", _shared(own))
    _export_machines(site.machines)


def _declare_pod(whole: Plan, pod: str, opts: pulumi.ResourceOptions) -> None:
    declaration, part = whole.site, whole.pod(pod)
    own = machines_of(whole, pod)
    # Machines of a pod use the site's servers (time, storage): what those are comes from the site's stack.
    site = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{declaration.name}")
    made = Pod(
        f"{declaration.name}-{pod}",
        PodArgs(units=_units(part, own), fabrics=_fabrics(own, part)),
        opts,
    )
    pulumi.export("site", declaration.name)
    pulumi.export("pod", pod)
    pulumi.export("shared", site.get_output("shared"))
    _export_machines(made.machines)


def _units(part: Plan, machines: Iterable[Machine]) -> dict[str, ScalableUnitArgs]:
    """Scalable units with their racks in the plan's order."""
    racks: dict[str, dict[str, list[Machine]]] = {}
    for machine in machines:
        if machine.role is Role.TRAY and machine.su is not None and machine.rack is not None:
            racks.setdefault(machine.su, {}).setdefault(machine.rack, []).append(machine)
    return {
        unit: ScalableUnitArgs(racks=found, feeds=_feeds(part, unit), cdus=_cdus(part, unit))
        for unit, found in racks.items()
    }


def _fabrics(machines: Iterable[Machine], part: Plan) -> dict[str, FabricArgs]:
    """Fabric name → its switches among the machines."""
    fabric_of = dict(part.switches.select("name", "fabric").iter_rows())
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.role is Role.SWITCH:
            found.setdefault(fabric_of[machine.name], []).append(machine)
    return {fabric: FabricArgs(switches=switches) for fabric, switches in found.items()}


def _connection(declaration: Declaration) -> ConnectionArgs | None:
    grid = declaration.grid
    if grid is None:
        return None
    return ConnectionArgs(
        name=f"{declaration.name}-grid",
        operator=grid.operator,
        capacity_mw=grid.power / _WATTS_PER_MW,
        voltage_kv=max(circuit.voltage for circuit in grid.circuits) / 1e3,
        circuits=len(grid.circuits),
        ramp_mw_per_min=None if grid.ramp is None else grid.ramp / _WATTS_PER_MW,
    )


def _feeds(part: Plan, unit: str) -> tuple[FeedArgs, ...]:
    """The busways of a row, each with its share of the row's planned load."""
    feeds = part.site.feeds
    if feeds is None or feeds.busway is None:
        return ()
    load = _row_watts(part).get(unit, 0.0) / feeds.busways_per_row
    return tuple(
        FeedArgs(
            name=f"{unit}-busway-{number:02d}", capacity_kw=_kw(feeds.busway), load_kw=_kw(load)
        )
        for number in range(1, feeds.busways_per_row + 1)
    )  # fmt: skip


def _cdus(part: Plan, unit: str) -> tuple[CduArgs, ...]:
    """The coolant distribution units of a row."""
    del part, unit
    return ()


def _row_watts(part: Plan) -> dict[str, float]:
    """Scalable unit → planned watts."""
    del part
    return {}


def _kw(watts: float) -> float:
    return round(watts / _WATTS_PER_KW, 3)


def _shared(machines: Iterable[Machine]) -> dict[str, dict[str, Any]]:
    """Servers that pods use: host name → role, management address, loopback."""
    return {
        machine.name: {
            "role": str(machine.role),
            "management_address": machine.management_address,
            "loopback": machine.loopback,
        }
        for machine in machines
        if machine.role in (Role.MANAGEMENT, Role.STORAGE)
    }


def _export_machines(machines: Mapping[str, pulumi.Output[dict[str, Any]]]) -> None:
    pulumi.export("machines", pulumi.Output.all(**machines) if machines else {})
