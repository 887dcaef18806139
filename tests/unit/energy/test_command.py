"""`gigasite energy` on the declared sites: reference numbers, the guard, what it reads and writes."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pytest

from infra import cli
from infra.energy import grid_data, site_model
from infra.energy.guard import Basis, GridGuard, Unknown
from infra.energy.year import compute
from infra.errors import UserError
from infra.spec import load_site
from tests.unit.energy.builders import DATA

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model() -> site_model.SiteModel:
    return site_model.build_model(load_site("reference"))


def run(capsys, *words: str) -> str:
    code = cli.main(["energy", *words])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_reference_numbers_follow_from_the_declaration(model: site_model.SiteModel) -> None:
    full = model.energy.steps[-1]
    assert full.facility_mw == pytest.approx(1000, abs=0.5)
    assert full.it_mw == pytest.approx(909.1, abs=0.5)
    assert full.capture_mw == pytest.approx(718, abs=0.5)
    assert full.it_mw - full.capture_mw == pytest.approx(191, abs=0.5)
    year = compute(model.energy, 2029)
    assert round(year.edc_mwh / 1e6, 2) == 7.88
    assert round(year.location_tonnes / 1000) == 171
    assert round(year.erf_ceiling, 2) == 0.72
    assert year.pue == pytest.approx(1.10)
    assert year.reused_mwh / (full.facility_mw * 8760) == pytest.approx(0.10, abs=1e-3)
    assert year.market.tonnes < year.location_tonnes / 5
    assert any("contractual claim" in note for note in year.notes)


def test_phases_come_from_the_declaration(model: site_model.SiteModel) -> None:
    assert [step.phase for step in model.energy.steps] == ["2026", "2027", "2028"]
    first, second, third = model.energy.steps
    assert first.facility_mw / third.facility_mw == pytest.approx(13 / 54, rel=1e-3)
    assert second.capture_mw / third.capture_mw == pytest.approx(27 / 54, rel=1e-3)
    assert model.years(2026) == [2026, 2027, 2028, 2029]


def test_the_guard_closes_from_the_declared_level_on(model: site_model.SiteModel) -> None:
    assert model.guard == GridGuard(max_ecowatt_level=2, max_gco2_per_kwh=100, when_unknown=Unknown.HOLD)


def test_json(capsys) -> None:
    found = json.loads(run(capsys, "reference", "--year", "2029", "--year", "2027", "--json"))
    assert found["fidelity"].startswith("simulated")
    assert [year["year"] for year in found["years"]] == [2027, 2029]
    last = found["years"][1]
    assert last["tco2e"]["location"] == pytest.approx(171_083, rel=1e-3)
    assert {"location", "location_basis", "market", "market_rest_basis"} <= last["tco2e"].keys()
    assert sum(phase["edc_mwh"] for phase in last["phases"]) == pytest.approx(last["edc_mwh"])
    assert len(last["heat"]) == 12
    assert [gate["name"] for gate in found["grid_guard"]["gates"]] == ["ecowatt", "gco2"]


def test_text_shows_both_claims_and_what_holds_now(capsys) -> None:
    out = run(
        capsys, "reference", "--months", "--now", "2026-11-21T08:30+01:00",
        "--ecowatt", str(DATA / "ecowatt.json"), "--eco2mix", str(DATA / "eco2mix-national-tr.csv"),
    )  # fmt: skip
    assert "simulated (numbers)" in out
    assert "location-based (tCO2e)" in out
    assert "market-based (tCO2e)" in out
    assert (
        "ecowatt: holds: EcoWatt is 3 (red), above 2 (orange), expected to open 2026-11-21 11:00 UTC" in out
    )
    assert "declared to hold then" in out
    assert "eco2mix-national-tr.csv:9: gap" in out
    assert "2029-02" in out


def test_eu_report(capsys, tmp_path) -> None:
    measured = tmp_path / "measured.csv"
    measured.write_text("id,value,how,source\nEDC,8e9,meters,log\n", encoding="utf-8")
    out = run(
        capsys, "reference", "--report", "eu", "--year", "2029", "--out", str(tmp_path / "eu"),
        "--measured", str(measured),
    )  # fmt: skip
    assert "unknown: owner" in out
    with (tmp_path / "eu" / "annex-2-indicators.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {row["id"]: row for row in csv.DictReader(file)}
    assert (table["EDC"]["value"], table["EDC"]["status"]) == ("8000000000", "measured")
    assert float(table["PDIT"]["value"]) == pytest.approx(909_091, rel=1e-3)
    # Local 1.91 EB, hot 1 EB, object 5 EB.
    assert float(table["CSTOR"]["value"]) == pytest.approx(7911, rel=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lab",), "declares no energy use"),
        (("reference", "--report", "eu"), "one calendar year"),
        (("reference", "--out", "x"), "belong to a report"),
        (("reference", "--year", "2020"), "no power in service in 2020"),
        (("reference", "--now", "yesterday"), "is not a time"),
        (("reference", "--eco2mix", "absent.csv"), "cannot read"),
        (("reference", "--ecowatt", str(DATA / "eco2mix-odd.csv")), "not JSON"),
        (("nowhere",), "there is no site"),
    ],
)
def test_mistakes_are_said_without_a_traceback(capsys, words: tuple[str, ...], message: str) -> None:
    assert cli.main(["energy", *words]) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in out + err


def test_the_feed_of_a_site_is_what_its_folder_holds(tmp_path) -> None:
    guard = GridGuard(max_ecowatt_level=2, max_gco2_per_kwh=50)
    now = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    absent = grid_data.gates_now(guard, tmp_path / "absent", now)
    assert [(gate.holds, gate.basis) for gate in absent] == [(True, Basis.MISSING)] * 2
    for name in ("ecowatt.json", "eco2mix-national-tr.csv"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    (tmp_path / "notes.txt").write_text("not grid data")
    present = grid_data.gates_now(guard, tmp_path, now)
    assert [(gate.holds, gate.basis) for gate in present] == [(False, Basis.MEASURED)] * 2
    (tmp_path / "ecowatt.json").write_text("{")
    broken = grid_data.gates_now(guard, tmp_path, now)
    assert [(gate.holds, gate.basis) for gate in broken] == [
        (True, Basis.MISSING),
        (False, Basis.MEASURED),
    ]
    assert "not JSON" in grid_data.read_grid_data(tmp_path).problems[0]
    assert grid_data.gates_now(None, tmp_path, now) == ()


def test_of_several_answers_the_newest_counts_hour_by_hour(tmp_path) -> None:
    newest = json.loads((DATA / "ecowatt.json").read_text(encoding="utf-8"))
    for signal in newest["signals"]:
        signal["GenerationFichier"] = "2026-11-20T17:30:00+01:00"
        signal["values"] = [{"pas": hour, "hvalue": 2} for hour in range(12)]
    (tmp_path / "ecowatt-2.json").write_text(json.dumps(newest), encoding="utf-8")
    (tmp_path / "ecowatt-1.json").write_bytes((DATA / "ecowatt.json").read_bytes())
    signals = grid_data.read_grid_data(tmp_path).ecowatt
    assert signals is not None
    assert signals.level(datetime(2026, 11, 21, 7, 30, tzinfo=UTC))[0] == 2  # newer than the red of before
    assert signals.level(datetime(2026, 11, 21, 17, 30, tzinfo=UTC))[0] == 3  # only the older answer has it


def test_a_site_without_energy_or_power_is_refused(model: site_model.SiteModel) -> None:
    with pytest.raises(UserError, match="declares no energy use") as caught:
        site_model.build_model(model.site.model_copy(update={"energy": None}))
    assert "location_intensity" in (caught.value.hint or "")
    idle = tuple(phase.model_copy(update={"pods": 0}) for phase in model.site.phases)
    with pytest.raises(UserError, match="no power in any phase"):
        site_model.build_model(model.site.model_copy(update={"phases": idle}))


def test_a_site_without_phases_is_in_service_in_any_year(model: site_model.SiteModel) -> None:
    always = site_model.build_model(model.site.model_copy(update={"phases": ()}))
    assert always.years(2031) == [2031]
    assert compute(always.energy, 2031).edc_mwh == pytest.approx(7.884e6, rel=1e-3)
    assert always.facts(2031).in_operation is None
