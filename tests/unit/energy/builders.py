"""Small files made in RTE's formats, and a small site."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from infra.energy.inputs import Factor, PowerStep, SiteEnergy

DATA = Path(__file__).parent / "data"

HEADER = "perimetre;nature;date;heure;date_heure;consommation;nucleaire;taux_co2"


def open_data(
    rows: list[tuple[str, object]], nature: str = "Données temps réel", header: str = HEADER
) -> bytes:
    """Rows of (date_heure, taux_co2) as an Open Data CSV."""
    lines = [f"France;{nature};;;{when};50000;40000;{'' if co2 is None else co2}" for when, co2 in rows]
    return ("\n".join([header, *lines]) + "\n").encode()


def legal_year(year: int, *, minutes: int = 15, doubled: bool = True) -> bytes:
    """A year in RTE's tab-separated form: wall-clock times only, 96 rows a day.

    Args:
        year: the year.
        minutes: 15, or 30 with empty rows at :15 and :45.
        doubled: whether the hour that autumn repeats is written twice.
    """
    lines = ["Périmètre\tNature\tDate\tHeures\tConsommation\tNucléaire\tTaux de Co2\t"]
    day = date(year, 1, 1)
    autumn = date(year, 10, 31) - timedelta(days=date(year, 10, 31).isoweekday() % 7)
    while day.year == year:
        clock = [(hour, minute) for hour in range(24) for minute in (0, 15, 30, 45)]
        if day == autumn and doubled:
            clock[12:12] = [(2, minute) for minute in (0, 15, 30, 45)]
        for hour, minute in clock:
            values = "\t\t" if minute % minutes else "50000\t40000\t20"
            lines.append(f"France\tDonnées définitives\t{day}\t{hour:02}:{minute:02}\t{values}\t")
        day += timedelta(days=1)
    lines.append("RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données.")
    return "\n".join(lines).encode("latin-1")


def reference(**changes: object) -> SiteEnergy:
    """The reference site: 1,000 MW, PUE 1.10, 87 % of 825.5 MW of compute in the coolant, 90 % load."""
    values: dict[str, object] = {
        "name": "reference",
        "steps": (PowerStep("all", date(2026, 1, 1), 1000, 1000 / 1.1, 0.87 * 825.5),),
        "load": 0.9,
        "location": Factor(21.7, "RTE, 2024"),
    }
    return SiteEnergy(**(values | changes))  # type: ignore[arg-type]
