"""Values for annexes I and II: planned ones from a computed year, declared ones from facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.energy.carbon import renewable_by_instrument
from infra.energy.eu.rows import Given, Status, Value
from infra.energy.inputs import Instrument

if TYPE_CHECKING:
    from infra.energy.eu.facts import Facts
    from infra.energy.figures import Year
    from infra.energy.inputs import SiteEnergy

PLAN = "plan of the site, expanded from its declaration"


def derive_planned(site: SiteEnergy, year: Year, facts: Facts) -> dict[str, Given]:
    """Return the values that follow from the plan, by id of the indicator."""
    load = f"at {site.load:.0%} load"
    contracts = renewable_by_instrument(year.claims)
    found: dict[str, tuple[Value, str]] = {
        "PDIT metric": (
            "installed information technology power demand",
            "the plan knows each installed rack",
        ),
        "PDIT": (
            _installed_kw(site, year),
            "IT powers of the plan at full load, weighted by time in service",
        ),
        "EDC": (year.edc_mwh * 1000, f"facility power of the phases in service {load}"),
        "EIT": (year.eit_mwh * 1000, f"IT power of the phases in service {load}"),
        "WIN": (year.water_m3, "declared water use per IT energy"),
        "EREUSE": (year.reused_mwh * 1000, "heat commitments met by captured heat, month by month"),
        "TWH": (facts.waste_heat_celsius, "coolant supply plus the rise at planned flow"),
        "ERES-GOO": (contracts[Instrument.GUARANTEES] * 1000, "renewable contracts of that form"),
        "ERES-PPA": (contracts[Instrument.PPA] * 1000, "renewable contracts of that form"),
        "CSTOR": (
            facts.storage_pb,
            "storage of the plan on 31 December: node drives raw, shared tiers usable",
        ),
    }
    if facts.potable_l_per_kwh is not None:
        found["WIN-POT"] = (
            facts.potable_l_per_kwh * year.eit_mwh,
            "declared potable water use per IT energy",
        )
    return {
        name: Given(value, Status.PLANNED, how, PLAN)
        for name, (value, how) in found.items()
        if value is not None
    }


def _installed_kw(site: SiteEnergy, year: Year) -> float:
    """PDIT: nominal, so without the load factor; weighted by time where phases changed it."""
    return sum(part.it_mw * part.hours for part in year.parts) / year.hours / site.load * 1000


def collect_declared(facts: Facts) -> dict[str, Given]:
    """Return the values that people declared, by id of the indicator."""
    kind = f"{facts.kind} data centre" if facts.kind else None
    if kind and facts.structure:
        kind += f", {facts.structure}"
    if kind and facts.also_offers:
        kind += f" (also offers {facts.also_offers} services)"
    found: dict[str, Value] = {
        "name": facts.name,
        "owner": facts.owner,
        "operator": facts.operator,
        "location": facts.lau_code,
        "type": kind,
        "entry": facts.in_operation,
        **dict(facts.redundancy),
        "SDC": facts.total_floor_m2,
        "SCR": facts.computer_room_m2,
        "EDC-BG": facts.backup_kwh,
        "grid functions": _listed(facts.grid_functions),
        "CBtG": facts.battery_kw,
        "WUE category": None if facts.water_category is None else f"category {facts.water_category}",
        "TIN air": facts.intake_celsius,
        "refrigerants": _listed(facts.refrigerants),
        "CDD": facts.cooling_degree_days,
        "ERES-OS": facts.onsite_kwh,
        "CSERV": facts.server_capacity,
        "CSERV floor": _percent(facts.server_coverage),
        "CSTOR floor": _percent(facts.storage_coverage),
        "BIN": facts.bandwidth_in_gb_s,
        "BOUT": facts.bandwidth_out_gb_s,
        "TIN traffic": facts.traffic_in_eb,
        "TOUT": facts.traffic_out_eb,
    }
    return {
        name: Given(value, Status.DECLARED, "declared", facts.source)
        for name, value in found.items()
        if value is not None
    }


def _listed(items: tuple[str, ...] | None) -> str | None:
    return None if items is None else (", ".join(items) or "none")


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
