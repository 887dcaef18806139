"""The four annexes of a calendar year: values in the regulation's rows, and what is computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.energy import indicators
from infra.energy.calendar import PARIS, year_bounds
from infra.energy.eu.regulation import ANNEX_1, ANNEX_2, Indicator
from infra.energy.eu.rows import Given, Row, Status, Table, worst
from infra.energy.eu.values import PLAN, collect_declared, derive_planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.energy.eu.facts import Facts
    from infra.energy.figures import Year
    from infra.energy.inputs import SiteEnergy

DUTY_KW = 500.0
"""Installed IT power from which on a data centre must report (article 1)."""

CATEGORIES = (
    (100.0, "below 100 kW, in no category"),
    (500.0, "very small data centre: 100-500 kW"),
    (1000.0, "small data centre: 500-1 000 kW"),
    (2000.0, "medium size data centre: 1-2 MW"),
    (10000.0, "large data centre: 2-10 MW"),
    (float("inf"), "very large data centre: > 10 MW"),
)
"""Annex IV: upper bound of installed IT power in kW → category."""


def tables(
    site: SiteEnergy, year: Year, facts: Facts, measured: Mapping[str, Given] | None = None
) -> tuple[Table, ...]:
    """The four annexes of a calendar year.

    Args:
        site: the site.
        year: its computed year.
        facts: what only people know.
        measured: metered values by id of the indicator; they replace planned and declared ones.
    """
    given = derive_planned(site, year, facts) | collect_declared(facts) | dict(measured or {})
    given.setdefault("ERES-TOT", _renewable(given))
    return (
        Table("annex-1-information", "Information on the reporting data centre",
              (*_period(year), *_filled(ANNEX_1, given))),
        Table("annex-2-indicators", "Key performance indicators", _filled(ANNEX_2, given)),
        Table("annex-3-sustainability", "Data centre sustainability indicators", _sustainability(given)),
        Table("annex-4-publication", "Publicly available information", _publication(given["PDIT"])),
    )  # fmt: skip


def _filled(asked: tuple[Indicator, ...], given: Mapping[str, Given]) -> tuple[Row, ...]:
    return tuple(Row(each, given.get(each.id) or _unknown(f"needs: {each.needs}")) for each in asked)


def _unknown(how: str) -> Given:
    return Given(None, Status.UNKNOWN, how, "")


def _period(year: Year) -> tuple[Row, ...]:
    """Article 3: a calendar year, or the part of it in which the data centre was in operation."""
    start, end = year.parts[0].start, year.parts[-1].end
    if (start, end) == year_bounds(year.year):
        words = "whole year"
    else:
        words = f"{start.astimezone(PARIS):%Y-%m-%d %H:%M} to {end.astimezone(PARIS):%Y-%m-%d %H:%M}"
    return (
        Row(Indicator("year", "Article 3", "Calendar year reported", "", "", ""),
            Given(str(year.year), Status.DECLARED, "asked for", "command line")),
        Row(Indicator("period", "Article 3", "Period of operation within it", "", "", ""),
            Given(words, Status.PLANNED, "phases of the declaration", PLAN)),
    )  # fmt: skip


_ERES = ("ERES-GOO", "ERES-PPA", "ERES-OS")


def _renewable(given: Mapping[str, Given]) -> Given:
    """ERES-TOT from its parts; a part that is unknown is named, for the sum lacks it."""
    known = [name for name in _ERES if name in given]
    if not known:
        return _unknown("needs: ERES-GOO, ERES-PPA and ERES-OS")
    lacking = [name for name in _ERES if name not in given]
    how = " + ".join(known) + (f"; without {', '.join(lacking)}, unknown" if lacking else "")
    value = sum(given[name].number or 0.0 for name in known)
    return Given(value, worst(given[name] for name in known), how, "annex II of this sheet")


def _sustainability(given: Mapping[str, Given]) -> tuple[Row, ...]:
    def quotient(
        indicator: Indicator, over: str, under: str, formula: Callable[[float, float], float]
    ) -> Row:  # fmt: skip
        how = f"{over} / {under}" + (" in MWh" if indicator.id == "WUE" else "")
        inputs = [given[name] for name in (over, under) if name in given]
        numbers = [each.number for each in inputs if each.number is not None]
        if len(numbers) < 2 or not numbers[1]:
            return Row(indicator, _unknown(f"needs: {how}"))
        scale = 1000 if indicator.id == "WUE" else 1
        value = formula(numbers[0], numbers[1] / scale)
        return Row(indicator, Given(value, worst(inputs), how, "annex II of this sheet"))

    def asked(symbol: str, letter: str, name: str, unit: str = "ratio") -> Indicator:
        return Indicator(symbol, f"III({letter})", name, symbol, unit, "")

    return (
        quotient(asked("PUE", "a", "Power Usage Effectiveness"), "EDC", "EIT", indicators.pue),
        quotient(asked("WUE", "b", "Water Usage Effectiveness", "m³/MWh"), "WIN", "EIT", indicators.wue),
        quotient(asked("ERF", "c", "Energy Reuse Factor"), "EREUSE", "EDC", indicators.erf),
        quotient(asked("REF", "d", "Renewable Energy Factor"), "ERES-TOT", "EDC", indicators.ref),
    )


def _publication(installed: Given) -> tuple[Row, ...]:
    power = installed.number
    assert power is not None, "the plan always knows its IT power"
    category = next(name for bound, name in CATEGORIES if power <= bound)
    duty = "by 15 May of the following year" if power >= DUTY_KW else f"none below {DUTY_KW:g} kW"
    source = "PDIT of this sheet"
    return (
        Row(Indicator("category", "IV", "Size category that the database counts it in", "", "", ""),
            Given(category, installed.status, "by installed IT power", source)),
        Row(Indicator("duty", "Article 3", "Duty to report", "", "", ""),
            Given(duty, installed.status, "by installed IT power (article 1)", source)),
    )  # fmt: skip
