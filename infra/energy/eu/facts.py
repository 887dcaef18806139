"""Facts of the data sheet that no arithmetic knows: who, where, floor areas, redundancy, traffic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """Declared facts; None means nobody declared it, an empty tuple means "none".

    Attributes:
        name: of the data centre.
        owner, operator: name and contact details, in one line each.
        lau_code: Eurostat code of the commune.
        kind: `enterprise`, `colocation` or `co-hosting`.
        structure: `structure` or `group of structures`.
        also_offers: `co-hosting` or `colocation` services beside the main kind.
        in_operation: year and month, `YYYY-MM`.
        redundancy: (place, level); places are the ids `high voltage`, `low voltage`, `electrical rack`,
            `cooling room`,
            `cooling rack`; such as `N+1`.
        total_floor_m2, computer_room_m2: floor areas.
        backup_kwh: energy from back-up generators in the year.
        grid_functions: services to the grid, such as `peak demand shifting`.
        battery_kw: average battery capacity offered to the grid.
        water_category: WUE category (1 or 2) of the water figure.
        potable_l_per_kwh: potable water input per IT energy.
        waste_heat_celsius: average temperature of the coolant where it leaves the computer rooms.
        intake_celsius: average set point of the IT equipment's intake air.
        refrigerants: common names.
        cooling_degree_days: base 21 °C, of the year and place.
        onsite_kwh: renewable energy generated on site in the year.
        server_capacity: sum of SERT active state performance.
        server_coverage, storage_coverage: part of the computer room floor area that the capacity covers.
        storage_pb: raw capacity of all storage devices.
        bandwidth_in_gb_s, bandwidth_out_gb_s: provisioned, averaged over the year.
        traffic_in_eb, traffic_out_eb: of the year.
        source: where these are declared.
    """

    name: str
    source: str
    owner: str | None = None
    operator: str | None = None
    lau_code: str | None = None
    kind: str | None = None
    structure: str | None = None
    also_offers: str | None = None
    in_operation: str | None = None
    redundancy: tuple[tuple[str, str], ...] = ()
    total_floor_m2: float | None = None
    computer_room_m2: float | None = None
    backup_kwh: float | None = None
    grid_functions: tuple[str, ...] | None = None
    battery_kw: float | None = None
    water_category: int | None = None
    potable_l_per_kwh: float | None = None
    waste_heat_celsius: float | None = None
    intake_celsius: float | None = None
    refrigerants: tuple[str, ...] | None = None
    cooling_degree_days: float | None = None
    onsite_kwh: float | None = None
    server_capacity: float | None = None
    server_coverage: float | None = None
    storage_pb: float | None = None
    storage_coverage: float | None = None
    bandwidth_in_gb_s: float | None = None
    bandwidth_out_gb_s: float | None = None
    traffic_in_eb: float | None = None
    traffic_out_eb: float | None = None
