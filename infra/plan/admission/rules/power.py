"""Power: the grid connection and its phases, circuits, halls, busways, feeds, shelves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.admission.limits import Limit, cases, distinct, facility_w, form_path, megawatts, number
from infra.plan.tables.accelerators import accelerator_shares
from infra.plan.tables.feeds import feeds_of
from infra.plan.tables.power import balance, it_in_service, server_watts
from infra.spec import catalog
from infra.spec.sizes import in_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan
    from infra.spec.grid import Feeds


def grid_power(plan: Plan) -> Iterator[Limit]:
    """Facility power against the grid connection."""
    site, totals = plan.site, balance(plan)
    if site.grid:
        drawn, limit = facility_w(plan), site.grid.power
        at = f"at PUE {totals.pue:g}" if totals.pue else "with no PUE declared"
        yield Limit(site.name, "N", megawatts(drawn), megawatts(limit), _unit(plan), "$.grid.power",
                    f"the grid connection, {at}", _pods_within(plan, limit))  # fmt: skip


def cooler_power(plan: Plan) -> Iterator[Limit]:
    """Power of all CDUs against what the PUE leaves for everything that is not IT."""
    totals = balance(plan)
    if totals.pue is None or not plan.scope:
        return
    coolers = float(plan.power.item(0, "cooling_w"))
    if coolers:
        overhead = (totals.pue - 1) * float(plan.power.item(0, "it_w"))
        least = 1 + coolers / max(float(plan.power.item(0, "it_w")), 1e-9)
        yield Limit(plan.site.name, "N", megawatts(coolers), megawatts(overhead), "MW", "$.energy.pue",
                    f"PUE {totals.pue:g} of the IT power", f"a PUE above {least:.3f} fits")  # fmt: skip


def server_power(plan: Plan) -> Iterator[Limit]:
    """Power of planned servers against what is declared for all of their kind."""
    site = plan.site
    for role, declared, path in (
        ("storage", site.storage.power, "$.storage.power"),
        ("management", site.services.power, "$.services.power"),
    ):
        if declared:
            watts = server_watts(site, role)
            yield Limit(f"{role} servers", "N", megawatts(watts), megawatts(declared), "MW", path,
                        "the declaration", "declare what they draw, or nothing")  # fmt: skip


def _unit(plan: Plan) -> str:
    """Where no PUE is declared, a facility's power is not known and IT power is not called so."""
    return "MW" if balance(plan).pue else "MW of IT"


def _pods_within(plan: Plan, watts: float) -> str:
    """How many pods, as they are on average, have their power within a limit."""
    each = balance(plan).facility / plan.geometry.pods
    # A billionth is left to rounding, as in `fit`.
    return f"{math.floor(watts / each * (1 + 1e-9))} pods fit" if each else "no pods are planned"


def rack_share(plan: Plan) -> Iterator[Limit]:
    """A share of nothing is no power: what the grid leaves for compute must be positive."""
    if plan.site.layout.rack.power == "share":
        yield Limit(plan.site.name, "N", balance(plan).rack / 1e3, 0.001, "kW a rack", "$.layout.rack.power",
                    "what the grid leaves after switches, storage and management", "fewer pods leave more",
                    at_least=True)  # fmt: skip


def accelerator_power(plan: Plan) -> Iterator[Limit]:
    """Watts of each accelerator in a rack that is given less than its rating: some must be left."""
    for index, (form, share) in enumerate(zip(plan.geometry.forms, accelerator_shares(plan), strict=True)):
        if balance(plan).forms[index] <= 0 or share == 1:
            continue  # `rack_share` tells of the first; the second has all
        for name in sorted({slot.platform for slot in form.slots}):
            each = catalog.platform(name).node.accelerator
            if each is not None:
                yield Limit(f"{name} in a rack of {form.platform}", "N", each.power * share, 1, "W",
                            form_path(plan, index), f"catalog: {name}, node.power",
                            "a higher `power` leaves more", at_least=True)  # fmt: skip


def grid_phases(plan: Plan) -> Iterator[Limit]:
    """Facility power of each phase against what the operator grants by its date."""
    grid, totals = plan.site.grid, balance(plan)
    if not grid or not grid.phases:
        return
    for index, phase in enumerate(plan.site.phases):
        granted = [entry.power for entry in grid.phases if entry.date <= phase.date]
        limit = max(granted, default=0.0)
        fits = f"{_pods_within(plan, limit)} by {phase.date}"
        drawn = it_in_service(plan, in_service(phase)) * totals.least_pue
        yield Limit(f"phase {phase.name}", "N", megawatts(drawn), megawatts(limit), _unit(plan),
                    f"$.phases[{index}].pods", "the operator's connection phases", fits)  # fmt: skip


def circuits(plan: Plan) -> Iterator[Limit]:
    """Facility power against the circuits that are left."""
    grid = plan.site.grid
    if not grid:
        return
    facility = facility_w(plan)
    ordered = sorted(grid.circuits, key=lambda circuit: circuit.capacity)
    for case, left in cases(len(ordered), grid.spare_circuits):
        capacity = sum(circuit.capacity for circuit in ordered[: max(left, 0)])
        yield Limit(
            plan.site.name,
            case,
            megawatts(facility),
            megawatts(capacity),
            _unit(plan),
            "$.grid.circuits",
            "capacity of the circuits that are left",
            f"{number(megawatts(capacity))} MW fit",
        )


def circuit_current(plan: Plan) -> Iterator[Limit]:
    """Current of each circuit that is left, the load shared evenly."""
    grid = plan.site.grid
    if not grid:
        return
    facility = facility_w(plan)
    for case, left in cases(len(grid.circuits), grid.spare_circuits):
        for index, circuit in enumerate(grid.circuits):
            amps = current(facility / max(left, 1), circuit.voltage, grid.power_factor)
            most = math.sqrt(3) * circuit.voltage * circuit.current_limit * grid.power_factor
            yield Limit(f"circuit {circuit.name}", case, amps, circuit.current_limit, "A",
                        f"$.grid.circuits[{index}].current_limit", "thermal limit of the circuit",
                        f"{number(megawatts(most))} MW fit on it")  # fmt: skip


def current(watts: float, volts: float, power_factor: float) -> float:
    """Amperes in each conductor of a three-phase circuit."""
    return watts / (math.sqrt(3) * volts * power_factor)


def halls(plan: Plan) -> Iterator[Limit]:
    """Power of each hall against its transformers: its part of everything, or what stands in it if more."""
    most = (pl.max_horizontal("it_w", "own_w") * balance(plan).least_pue).alias("drawn_w")
    first = (pl.col("name").str.slice(5).cast(pl.Int32) - 1) * plan.site.layout.pods_per_hall
    pods = pl.lit(pl.Series(plan.geometry.pod_names, dtype=pl.String))
    table = plan.power.filter(pl.col("level") == "hall").with_columns(most, pods.gather(first).alias("pod"))
    for feeds, path, own in feeds_of(plan.site):
        if feeds.hall is None:
            continue
        for name, watts, count in distinct(table.filter(own), "drawn_w"):
            yield Limit(name, "N", megawatts(watts), megawatts(feeds.hall), _unit(plan), f"{path}.hall",
                        feeds.source, f"{number(megawatts(feeds.hall))} MW fit in a hall",
                        count=count)  # fmt: skip


def busways(plan: Plan) -> Iterator[Limit]:
    """Power of each row, its switches and CDUs too, against the busways that are left.

    A row is a scalable unit, or a pod's racks of switches.
    """
    for feeds, path, own in feeds_of(plan.site):
        if feeds.busway is not None:
            yield from _busways(plan, feeds, path, own)


def _busways(plan: Plan, feeds: Feeds, path: str, own: pl.Expr) -> Iterator[Limit]:
    assert feeds.busway is not None
    drawn = (pl.col("own_w") + pl.col("cooling_w")).alias("drawn_w")
    table = plan.power.filter(own).with_columns(drawn)
    units = table.filter(pl.col("level") == "scalable-unit").select("name", "drawn_w")
    pods = table.filter(pl.col("kind") == "network").join(
        table.filter(pl.col("level") == "pod").select(pl.col("name").alias("parent")),
        on="parent", how="inner", maintain_order="left",
    ).group_by("parent", maintain_order=True).agg(pl.col("drawn_w").sum())  # fmt: skip
    rows = distinct(units, "drawn_w")
    rows += distinct(pods.select(pl.format("{}-net", "parent").alias("name"), "drawn_w"), "drawn_w")
    for case, left in cases(feeds.busways_per_row, feeds.spare_busways):
        limit = feeds.busway * left
        for name, watts, count in rows:
            racks = plan.geometry.racks_in_row(name)
            fits = f"{math.floor(limit / (watts / racks))} racks fit in a row" if watts else ""
            if name.endswith("-net"):
                fits = f"{number(limit / 1e3)} kW fit in a row"
            yield Limit(name, case, watts / 1e3, limit / 1e3, "kW", f"{path}.busway", feeds.source, fits,
                        count=count)  # fmt: skip


def rack_feeds(plan: Plan) -> Iterator[Limit]:
    """Power of each rack, of whatever kind, against the feeds that are left."""
    for feeds, path, own in feeds_of(plan.site):
        if feeds.rack is not None:
            yield from _rack_feeds(plan, feeds, path, own)


def _rack_feeds(plan: Plan, feeds: Feeds, path: str, own: pl.Expr) -> Iterator[Limit]:
    assert feeds.rack is not None
    drawn = (pl.col("own_w") + pl.col("cooling_w")).alias("drawn_w")
    table = plan.power.filter(own & (pl.col("level") == "rack")).with_columns(drawn)
    for case, left in cases(feeds.feeds_per_rack, feeds.spare_feeds):
        limit = feeds.rack * left
        for kind in ("compute", "network", "servers", "cdu"):
            fits = f"racks of {number(limit / 1e3)} kW fit"
            if kind in {"network", "servers"}:
                fits += "; a lower `layout.rack_height` puts less in each"
            for name, watts, count in distinct(table.filter(pl.col("kind") == kind), "drawn_w"):
                yield Limit(name, case, watts / 1e3, limit / 1e3, "kW", f"{path}.rack", feeds.source, fits,
                            count=count)  # fmt: skip


def power_shelves(plan: Plan) -> Iterator[Limit]:
    """Power of each kind of rack against the shelves that are left."""
    watts = balance(plan).forms
    for index, form in enumerate(plan.geometry.forms):
        for companion, _ in form.companions:
            if companion.rating is None:
                continue
            for case, left in cases(companion.count, companion.spare):
                limit = companion.rating * left
                yield Limit(f"rack of {form.platform}", case, watts[index] / 1e3, limit / 1e3, "kW",
                            form_path(plan, index), f"catalog: {form.platform}, {companion.name}",
                            f"racks of {number(limit / 1e3)} kW fit")  # fmt: skip


def rack_rating(plan: Plan) -> Iterator[Limit]:
    """A cap above what the platform can draw is a mistake of the declaration."""
    watts = balance(plan).forms
    for index, form in enumerate(plan.geometry.forms):
        yield Limit(f"rack of {form.platform}", "N", watts[index] / 1e3, form.rated_w / 1e3, "kW",
                    form_path(plan, index), f"catalog: {form.platform}, rack.power",
                    f"the platform draws {number(form.rated_w / 1e3)} kW at most")  # fmt: skip
