"""Mistakes of the energy side that types cannot see: days, contracts, buyers, the grid guard."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.site import Site

FIRST_YEAR, LAST_YEAR = 1990, 2200
"""Between which every date of a site lies."""


def energy_mistakes(site: Site) -> Iterator[tuple[Loc, str, str | None]]:
    """Location, message and hint of each."""
    yield from _days(site)
    yield from _twice(site)
    for index, sale in enumerate(site.heat):
        if not sale.months:
            yield ("heat", index, "months"), "no month of delivery", "leave it out for all twelve"
        elif len(set(sale.months)) < len(sale.months):
            yield ("heat", index, "months"), "a month is there twice", "give each month once"
    guard = site.energy.guard if site.energy else None
    if guard is not None and guard.ecowatt is None and guard.intensity is None:
        yield ("energy", "guard"), "a guard without a limit guards nothing", "give `ecowatt` or `intensity`"


def _days(site: Site) -> Iterator[tuple[Loc, str, str | None]]:
    days: list[tuple[Loc, str]] = [(("phases", i, "date"), phase.date) for i, phase in enumerate(site.phases)]
    contracts = site.grid.contracts if site.grid else ()
    if site.grid:
        days += [(("grid", "phases", i, "date"), phase.date) for i, phase in enumerate(site.grid.phases)]
        days += [
            (("grid", "contracts", i, key), getattr(contract, key))
            for i, contract in enumerate(contracts)
            for key in ("start", "end")
        ]
    if site.announcement:
        days.append((("announcement", "in_service"), site.announcement.in_service))
    wrong = set()
    for loc, day in days:
        try:
            date.fromisoformat(day)
        except ValueError:
            wrong.add(loc[:-1])
            yield loc, f"there is no day {day}", "write it like `2026-12-31`"
            continue
        if not FIRST_YEAR <= int(day[:4]) <= LAST_YEAR:
            wrong.add(loc[:-1])
            yield loc, f"the year of {day} is not from {FIRST_YEAR} to {LAST_YEAR}", "check the year"
    for index, contract in enumerate(contracts):
        here: Loc = ("grid", "contracts", index)
        if here not in wrong and contract.end < contract.start:
            yield (*here, "end"), f"ends on {contract.end}, before its start on {contract.start}", None


def _twice(site: Site) -> Iterator[tuple[Loc, str, str | None]]:
    contracts = site.grid.contracts if site.grid else ()
    groups: tuple[tuple[Loc, str, list[str]], ...] = (
        (("grid", "contracts"), "name", [contract.name for contract in contracts]),
        (("heat",), "buyer", [sale.buyer for sale in site.heat]),
    )
    for loc, key, names in groups:
        seen: Counter[str] = Counter()
        for index, name in enumerate(names):
            if seen[name]:
                yield (*loc, index, key), f"`{name}` is there twice", "give each its own"
            seen[name] += 1
