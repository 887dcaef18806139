"""The EU's data sheet: all that the annexes ask, nothing invented, measured values told from planned ones."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from infra.energy import eu
from infra.energy.eu.regulation import ANNEX_1, ANNEX_2
from infra.energy.eu.write import HEADER, cell, text
from infra.energy.inputs import Contract, HeatSale, Instrument, PowerStep, Technology
from infra.energy.year import compute
from infra.errors import Problems, UserError
from tests.unit.energy.builders import reference

pytestmark = pytest.mark.unit

SITE = reference(
    water_l_per_kwh=0.1,
    sales=(HeatSale("town", 100, 65),),
    contracts=(
        Contract("n", Instrument.SUPPLY, Technology.NUCLEAR, 6e6, date(2026, 1, 1), date(2040, 1, 1)),
        Contract("w", Instrument.PPA, Technology.WIND, 9e5, date(2026, 1, 1), date(2040, 1, 1)),
        Contract("h", Instrument.GUARANTEES, Technology.HYDRO, 1e5, date(2026, 1, 1), date(2040, 1, 1)),
    ),
)
FACTS = eu.Facts(name="=HYPERLINK(1)", source="site.yaml")


def rows(facts: eu.Facts = FACTS, measured=None, site=SITE, year: int = 2027) -> dict[str, eu.Row]:
    tables = eu.tables(site, compute(site, year), facts, measured)
    return {row.indicator.id: row for table in tables for row in table.rows}


def value(found: dict[str, eu.Row], name: str):
    return found[name].given.value


def test_every_point_of_annexes_1_and_2_has_its_row() -> None:
    points = [each.point for each in (*ANNEX_1, *ANNEX_2)]
    assert {point for point in points if point.startswith("I.1")} == {f"I.1({x})" for x in "abcde"}
    assert {point for point in points if point.startswith("I.2")} == {"I.2(a)", "I.2(b)"}
    assert {p for p in points if p.startswith("II.1")} == {f"II.1({x})" for x in "abcdefghijklmnopqr"}
    assert {p for p in points if p.startswith("II.2")} == {"II.2(a)", "II.2(b)"}
    assert {p for p in points if p.startswith("II.3")} == {f"II.3({x})" for x in "abcd"}
    ids = [each.id for each in (*ANNEX_1, *ANNEX_2)]
    assert len(ids) == len(set(ids))


def test_planned_values_are_the_years() -> None:
    found = rows()
    assert value(found, "PDIT") == pytest.approx(909_091, rel=1e-6)  # nominal: the load factor is not in it
    assert value(found, "EDC") == pytest.approx(7.884e9)
    assert value(found, "EIT") == pytest.approx(7.884e9 / 1.1)
    assert value(found, "WIN") == pytest.approx(7.884e6 / 1.1 * 0.1)
    assert value(found, "EREUSE") == pytest.approx(8.76e8)
    assert (value(found, "ERES-PPA"), value(found, "ERES-GOO")) == (9e8, 1e8)
    assert value(found, "ERES-TOT") == 1e9
    assert "without ERES-OS, unknown" in found["ERES-TOT"].given.how
    assert value(found, "PUE") == pytest.approx(1.1)
    assert value(found, "WUE") == pytest.approx(0.1)  # m³/MWh, the same number in L/kWh
    assert value(found, "ERF") == pytest.approx(0.1111, abs=1e-4)
    assert value(found, "REF") == pytest.approx(1 / 7.884)
    assert value(found, "category") == "very large data centre: > 10 MW"
    assert found["EDC"].given.status is eu.Status.PLANNED


def test_what_nobody_declared_is_unknown_and_stays_empty() -> None:
    found = rows()
    for name in (
        "owner",
        "location",
        "SDC",
        "EDC-BG",
        "grid functions",
        "WIN-POT",
        "CDD",
        "CSERV",
        "BIN",
        "TOUT",
    ):
        given = found[name].given
        assert (given.value, given.status, given.source) == (None, eu.Status.UNKNOWN, "")
        assert given.how.startswith("needs: ")
    dry = rows(site=reference())
    assert value(dry, "WIN") is value(dry, "WUE") is None


def test_declared_facts_and_an_empty_list_that_means_none() -> None:
    facts = eu.Facts(
        name="x",
        source="site.yaml",
        kind="co-hosting",
        structure="group of structures",
        also_offers="colocation",
        redundancy=(("high voltage", "N+1"), ("cooling rack", "N")),
        grid_functions=(),
        refrigerants=("R-1234ze(E)", "R-717"),
        onsite_kwh=0.0,
        potable_l_per_kwh=0.02,
        storage_coverage=0.25,
    )
    found = rows(facts)
    assert value(found, "type") == (
        "co-hosting data centre, group of structures (also offers colocation services)"
    )
    assert (value(found, "high voltage"), value(found, "cooling rack")) == ("N+1", "N")
    assert value(found, "low voltage") is None
    assert value(found, "grid functions") == "none"
    assert value(found, "refrigerants") == "R-1234ze(E), R-717"
    assert value(found, "CSTOR floor") == 25
    assert found["ERES-TOT"].given.how == "ERES-GOO + ERES-PPA + ERES-OS"
    assert value(found, "WIN-POT") == pytest.approx(7.884e6 / 1.1 * 0.02)


def test_installed_power_that_changed_is_weighted_by_time() -> None:
    steps = (PowerStep("a", date(2027, 1, 1), 110, 100, 80), PowerStep("b", date(2027, 7, 1), 220, 200, 160))
    site = reference(steps=steps, load=0.5)
    found = rows(site=site)
    second = 184 * 24 + 1  # October's hour comes back
    assert value(found, "PDIT") == pytest.approx((100 * (8760 - second) + 200 * second) / 8760 * 1000)
    assert value(found, "period") == "whole year"


def test_less_than_a_year_in_operation_states_its_period() -> None:
    site = reference(steps=(PowerStep("a", date(2027, 11, 1), 0.5, 0.4, 0.3),), load=1.0)
    found = rows(site=site)
    assert value(found, "period") == "2027-11-01 00:00 to 2028-01-01 00:00"
    assert value(found, "EDC") == pytest.approx(500 * 61 * 24)
    assert value(found, "duty") == "none below 500 kW"
    assert value(found, "category") == "very small data centre: 100-500 kW"


MEASURED = """id,value,how,source
EDC,7000000000,HV meters M1-M4,meter-log-2027.csv
EIT,6500000000,UPS outputs,meter-log-2027.csv
location,FR_77284,looked up,Eurostat LAU 2025
TIN air,-3.5,BMS,bms.csv
"""


def test_measured_values_replace_planned_ones_and_carry_on(tmp_path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(MEASURED, encoding="utf-8")
    found = rows(measured=eu.read_measured(path))
    assert value(found, "EDC") == 7e9
    assert found["EDC"].given.status is eu.Status.MEASURED
    assert found["EDC"].given.how == "HV meters M1-M4"
    assert value(found, "location") == "FR_77284"
    assert value(found, "TIN air") == -3.5
    assert value(found, "PUE") == pytest.approx(7 / 6.5)
    assert found["PUE"].given.status is eu.Status.MEASURED
    # Half measured, half planned is worth no more than planned.
    assert value(found, "ERF") == pytest.approx(8.76e8 / 7e9)
    assert found["ERF"].given.status is eu.Status.PLANNED


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("EDX,1,a,b", "no such row"),
        ("EDC,1,a,", "must all be given"),
        ("EDC,1,a,b,c", "must all be given"),
        ("EDC,many,a,b", "'many' is not a number"),
        ("EDC,-1,a,b", "cannot be"),
        ("EDC,nan,a,b", "cannot be"),
        ("EDC,5,a,b\nEDC,6,a,b", "is there twice"),
        ("EDC,5,a,b\nEIT,6,a,b", "exceeds EDC"),
        ("WIN,5,a,b\nWIN-POT,6,a,b", "exceeds WIN"),
        ("ERES-TOT,9,a,b\nERES-GOO,1,a,b\nERES-PPA,1,a,b\nERES-OS,1,a,b", "not the sum"),
    ],
)
def test_wrong_measured_values_are_refused_with_their_line(tmp_path, line: str, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"id,value,how,source\n{line}\n", encoding="utf-8")
    with pytest.raises(Problems, match=message) as caught:
        eu.read_measured(path)
    assert caught.value.problems[0].line == 1 + len(line.splitlines()) or "sum" in message


def test_every_mistake_of_a_measured_file_at_once(tmp_path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("id;value;how;source\nX;1;a;b\n\nEDC;no;a;b\n", encoding="utf-8-sig")
    with pytest.raises(Problems) as caught:
        eu.read_measured(path)
    assert [problem.line for problem in caught.value.problems] == [2, 4]
    path.write_text("id,value\n", encoding="utf-8")
    with pytest.raises(UserError, match="other columns"):
        eu.read_measured(path)
    with pytest.raises(UserError, match="cannot read"):
        eu.read_measured(tmp_path / "absent.csv")


def test_csv_for_spreadsheets(tmp_path) -> None:
    folder = tmp_path / "deep" / "eu"
    written = eu.write(eu.tables(SITE, compute(SITE, 2027), FACTS), folder)
    assert [path.name for path in written] == [
        "annex-1-information.csv",
        "annex-2-indicators.csv",
        "annex-3-sustainability.csv",
        "annex-4-publication.csv",
    ]
    raw = written[1].read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    table = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert tuple(table[0]) == HEADER
    edc = next(row for row in table if row["id"] == "EDC")
    assert (edc["value"], edc["unit"], edc["status"]) == ("7884000000", "kWh", "planned (simulated)")
    assert next(row for row in table if row["id"] == "CDD")["value"] == ""
    assert {len(row) for row in csv.reader(io.StringIO(raw.decode("utf-8-sig")))} == {len(HEADER)}


def test_a_name_is_no_formula() -> None:
    table = eu.tables(SITE, compute(SITE, 2027), FACTS)[0]
    assert ",'=HYPERLINK(1)," in text(table)
    assert cell("+1") == "'+1"


@pytest.mark.parametrize(
    ("number", "shown"), [(7884000000.4, "7884000000"), (1.1, "1.1"), (0.1111111, "0.111111"), (0.0, "0")]
)
def test_numbers_without_separators_or_exponents(number: float, shown: str) -> None:
    assert cell(number) == shown


def test_a_folder_that_cannot_be_written_is_the_users_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        eu.write((), tmp_path / "file" / "x")
