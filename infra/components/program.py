"""From a stack's name to its components: SITE is the site's own level, SITE.POD one pod of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.fabric import FabricArgs
from infra.components.pod import Pod, PodArgs
from infra.components.resources.cooling import CduArgs
from infra.components.resources.grid import ConnectionArgs
from infra.components.resources.network import PartitionArgs, TenantArgs
from infra.components.resources.power import FeedArgs
from infra.components.resources.provider import Provider, ProviderArgs
from infra.components.scalable_unit import ScalableUnitArgs
from infra.components.site import Site, SiteArgs
from infra.components.storage_tier import StorageTierArgs, tier_args
from infra.errors import UserError
from infra.plan import Plan, Role, machines_of, plan
from infra.plan.tables.feeds import feeds_in, loop_in
from infra.spec import catalog, load_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.plan import Machine
    from infra.spec.grid import Cooling, Feeds
    from infra.spec.site import Site as Declaration

ENVIRONMENT = {
    "driver": "GIGASITE_DRIVER",
    "latency": "GIGASITE_LATENCY",
    "failure_rate": "GIGASITE_FAILURE_RATE",
}
"""Environment variables that configure the provider where the stack's configuration does not."""
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
    driver = _driver(declaration)
    if driver == "simulated":
        # A simulated machine needs no virtual machine under it.
        declaration = declaration.model_copy(update={"stand_ins": None})
    whole = plan(declaration)
    provider = _provider(name, driver)
    opts = pulumi.ResourceOptions(providers=[provider])
    if pod:
        _declare_pod(whole, pod, opts, simulated=driver == "simulated")
    else:
        _declare_site(whole, opts, simulated=driver == "simulated")


def _driver(declaration: Declaration) -> str:
    chosen = _setting("driver")
    if chosen:
        return chosen
    stand_ins = declaration.stand_ins
    return "simulated" if stand_ins is not None and stand_ins.kind == "simulated" else "redfish"


def _provider(site: str, driver: str) -> Provider:
    args = ProviderArgs(
        site=site,
        driver=driver,
        latency=_number("latency"),
        failure_rate=_number("failure_rate"),
        timeout=_number("timeout"),
    )
    return Provider(site, args)


def _setting(key: str) -> str | None:
    return pulumi.Config("gigasite").get(key) or os.environ.get(ENVIRONMENT.get(key, "")) or None


def _number(key: str) -> float | None:
    text = _setting(key)
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a number", where=f"gigasite:{key}") from error


def _declare_site(whole: Plan, opts: pulumi.ResourceOptions, *, simulated: bool) -> None:
    name = whole.site.name
    args = site_args(whole, protect=_holds_data(whole, simulated=simulated))
    site = Site(name, args, opts)
    pulumi.export("site", name)
    pulumi.export("pods", list(whole.pods))
    pulumi.export("shared", _shared(whole.site, args))
    pulumi.export("machines", site.records.output)


def _holds_data(whole: Plan, *, simulated: bool) -> bool:
    """Whether storage is protected: not that of stand-ins and simulations, which are thrown away."""
    return whole.site.stand_ins is None and not simulated


def _declare_pod(whole: Plan, pod: str, opts: pulumi.ResourceOptions, *, simulated: bool) -> None:
    name = whole.site.name
    args = pod_args(whole, pod, protect=_holds_data(whole, simulated=simulated))
    # Machines of a pod use the site's servers (time, storage): what those are comes from the site's stack.
    site = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}")
    made = Pod(f"{name}-{pod}", args, opts)
    pulumi.export("site", name)
    pulumi.export("pod", pod)
    # Not by get_output, which makes an output of every value in all outputs of the other stack.
    pulumi.export("shared", site.outputs.apply(lambda outputs: (outputs or {}).get("shared")))
    pulumi.export("machines", made.records.output)


def site_args(whole: Plan, *, protect: bool) -> SiteArgs:
    """Build the inputs of the site component: all that belongs to no pod.

    Args:
        whole: the plan.
        protect: whether Pulumi refuses to delete storage servers.
    """
    declaration, own = whole.site, whole.own_level()
    machines = machines_of(whole, site_level=True, cables=_wired(declaration))
    return SiteArgs(
        connection=_connection(declaration),
        management=[machine for machine in machines if machine.role is Role.MANAGEMENT],
        storage=_storage(machines, own, protect=protect, offers=True),
        fabrics=_with_members(_fabrics(machines, own), declaration),
    )


def pod_args(whole: Plan, pod: str, *, protect: bool = False) -> PodArgs:
    """Build the inputs of a pod component.

    Args:
        whole: the plan.
        pod: its name.
        protect: whether Pulumi refuses to delete storage servers.

    Raises:
        infra.errors.UserError: the plan has no such pod.
    """
    part, machines = whole.pod(pod), machines_of(whole, pod, cables=_wired(whole.site))
    return PodArgs(
        units=_units(part, machines),
        fabrics=_fabrics(machines, part),
        management=[machine for machine in machines if machine.role is Role.MANAGEMENT],
        storage=_storage(machines, part, protect=protect, offers=pod == whole.pods[0]),
    )


def _storage(
    machines: Iterable[Machine], part: Plan, *, protect: bool, offers: bool
) -> dict[str, StorageTierArgs]:
    """Storage tier name → its servers among the machines; with `offers`, what the tier offers too."""
    group_of = dict(part.servers_in_scope.select("name", "group").iter_rows())
    tier_of = {tier.servers: tier.name for tier in part.site.storage.tiers if tier.servers is not None}
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.role is Role.STORAGE:
            found.setdefault(tier_of.get(group_of[machine.name], "unassigned"), []).append(machine)
    tiers = {tier.name: tier for tier in part.site.storage.tiers if offers}
    return {name: tier_args(servers, tiers.get(name), protect=protect) for name, servers in found.items()}


def _wired(declaration: Declaration) -> bool:
    """Whether resources need to know cables: only stand-ins are made with theirs."""
    return declaration.stand_ins is not None


def _units(part: Plan, machines: Iterable[Machine]) -> dict[str, ScalableUnitArgs]:
    """Scalable units with their racks in the plan's order."""
    racks: dict[str, dict[str, list[Machine]]] = {}
    for machine in machines:
        if machine.role is Role.TRAY and machine.su is not None and machine.rack is not None:
            racks.setdefault(machine.su, {}).setdefault(machine.rack, []).append(machine)
    pod = next(iter(part.pods), None)
    feeds, loop = feeds_in(part.site, pod), loop_in(part.site, pod)
    if feeds is None and loop is None:
        return {unit: ScalableUnitArgs(racks=found) for unit, found in racks.items()}
    rows = _rows(part)
    return {
        unit: ScalableUnitArgs(
            racks=found, feeds=_feeds(feeds, unit, rows[unit]), cdus=_cdus(loop, unit, rows[unit])
        )
        for unit, found in racks.items()
    }


def _fabrics(machines: Iterable[Machine], part: Plan) -> dict[str, FabricArgs]:
    """Fabric name → its switches among the machines."""
    fabric_of = dict(part.switches.select("name", "fabric").iter_rows())
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.role is Role.SWITCH:
            found.setdefault(fabric_of[machine.name], []).append(machine)
    texts = _configurations(found, part)
    return {fabric: FabricArgs(switches=switches, configurations=texts) for fabric, switches in found.items()}


def _with_members(fabrics: dict[str, FabricArgs], declaration: Declaration) -> dict[str, FabricArgs]:
    """Add what is declared of partitions and tenants, of fabrics without core switches too."""
    for name, fabric in declaration.fabrics.named().items():
        if fabric.partitions or fabric.tenants:
            fabrics[name] = replace(
                fabrics.get(name, FabricArgs()),
                partitions=[
                    PartitionArgs(name=one.name, fabric=name, key=one.key, places=one.places)
                    for one in fabric.partitions
                ],
                tenants=[
                    TenantArgs(name=one.name, fabric=name, vni=one.vni, places=one.places)
                    for one in fabric.tenants
                ],
            )
    return fabrics


def _configurations(fabrics: Mapping[str, list[Machine]], part: Plan) -> dict[str, dict[str, str]]:
    """Name → text by file, of the stand-ins: nothing else that is shipped has a driver."""
    names = [
        machine.name
        for switches in fabrics.values()
        for machine in switches
        if machine.stand_in is not None and machine.loopback is not None
    ]
    if not names:
        return {}
    from infra.render import network  # noqa: PLC0415 (only stand-ins need it)

    switches = [
        switch
        for switch in network.switches_of(part, names)
        if catalog.system(switch.profile.system).deployed
    ]
    return dict(network.print_switches(switches, network.common_of(part)))


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


@dataclass(frozen=True, slots=True)
class Row:
    """Load of a scalable unit: watts at its busways, watts into liquid, flow in L/min."""

    watts: float
    liquid_w: float
    flow_l_min: float


def _rows(part: Plan) -> dict[str, Row]:
    """Scalable unit → its planned load."""
    power, cooling = (
        table.filter(table["level"] == "scalable-unit").select("name", *columns)
        for table, columns in (
            (part.power, ("own_w", "cooling_w")),
            (part.cooling, ("liquid_w", "flow_l_min")),
        )
    )
    joined = power.join(cooling, on="name", how="inner", maintain_order="left")
    return {
        name: Row(watts + coolers, liquid, flow) for name, watts, coolers, liquid, flow in joined.iter_rows()
    }


def _feeds(feeds: Feeds | None, unit: str, row: Row) -> tuple[FeedArgs, ...]:
    """The busways of a row, each with its share of the row's planned load."""
    if feeds is None or feeds.busway is None:
        return ()
    return tuple(
        FeedArgs(
            name=f"{unit}-busway-{number:02d}",
            capacity_kw=_kilo(feeds.busway),
            load_kw=_kilo(row.watts / feeds.busways_per_row),
        )
        for number in range(1, feeds.busways_per_row + 1)
    )


def _cdus(cooling: Cooling | None, unit: str, row: Row) -> tuple[CduArgs, ...]:
    """The coolant distribution units of a row, each with its share of the row's planned heat."""
    if cooling is None or cooling.cooler is None:
        return ()
    model, count = catalog.cooler(cooling.cooler), cooling.coolers_per_row
    return tuple(
        CduArgs(
            name=f"{unit}-cdu-{number:02d}",
            capacity_kw=_kilo(model.capacity),
            flow_l_min=round(row.flow_l_min / count, 3),
            load_kw=_kilo(row.liquid_w / count),
            supply_c=cooling.supply,
        )
        for number in range(1, count + 1)
    )


def _kilo(value: float) -> float:
    return round(value / 1e3, 3)


def _shared(declaration: Declaration, args: SiteArgs) -> dict[str, dict[str, Any]]:
    """Servers that pods use by name, management nodes and those that export folders.

    Returns:
        Host name → role, management address, loopback.
    """
    exporting = {tier.name for tier in declaration.storage.tiers if tier.exports}
    storage = (server for name, tier in args.storage.items() if name in exporting for server in tier.servers)
    return {
        server.name: {
            "role": str(server.role),
            "management_address": server.management_address,
            "loopback": server.loopback,
        }
        for server in (*args.management, *storage)
    }
