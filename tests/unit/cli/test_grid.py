"""The grid guard where power rises: a preview tells its gates, a rollout obeys them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra import paths
from infra.errors import UserError
from infra.rollout import grid
from infra.spec import load_site

pytestmark = pytest.mark.unit


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The reference site, with a state of its own."""
    found = load_site("reference")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return found


def signals(folder, level):
    """EcoWatt's signals of today and tomorrow, all at one level."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today + timedelta(days=day) for day in (-1, 0, 1)]
    folder.mkdir(parents=True, exist_ok=True)
    said = [
        {
            "GenerationFichier": datetime.now(UTC).isoformat(),
            "jour": day.isoformat(),
            "dvalue": level,
            "message": "",
            "values": [{"pas": hour, "hvalue": level} for hour in range(24)],
        }
        for day in days
    ]
    (folder / "ecowatt.json").write_text(json.dumps({"signals": said}))


def test_a_site_without_a_guard_has_no_gates():
    assert grid.gates(load_site("lab")) == ()


def test_a_red_hour_keeps_racks_off_and_says_how_to_go_on(site, tmp_path):
    signals(tmp_path / ".gigasite" / "reference" / "grid", 3)
    with pytest.raises(UserError, match=r"pod-01 off: .*ecowatt: closed") as caught:
        grid.obey(site, "pod-01")
    assert caught.value.where == "inventories/reference/site.yaml: $.energy.guard"
    assert "gigasite up reference" in caught.value.done


def test_a_green_hour_opens_the_gate(site, tmp_path):
    signals(tmp_path / ".gigasite" / "reference" / "grid", 1)
    states = {gate.name: gate.holds for gate in grid.gates(site)}
    assert states["ecowatt"] is False


def test_without_data_the_gate_says_so(site):
    assert all("no " in grid.words(gate) or "missing" in grid.words(gate) for gate in grid.gates(site))
