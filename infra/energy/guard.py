"""The grid guard: which gates hold new load back now, and why.

A guard is declared with the site; rollouts ask for its gates before they power a rack, a preview prints them.
Data that is absent or old is a state of its own: the guard says beforehand whether a gate then holds (fail
closed) or opens (fail open).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.energy.ecowatt import COLOURS

if TYPE_CHECKING:
    from datetime import datetime

    from infra.energy.eco2mix import Eco2mix
    from infra.energy.ecowatt import EcoWatt


class Unknown(StrEnum):
    """Behaviour of a gate that cannot know."""

    HOLD = "hold"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class GridGuard:
    """When no new load may be switched on.

    Attributes:
        max_ecowatt_level: the highest EcoWatt level (0 to 3) at which load may be added; None: not asked.
        max_gco2_per_kwh: the highest grid intensity at which load may be added; None: not asked.
        when_unknown: what missing or stale data does.
        ecowatt_max_age: from which age on EcoWatt data is stale. Forecasts are made daily, on Fridays for the
            weekend: the default bears one missed day.
        eco2mix_max_age: from which age on, counted from the end of the newest step, éCO2mix data is stale.
            Real-time
            data lags by up to an hour: the default bears another.
    """

    max_ecowatt_level: int | None = None
    max_gco2_per_kwh: float | None = None
    when_unknown: Unknown = Unknown.HOLD
    ecowatt_max_age: timedelta = timedelta(hours=48)
    eco2mix_max_age: timedelta = timedelta(hours=2)


class Basis(StrEnum):
    """Basis of a gate's state."""

    MEASURED = "measured"
    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's state.

    Attributes:
        name: `ecowatt` or `gco2`.
        holds: whether it keeps new load off.
        basis: whether that rests on data, or on data that is missing or stale.
        value: what was read, None if nothing was.
        limit: the most that lets load through.
        reason: a sentence for a person.
        data_time: what time the value is of, None if there is none.
        opens_at: when it is expected to open; None if open or not known.
    """

    name: str
    holds: bool
    basis: Basis
    value: float | None
    limit: float
    reason: str
    data_time: datetime | None = None
    opens_at: datetime | None = None

    def __str__(self) -> str:
        state = "holds" if self.holds else "open"
        until = f", expected to open {self.opens_at:%Y-%m-%d %H:%M} UTC" if self.opens_at else ""
        return f"{self.name}: {state}: {self.reason}{until}"


def gates(
    guard: GridGuard, now: datetime, ecowatt: EcoWatt | None, eco2mix: Eco2mix | None
) -> tuple[Gate, ...]:
    """The state of every gate that the guard declares, at an instant.

    Args:
        guard: the declared limits.
        now: with a time zone; nothing here reads a clock.
        ecowatt: newest signals, or None.
        eco2mix: newest real-time data, or None.

    Returns:
        One gate a declared limit, EcoWatt first; none if the guard declares nothing.

    Raises:
        ValueError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    now = now.astimezone(UTC)
    found = []
    if guard.max_ecowatt_level is not None:
        found.append(_ecowatt(guard, guard.max_ecowatt_level, now, ecowatt))
    if guard.max_gco2_per_kwh is not None:
        found.append(_eco2mix(guard, guard.max_gco2_per_kwh, now, eco2mix))
    return tuple(found)


def _ecowatt(guard: GridGuard, limit: int, now: datetime, data: EcoWatt | None) -> Gate:
    name = "ecowatt"
    if data is None or data.frame.is_empty():
        return _unknown(guard, name, limit, Basis.MISSING, "there is no EcoWatt data")
    known = data.level(now)
    if known is None:
        reason = f"EcoWatt data has no value for {now:%Y-%m-%d %H:%M} UTC"
        return _unknown(guard, name, limit, Basis.MISSING, reason)
    level, made = known
    if made is None:
        return _unknown(guard, name, limit, Basis.STALE, "EcoWatt does not say when it was made", value=level)
    age = now - made
    if age > guard.ecowatt_max_age:
        reason = f"EcoWatt data is {_age(age)} old, more than {_age(guard.ecowatt_max_age)}"
        return _unknown(guard, name, limit, Basis.STALE, reason, value=level, time=made)
    holds = level > limit
    side = "above" if holds else "within"
    reason = f"EcoWatt is {level} ({COLOURS[level]}), {side} {limit} ({COLOURS[limit]})"
    opens = data.next_at_most(limit, now) if holds else None
    return Gate(name, holds, Basis.MEASURED, level, limit, reason, made, opens)


def _eco2mix(guard: GridGuard, limit: float, now: datetime, data: Eco2mix | None) -> Gate:
    name = "gco2"
    latest = data.latest(now) if data is not None else None
    if latest is None:
        what = "no éCO2mix data" if data is None or data.frame.is_empty() else "no éCO2mix data up to now"
        return _unknown(guard, name, limit, Basis.MISSING, f"there is {what}")
    start, minutes, value = latest
    age = now - (start + timedelta(minutes=minutes))
    if age > guard.eco2mix_max_age:
        late = f"{_age(age)} ago, more than {_age(guard.eco2mix_max_age)}"
        reason = f"the newest éCO2mix step is {start:%Y-%m-%d %H:%M} UTC, {late}"
        return _unknown(guard, name, limit, Basis.STALE, reason, value=value, time=start)
    holds = value > limit
    side = "above" if holds else "within"
    reason = f"the grid emits {value:g} g/kWh ({start:%H:%M} UTC), {side} {limit:g}"
    return Gate(name, holds, Basis.MEASURED, value, limit, reason, start)


def _unknown(
    guard: GridGuard,
    name: str,
    limit: float,
    basis: Basis,
    reason: str,
    *,
    value: float | None = None,
    time: datetime | None = None,
) -> Gate:
    holds = guard.when_unknown is Unknown.HOLD
    declared = f"{reason}; declared to {guard.when_unknown} then"
    return Gate(name, holds, basis, value, limit, declared, time)


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"
