"""The éCO2mix reader: every published form gives the same frame, and nothing odd goes unreported."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.energy import eco2mix
from infra.energy.eco2mix.columns import field
from infra.energy.findings import Oddity
from infra.errors import UserError
from tests.unit.energy.builders import DATA, HEADER, legal_year, open_data

pytestmark = pytest.mark.unit


def kinds(data: eco2mix.Eco2mix) -> dict[Oddity, int]:
    found: dict[Oddity, int] = {}
    for finding in data.findings:
        found[finding.kind] = found.get(finding.kind, 0) + finding.count
    return found


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def test_real_time_open_data() -> None:
    data = eco2mix.load(DATA / "eco2mix-national-tr.csv")
    assert data.step_minutes == (15,)
    assert data.span == (at(2026, 11, 20, 9), at(2026, 11, 20, 11))
    assert data.frame["gco2_per_kwh"].to_list() == [24, 24, 23, 23, 22, 22, 21]
    first = data.frame.row(0, named=True)
    assert (first["consumption_mw"], first["nuclear_mw"], first["exchange_mw"]) == (61200, 45120, -3372)
    gap = next(finding for finding in data.findings if finding.kind is Oddity.GAP)
    assert gap.line == 9
    assert "2026-11-20T10:30Z to 2026-11-20T10:45Z" in gap.message
    assert kinds(data)[Oddity.FUTURE] == 4
    assert data.latest(at(2026, 11, 20, 10, 44)) == (at(2026, 11, 20, 10, 15), 15, 22)
    assert data.latest(at(2026, 11, 20, 8)) is None


def test_consolidated_with_labels_commas_and_descending_rows() -> None:
    data = eco2mix.load(DATA / "eco2mix-national-cons-def.csv")
    assert data.step_minutes == (30,)
    assert data.frame["gco2_per_kwh"].to_list() == [18.5, 19.5, 20.5, 21.5, 22.5, 23.5]
    assert data.frame["time"].is_sorted()
    assert data.frame["rank"].unique().to_list() == [1]
    assert data.findings == ()


def test_tab_separated_file_on_the_day_of_25_hours() -> None:
    data = eco2mix.load(DATA / "eCO2mix_RTE_autumn.xls")
    assert data.frame["time"].to_list() == [
        at(2024, 10, 26, 23) + timedelta(minutes=30 * step) for step in range(8)
    ]
    assert data.frame["gco2_per_kwh"].to_list() == [20, 21, 22, 23, 24, 25, 26, 27]
    assert data.frame["rank"].unique().to_list() == [2]
    assert kinds(data) == {Oddity.EMPTY: 8, Oddity.AUTUMN: 8, Oddity.TEXT: 1}


def test_the_repeated_hour_written_once_leaves_a_reported_gap() -> None:
    data = eco2mix.load(DATA / "eCO2mix_RTE_autumn_once.xls")
    found = kinds(data)
    assert found[Oddity.GAP] == 2
    assert found[Oddity.AUTUMN] == 4
    assert at(2024, 10, 27, 1) not in data.frame["time"].to_list()


def test_the_hour_that_spring_skips_is_dropped_and_reported() -> None:
    data = eco2mix.load(DATA / "eCO2mix_RTE_spring.xls")
    assert data.frame["gco2_per_kwh"].to_list() == [20, 21, 24, 25]
    assert data.frame["time"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=30)]
    assert kinds(data)[Oddity.SPRING] == 4
    assert Oddity.GAP not in kinds(data)


def test_descending_wall_clock_rows_put_the_winter_hour_first() -> None:
    clock = ["03:00", "02:30", "02:00", "02:30", "02:00", "01:30"]
    rows = [(f"2024-10-27 {hour}", number) for number, hour in enumerate(clock)]
    data = eco2mix.parse(open_data(rows, "Données définitives"), "x.csv")
    assert data.frame.select("time", "gco2_per_kwh").rows() == [
        (at(2024, 10, 26, 23, 30), 5),
        (at(2024, 10, 27, 0, 0), 4),
        (at(2024, 10, 27, 0, 30), 3),
        (at(2024, 10, 27, 1, 0), 2),
        (at(2024, 10, 27, 1, 30), 1),
        (at(2024, 10, 27, 2, 0), 0),
    ]


def test_everything_odd_is_reported_with_its_line() -> None:
    data = eco2mix.load(DATA / "eco2mix-odd.csv")
    lines = {finding.kind: finding.line for finding in data.findings}
    expected = {
        Oddity.DUPLICATE: 5,
        Oddity.CONFLICT: 7,
        Oddity.BLANK: 8,
        Oddity.HEADER: 9,
        Oddity.TEXT: 11,
        Oddity.RANGE: 12,
        Oddity.OFF_STEP: 15,
        Oddity.PERIMETER: 16,
        Oddity.CLOCK: 20,
    }
    assert expected.items() <= lines.items()
    assert sorted(f.line for f in data.findings if f.kind is Oddity.FIELDS) == [17, 18]
    assert sorted(f.line for f in data.findings if f.kind is Oddity.NUMBER) == [13, 21]
    assert data.frame["gco2_per_kwh"].to_list() == [30, 31, 33, 34, 38, 39, 40]
    assert str(data.findings[0]).endswith("eco2mix-odd.csv:5: duplicate: first one kept")


@pytest.mark.parametrize(
    "when",
    [
        "2026-01-05T01:00:00+01:00",
        "2026-01-05T00:00:00Z",
        "2026-01-05T00:00:00+0000",
        "2026-01-05 01:00",
        "05/01/2026 01:00",
        "2026-01-05T01:00",
    ],
)
def test_times_with_and_without_offset_are_the_same_instant(when: str) -> None:
    data = eco2mix.parse(open_data([(when, 20)]), "x.csv")
    assert data.frame["time"].to_list() == [at(2026, 1, 5)]


def test_an_unreadable_time_is_skipped_and_reported() -> None:
    data = eco2mix.parse(open_data([("2026-13-05T00:00:00Z", 20), ("2026-01-05T00:00:00Z", 20)]), "x.csv")
    assert data.frame.height == 1
    assert [(f.kind, f.line) for f in data.findings] == [(Oddity.TIME, 2)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_encodings_and_separators(encoding: str, separator: str) -> None:
    text = "Périmètre;Nature;Date;Heures;Nucléaire;Taux de Co2\nFrance;x;2026-01-05;01:00;40000;20\n"
    data = eco2mix.parse(text.replace(";", separator).encode(encoding), "x.csv")
    assert data.frame.select("time", "nuclear_mw", "gco2_per_kwh").rows() == [(at(2026, 1, 5), 40000, 20)]


def test_a_published_archive_is_read_as_the_file_in_it() -> None:
    plain = (DATA / "eCO2mix_RTE_autumn.xls").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("eCO2mix_RTE.xls", plain)
    zipped = eco2mix.parse(buffer.getvalue(), "x.zip")
    assert zipped.frame.equals(eco2mix.parse(plain, "x.xls").frame)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("second.xls", plain)
    with pytest.raises(UserError, match="2 files"):
        eco2mix.parse(buffer.getvalue(), "x.zip")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"date_heure;consommation\n2026-01-01T00:00Z;1\n", "no CO2 rate column"),
        (b"jour;taux_co2\n1;2\n", "no time column"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "spreadsheet"),
        (b"PK\x03\x04broken", "cannot unpack"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_hint(raw: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        eco2mix.parse(raw, "some.csv")
    assert caught.value.where
    assert caught.value.where.startswith("some.csv")


def test_a_missing_file_is_the_users_error(tmp_path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        eco2mix.load(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Taux de CO2 (g/kWh)", "taux_co2"),
        ("Taux de Co2", "taux_co2"),
        ("Nucl?aire", "nucleaire"),
        ("Nucl\ufffdaire (MW)", "nucleaire"),
        ("\ufeffP\ufffdrim\ufffdtre", "perimetre"),
        ("Heures", "heure"),
        ("Date et Heure", "date_heure"),
        ("Prévision J-1", "prevision_j1"),
        ("Ech. physiques (MW)", "ech_physiques"),
        ("Eolien offshore", "eolien_offshore"),
    ],
)
def test_header_spellings(label: str, name: str) -> None:
    assert field(label) == name


def test_a_real_time_gap_does_not_turn_quarters_into_half_hours() -> None:
    rows = [(f"2026-01-05T{hour:02}:{minute:02}:00Z", 20) for hour in range(3) for minute in (0, 15, 30, 45)]
    del rows[5]
    data = eco2mix.parse(open_data(rows), "x.csv")
    assert data.step_minutes == (15,)
    assert kinds(data) == {Oddity.GAP: 1}


def test_better_nature_wins_where_files_overlap() -> None:
    live = eco2mix.parse(open_data([(f"2026-01-05T00:{m:02}:00Z", 50) for m in (0, 15, 30, 45)]), "live.csv")
    sure = eco2mix.parse(open_data([("2026-01-05T00:00:00Z", 40)], "Données consolidées"), "sure.csv")
    for order in ((live, sure), (sure, live)):
        whole = eco2mix.merge(order)
        assert whole.frame.select("gco2_per_kwh", "minutes").rows() == [(40, 30), (50, 15), (50, 15)]
        assert whole.mean() == pytest.approx(45)
    assert eco2mix.merge(()).span is None


def test_of_equal_natures_the_later_file_wins_step_by_step() -> None:
    first = eco2mix.parse(open_data([("2026-01-05T00:00:00Z", 1), ("2026-01-05T00:15:00Z", 2)]), "a.csv")
    second = eco2mix.parse(open_data([("2026-01-05T00:15:00Z", 3), ("2026-01-05T00:30:00Z", 4)]), "b.csv")
    assert eco2mix.merge((first, second)).frame["gco2_per_kwh"].to_list() == [1, 3, 4]


@pytest.mark.parametrize("year", [2024, 2025])
def test_a_year_with_both_clock_changes_has_all_its_quarter_hours(year: int) -> None:
    data = eco2mix.parse(legal_year(year), "year.xls")
    days = 366 if year == 2024 else 365
    assert data.frame.height == days * 96
    assert data.span == (at(year - 1, 12, 31, 23), at(year, 12, 31, 23))
    assert data.frame["time"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=15)]
    assert kinds(data) == {Oddity.SPRING: 4, Oddity.AUTUMN: 8, Oddity.TEXT: 1}


def test_a_half_hourly_year_without_the_doubled_hour_lacks_exactly_that_hour() -> None:
    data = eco2mix.parse(legal_year(2025, minutes=30, doubled=False), "year.xls")
    assert data.frame.height == 365 * 48 - 2
    assert float(data.frame["minutes"].sum()) / 60 == 8759
    assert kinds(data)[Oddity.GAP] == 2


@settings(max_examples=60, deadline=None)
@given(
    start=st.datetimes(datetime(2023, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 (made aware below)
    values=st.lists(st.one_of(st.none(), st.integers(0, 400)), min_size=1, max_size=120),
    order=st.randoms(use_true_random=False),
)
def test_with_offsets_no_row_is_lost_invented_or_moved(start, values, order) -> None:
    """In any order of rows each value stands at its instant; values and gaps fill the span."""
    begin = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    instants = [begin + timedelta(minutes=15 * number) for number in range(len(values))]
    rows = [(when.astimezone().isoformat(), value) for when, value in zip(instants, values, strict=True)]
    order.shuffle(rows)
    data = eco2mix.parse(open_data(rows), "x.csv")
    known = {when: value for when, value in zip(instants, values, strict=True) if value is not None}
    assert dict(zip(data.frame["time"], data.frame["gco2_per_kwh"], strict=True)) == known
    if data.span is not None:
        missing = sum(finding.count for finding in data.findings if finding.kind is Oddity.GAP)
        hours = (data.span[1] - data.span[0]) / timedelta(hours=1)
        assert float(data.frame["minutes"].sum()) / 60 + missing / 4 == hours


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_but_never_crash(raw: bytes) -> None:
    for content in (raw, HEADER.encode() + b"\n" + raw):
        try:
            data = eco2mix.parse(content, "x.csv")
        except UserError:
            continue
        assert isinstance(data.frame, pl.DataFrame)


def test_within_a_file_definitive_data_is_not_overwritten_by_real_time_data() -> None:
    sure = "France;Données définitives;;;2026-01-05T00:00:00Z;50000;40000;40"
    live = "France;Données temps réel;;;2026-01-05T00:00:00Z;50000;40000;50"
    for rows in ((sure, live), (live, sure)):
        data = eco2mix.parse("\n".join([HEADER, *rows]).encode(), "x.csv")
        assert data.frame["gco2_per_kwh"].to_list() == [40]
        assert kinds(data) == {Oddity.CONFLICT: 1}


def test_steps_of_two_lengths_never_share_a_half_hour() -> None:
    halves = eco2mix.parse(open_data([("2026-01-05T00:00:00Z", 10)], "inconnue"), "halves.csv")
    quarters = eco2mix.parse(
        open_data([("2026-01-05T00:00:00Z", 20), ("2026-01-05T00:15:00Z", 30)], "inconnue"), "quarters.csv"
    )
    assert eco2mix.merge((halves, quarters)).frame["gco2_per_kwh"].to_list() == [20, 30]
    assert eco2mix.merge((quarters, halves)).frame.select("gco2_per_kwh", "minutes").rows() == [(10, 30)]
