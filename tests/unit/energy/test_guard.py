"""The grid guard: gates hold, open, or say that they cannot know; nothing reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.energy import eco2mix, ecowatt
from infra.energy.guard import Basis, GridGuard, Unknown, gates
from tests.unit.energy.builders import DATA, open_data

pytestmark = pytest.mark.unit

SIGNALS = ecowatt.load(DATA / "ecowatt.json")
MIX = eco2mix.load(DATA / "eco2mix-national-tr.csv")
RED = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
GREEN = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)


def test_a_guard_that_declares_nothing_has_no_gates() -> None:
    assert gates(GridGuard(), RED, SIGNALS, MIX) == ()


@pytest.mark.parametrize(("limit", "holds"), [(0, True), (1, True), (2, True), (3, False)])
def test_red_holds_every_limit_below_red(limit: int, *, holds: bool) -> None:
    (gate,) = gates(GridGuard(max_ecowatt_level=limit), RED, SIGNALS, None)
    assert (gate.holds, gate.basis, gate.value) == (holds, Basis.MEASURED, 3)
    assert "red" in gate.reason


def test_a_gate_that_holds_says_when_it_is_expected_to_open() -> None:
    (gate,) = gates(GridGuard(max_ecowatt_level=1), RED, SIGNALS, None)
    assert gate.opens_at == datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert str(gate) == (
        "ecowatt: holds: EcoWatt is 3 (red), above 1 (green), expected to open 2026-11-21 13:00 UTC"
    )
    (gate,) = gates(GridGuard(max_ecowatt_level=2), RED, SIGNALS, None)
    assert gate.opens_at == datetime(2026, 11, 21, 11, tzinfo=UTC)


def test_the_zone_of_now_does_not_matter() -> None:
    guard = GridGuard(max_ecowatt_level=2, max_gco2_per_kwh=20)
    there = GREEN.astimezone(timezone(timedelta(hours=-7)))
    assert gates(guard, there, SIGNALS, MIX) == gates(guard, GREEN, SIGNALS, MIX)
    before = GREEN - timedelta(days=9)
    assert gates(guard, before.astimezone(there.tzinfo), SIGNALS, MIX) == gates(guard, before, SIGNALS, MIX)
    with pytest.raises(ValueError, match="time zone"):
        gates(guard, GREEN.replace(tzinfo=None), SIGNALS, MIX)


@pytest.mark.parametrize(("limit", "holds"), [(20.9, True), (21, False), (50, False)])
def test_the_newest_value_is_held_against_the_limit(limit: float, *, holds: bool) -> None:
    (gate,) = gates(GridGuard(max_gco2_per_kwh=limit), GREEN, None, MIX)
    assert (gate.holds, gate.basis, gate.value) == (holds, Basis.MEASURED, 21)


@pytest.mark.parametrize("unknown", list(Unknown))
def test_missing_data_is_a_state_of_its_own_and_does_what_was_declared(unknown: Unknown) -> None:
    guard = GridGuard(max_ecowatt_level=2, max_gco2_per_kwh=50, when_unknown=unknown)
    empty = eco2mix.parse(open_data([("2026-01-01T00:00:00Z", None)]), "x.csv")
    for signals, mix in ((None, None), (SIGNALS, empty), (ecowatt.parse(b'{"signals": []}', "e"), MIX)):
        now = GREEN if mix is empty else datetime(2026, 11, 19, tzinfo=UTC)
        for gate in gates(guard, now, signals, mix):
            if gate.basis is Basis.MEASURED:
                assert gate.name == "ecowatt"
                continue
            assert gate.basis is Basis.MISSING
            assert gate.holds is (unknown is Unknown.HOLD)
            assert gate.value is None
            assert f"declared to {unknown}" in gate.reason


@pytest.mark.parametrize("unknown", list(Unknown))
def test_stale_data_is_not_believed(unknown: Unknown) -> None:
    guard = GridGuard(max_ecowatt_level=2, max_gco2_per_kwh=50, when_unknown=unknown)
    late = GREEN + timedelta(days=3)
    signals, mix = gates(guard, late, SIGNALS, MIX)
    assert (signals.basis, mix.basis) == (Basis.STALE, Basis.STALE)
    assert signals.holds is mix.holds is (unknown is Unknown.HOLD)
    assert "3.0 d old" not in mix.reason  # the age counts from the end of the step
    assert "more than 2.0 h" in mix.reason
    assert (signals.value, mix.value) == (1, 21)


def test_age_counts_from_the_end_of_the_newest_step() -> None:
    guard = GridGuard(max_gco2_per_kwh=50)
    end = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert gates(guard, end + timedelta(hours=2), None, MIX)[0].basis is Basis.MEASURED
    assert gates(guard, end + timedelta(hours=2, seconds=1), None, MIX)[0].basis is Basis.STALE


def test_a_signal_that_does_not_say_when_it_was_made_is_stale() -> None:
    odd = ecowatt.load(DATA / "ecowatt-odd.json")
    (gate,) = gates(GridGuard(max_ecowatt_level=2), datetime(2026, 11, 21, 12, tzinfo=UTC), odd, None)
    assert (gate.basis, gate.holds) == (Basis.STALE, True)


@given(
    st.datetimes(datetime(2026, 11, 19), datetime(2026, 11, 26)),  # noqa: DTZ001 (made aware below)
    st.integers(0, 3),
    st.floats(0, 60),
)
def test_a_laxer_guard_never_holds_what_a_stricter_one_lets_through(when, level, grams) -> None:
    now = when.replace(tzinfo=UTC)
    strict = gates(GridGuard(level, grams), now, SIGNALS, MIX)
    lax = gates(GridGuard(min(3, level + 1), grams + 5, Unknown.OPEN), now, SIGNALS, MIX)
    assert all(a.holds >= b.holds for a, b in zip(strict, lax, strict=True))
    assert all(gate.holds for gate in strict if gate.basis is not Basis.MEASURED)
