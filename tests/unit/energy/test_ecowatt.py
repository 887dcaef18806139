"""The EcoWatt reader: hours as they are on the clock, and days that are not as published left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.energy import ecowatt
from infra.energy.findings import Oddity
from infra.errors import UserError
from tests.unit.energy.builders import DATA

pytestmark = pytest.mark.unit


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def signal(day: str, levels: list[int], made: str = "2026-03-27T17:00:00+01:00") -> dict[str, object]:
    values = [{"pas": hour, "hvalue": level} for hour, level in enumerate(levels)]
    return {"GenerationFichier": made, "jour": day, "dvalue": 1, "message": "", "values": values}


def read(*signals: object) -> ecowatt.EcoWatt:
    return ecowatt.parse(json.dumps({"signals": signals}).encode(), "e.json")


def test_four_days_hour_by_hour() -> None:
    data = ecowatt.load(DATA / "ecowatt.json")
    assert data.frame.height == 96
    assert data.findings == ()
    assert data.level(at(2026, 11, 21, 7, 30)) == (3, at(2026, 11, 20, 15, 58, 2))  # 8 h 30 in Paris
    assert data.level(at(2026, 11, 21, 6, 59))[0] == 1
    assert data.level(at(2026, 11, 22, 1))[0] == 0
    assert data.level(at(2026, 11, 19)) is None
    assert data.level(at(2026, 11, 24)) is None
    assert data.next_at_most(1, at(2026, 11, 21, 7, 30)) == at(2026, 11, 21, 13)
    assert data.next_at_most(2, at(2026, 11, 21, 7, 30)) == at(2026, 11, 21, 11)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_that_change_clocks_have_their_real_hours(day: str, hours: int) -> None:
    data = read(signal(day, list([1] * 2 + [3] + [1] * 21)))
    assert data.frame.height == hours
    assert data.frame["time"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]
    assert data.frame["level"].to_list().count(3) == {23: 0, 24: 1, 25: 2}[hours]


def test_what_is_not_as_published_is_left_out_and_reported() -> None:
    data = ecowatt.load(DATA / "ecowatt-odd.json")
    found = [(finding.kind, finding.line) for finding in data.findings]
    for expected in [
        (Oddity.RANGE, 1),
        (Oddity.DAY, 2),
        (Oddity.DAY, 3),
        (Oddity.TIME, 4),
        (Oddity.RANGE, 4),
        (Oddity.CONFLICT, 4),
        (Oddity.HOUR, 4),
        (Oddity.DUPLICATE, 6),
    ]:
        assert expected in found
    assert data.frame["day_level"].null_count() == 24
    assert data.level(at(2026, 11, 20, 23))[0] == 3  # two values for one hour: the worse one
    assert data.level(at(2026, 11, 21, 1)) is None  # its level was 9
    assert data.level(at(2026, 11, 22, 12)) == (2, at(2026, 11, 21, 16))  # the day's newer signal


def test_an_older_signal_for_a_day_does_not_replace_a_newer_one() -> None:
    newer = signal("2026-03-28", [3] * 24, "2026-03-27T18:00:00+01:00")
    older = signal("2026-03-28", [1] * 24, "2026-03-27T12:00:00+01:00")
    assert read(newer, older).level(at(2026, 3, 28, 12))[0] == 3


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "no list `signals`"),
        (b'{"signals": {}}', "no list `signals`"),
        (b'{"error": "quota"}', "answered 'quota'"),
    ],
)
def test_other_content_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ecowatt.parse(raw, "e.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["GenerationFichier", "jour", "dvalue", "values", "pas", "hvalue"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=4))
def test_any_signals_are_read_without_a_crash(signals) -> None:
    assert read(*signals).frame["level"].is_in([0, 1, 2, 3]).all()
