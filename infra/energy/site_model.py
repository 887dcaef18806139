"""Energy model of a site: the plain numbers of this room, from a declaration and its plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from infra.energy import guard as guards
from infra.energy.eu.facts import Facts
from infra.energy.inputs import (
    Contract,
    Factor,
    HeatSale,
    Instrument,
    PowerStep,
    SiteEnergy,
    Technology,
)
from infra.errors import UserError
from infra.plan import plan
from infra.plan.tables.cooling import return_c

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.spec.energy import Reporting
    from infra.spec.site import Site

UNDATED = date(2000, 1, 1)
"""Start of the only phase of a site that declares none: in service in any year that is asked for."""


@dataclass(frozen=True)
class SiteModel:
    """Energy model of a site: its declaration, its numbers, its guard.

    Attributes:
        site: its declaration.
        energy: its numbers.
        guard: its grid guard, None if it declares none.
    """

    site: Site
    energy: SiteEnergy
    guard: guards.GridGuard | None

    def years(self, this_year: int) -> list[int]:
        """The years of the phases and the first whole year after the last; `this_year` without phases."""
        starts = [step.start for step in self.energy.steps]
        if starts == [UNDATED]:
            return [this_year]
        whole = starts[-1].year + (starts[-1] > date(starts[-1].year, 1, 1))
        return list(range(starts[0].year, whole + 1))

    def facts(self, year: int) -> Facts:
        """Return the facts of a year's data sheet beyond its numbers; capacities as of 31 December."""
        before = [step.phase for step in self.energy.steps if step.start <= date(year, 12, 31)]
        phase = before[-1] if before and self.site.phases else None
        return _facts(self.site, plan(self.site, phase), self.energy)


def build_model(site: Site) -> SiteModel:
    """Build the energy model of a site, planned phase by phase.

    Raises:
        UserError: the site declares no `energy`, or no power.
    """
    use = site.energy
    if use is None:
        raise UserError(
            f"site {site.name} declares no energy use",
            where=f"inventories/{site.name}/site.yaml: $.energy",
            hint="add `energy:` with pue, load, location_intensity and source",
        )
    steps = _steps(site)
    if not any(step.facility_mw > 0 for step in steps):
        raise UserError(f"the plan of site {site.name} has no power in any phase")
    contracts = site.grid.contracts if site.grid else ()
    energy = SiteEnergy(
        name=site.name,
        steps=steps,
        load=use.load,
        location=Factor(use.location_intensity, use.source),
        residual=None
        if use.residual_intensity is None
        else Factor(use.residual_intensity, "declared residual mix"),
        contracts=tuple(
            Contract(
                each.name,
                Instrument(each.kind),
                Technology(each.technology),
                each.energy_per_year / 1000,
                date.fromisoformat(each.start),
                date.fromisoformat(each.end),
                each.intensity,
                each.hourly_matched,
            )
            for each in contracts
        ),
        sales=tuple(
            HeatSale(each.buyer, each.power / 1e6, each.temperature, each.hours, each.months, each.heat_pump)
            for each in site.heat
        ),
        water_l_per_kwh=use.water if "water" in use.model_fields_set else None,
        declared_ref=use.renewable_share if "renewable_share" in use.model_fields_set else None,
    )
    return SiteModel(site, energy, guard_of(site))


def _steps(site: Site) -> tuple[PowerStep, ...]:
    if not site.phases:
        return (_step("all", UNDATED, plan(site)),)
    phases = sorted(site.phases, key=lambda phase: phase.date)
    return tuple(
        _step(phase.name, date.fromisoformat(phase.date), plan(site, phase.name)) for phase in phases
    )


def _step(name: str, start: date, planned: Plan) -> PowerStep:
    if not planned.pods:
        return PowerStep(name, start, 0.0, 0.0, 0.0)
    power = planned.power.filter(pl.col("level") == "site").row(0, named=True)
    heat = planned.cooling.filter(pl.col("level") == "site").row(0, named=True)
    return PowerStep(name, start, power["facility_w"] / 1e6, power["it_w"] / 1e6, heat["liquid_w"] / 1e6)


def guard_of(site: Site) -> guards.GridGuard | None:
    """The declared guard of a site's grid connection; None if it declares none."""
    declared = site.energy.guard if site.energy else None
    if declared is None:
        return None
    return guards.GridGuard(
        # The declaration names the level from which the gate is closed, the guard the last one that is open.
        max_ecowatt_level=None if declared.ecowatt is None else declared.ecowatt - 1,
        max_gco2_per_kwh=declared.intensity,
        when_unknown=guards.Unknown(declared.unknown),
        ecowatt_max_age=timedelta(seconds=declared.ecowatt_max_age),
        eco2mix_max_age=timedelta(seconds=declared.intensity_max_age),
    )


def _facts(site: Site, planned: Plan, energy: SiteEnergy) -> Facts:
    from infra.spec.energy import Reporting  # noqa: PLC0415 (a type at run time only here)

    said = site.reporting or Reporting()
    first = energy.steps[0].start
    entry = None if first == UNDATED else f"{first:%Y-%m}"
    storage = float(planned.storage["capacity_bytes"].sum()) / 1e15 if planned.pods else 0.0
    return Facts(
        name=site.title or site.name,
        source=f"inventories/{site.name}/site.yaml",
        owner=said.owner,
        operator=said.operator,
        lau_code=said.lau_code,
        kind=said.type,
        structure=said.structure,
        also_offers=said.also_offers,
        in_operation=said.in_operation or entry,
        redundancy=_redundancy(said),
        total_floor_m2=said.total_floor,
        computer_room_m2=said.computer_room_floor,
        backup_kwh=said.backup_energy,
        grid_functions=said.grid_functions,
        battery_kw=None if said.grid_battery is None else said.grid_battery / 1000,
        water_category=said.water_category,
        potable_l_per_kwh=said.potable_water,
        waste_heat_celsius=_waste_heat(planned),
        intake_celsius=said.intake_temperature,
        refrigerants=said.refrigerants,
        cooling_degree_days=said.cooling_degree_days,
        onsite_kwh=said.onsite_energy,
        server_capacity=said.server_capacity,
        server_coverage=said.server_coverage,
        storage_pb=storage or None,
        storage_coverage=said.storage_coverage,
        bandwidth_in_gb_s=None if said.bandwidth_in is None else said.bandwidth_in / 1e9,
        bandwidth_out_gb_s=None if said.bandwidth_out is None else said.bandwidth_out / 1e9,
        traffic_in_eb=None if said.traffic_in is None else said.traffic_in / 1e18,
        traffic_out_eb=None if said.traffic_out is None else said.traffic_out / 1e18,
    )


def _redundancy(said: Reporting) -> tuple[tuple[str, str], ...]:
    levels = {
        "high voltage": said.redundancy.high_voltage,
        "low voltage": said.redundancy.low_voltage,
        "electrical rack": said.redundancy.rack,
        "cooling room": said.redundancy.cooling_room,
        "cooling rack": said.redundancy.cooling_rack,
    }
    return tuple((place, level) for place, level in levels.items() if level is not None)


def _waste_heat(planned: Plan) -> float | None:
    """°C of the coolant where it leaves the racks: supply plus the rise at planned flow."""
    if not planned.pods:
        return None
    heat = planned.cooling.filter(pl.col("level") == "site").row(0, named=True)
    if not heat["flow_l_min"]:
        return None
    return return_c(planned)
