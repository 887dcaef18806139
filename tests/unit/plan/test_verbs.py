"""`gigasite plan`, `fit`, `diff` and `schema`: what a person and a script get from them."""

from __future__ import annotations

import json

import pytest

from infra import paths
from infra.cli import main

pytestmark = pytest.mark.unit


def run(capsys, *argv):
    code = main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_plan_prints_one_object(capsys):
    code, out, _ = run(capsys, "plan", "reference", "--json")
    figures = json.loads(out)
    assert code == 0
    assert figures["accelerators"] == 497_664
    assert figures["switches"]["out_of_band"] == 13_824
    assert {"facility_mw", "it_mw", "compute_mw", "rack_kw"} <= set(figures["power"])
    assert {"liquid_mw", "flow_m3_s", "flow_l_min_per_rack"} <= set(figures["cooling"])
    assert {"local_eb", "hot_eb", "object_eb", "read_tb_s", "write_tb_s"} <= set(figures["storage"])
    assert {"twh_per_year", "tco2e_location"} <= set(figures["energy"])
    assert all({"id", "severity", "message", "path"} <= set(finding) for finding in figures["findings"])


def test_plan_speaks_to_people(capsys):
    code, out, _ = run(capsys, "plan", "reference")
    assert code == 0
    for words in ("497,664", "909.1 MW IT", "1,057,536", "171 kt CO2e", "announced-cost"):
        assert words in out


def test_plan_refuses_what_cannot_work(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "inventories" / "small"
    folder.mkdir(parents=True)
    text = (paths.ROOT / "tests" / "errors" / "grid-power" / "site.yaml").read_text(encoding="utf-8")
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    code, out, _ = run(capsys, "plan", "small")
    assert code == 1
    assert "error grid-power" in out


def test_plan_of_a_phase_and_a_pod(capsys):
    code, out, _ = run(capsys, "plan", "reference", "--phase", "2026", "--json")
    assert (code, json.loads(out)["accelerators"]) == (0, 119_808)
    code, out, _ = run(capsys, "plan", "lab", "--pod", "pod-01", "--table", "cabling")
    assert code == 0
    assert out.splitlines()[0] == (
        "A-Rack,A-U,A-Node Name,A-Type,A-Port,Z-Rack,Z-RU,Z-Node Name,Z-Type,Z-Port,"
        "Cable ID,Length m,Cable,A-Label,Z-Label"
    )
    assert len(out.splitlines()) == 5


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("plan", "labb"), "did you mean `lab`?"),
        (("plan", "reference", "--phase", "2031"), "phases are 2026, 2027, 2028"),
        (("plan", "reference", "--pod", "pod-99"), "pods are pod-01 to pod-54"),
        (("plan", "lab", "--table", "linsk"), "no table `linsk`"),
        (("fit", "reference", "--rack-power", "132"), "has no unit"),
        (("fit", "reference", "--rack-power", "132 kg"), "not a unit of power"),
        (("fit", "reference", "--rack-power", "0 kW"), "not a power above zero"),
        (("fit", "lab"), "--grid 1000MW"),
        (("diff", "HEAD"), "no site"),
    ],
)
def test_mistakes_of_the_command_line(capsys, argv, words):
    code, _, err = run(capsys, *argv)
    assert code == 1
    assert words in err
    assert "Traceback" not in err


def test_fit_prints_one_object(capsys):
    code, out, _ = run(capsys, "fit", "reference", "--rack-power", "132kW", "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["pods"], answer["accelerators"]) == (49, 451_584)
    _, out, _ = run(capsys, "fit", "reference", "--unit-power", "1.2MW", "--json")
    assert json.loads(out)["pods"] == 47
    _, out, _ = run(capsys, "fit", "reference-hgx", "--pue", "1.12", "--json")
    answer = json.loads(out)["rows"][0]
    assert (answer["pods"], answer["accelerators"]) == (50, 460_800)
    _, out, _ = run(capsys, "fit", "reference", "--grid", "500MW", "--rack-power", "132kW", "--json")
    assert json.loads(out)["pods"] == 24


def test_diff_of_two_sites(capsys):
    code, out, _ = run(capsys, "diff", "reference", "reference-hgx", "--json")
    changes = json.loads(out)["changes"]
    assert code == 0
    assert {"layer", "item", "before", "after", "delta", "count", "where"} <= set(changes[0])
    code, out, _ = run(capsys, "diff", "lab", "lab")
    assert (code, out) == (0, "lab and lab plan the same.\n")


def test_schema_is_printed(capsys):
    code, out, _ = run(capsys, "schema")
    assert code == 0
    assert json.loads(out)["title"] == "Site"
