"""Dashboards: Prometheus takes each query, each metric is one that somebody tells, panels fit the page."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations

import pytest
from ruamel.yaml import YAML

from infra.lab.prerequisites import program
from infra.paths import ROOT
from infra.verify.dashboards import FOLDER, queries

pytestmark = pytest.mark.unit

BOARDS = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
TOLD = "".join(
    (ROOT / name).read_text()
    for name in (
        "playbooks/files/gpu_health/metrics.py", "templates/etc/prometheus/rules/gigasite.yml.j2",
        "templates/usr/local/lib/gigasite/slurm_metrics.j2",
    )
)  # fmt: skip
"""Where metrics of our own get their names."""


def judged(expressions, folder):
    """What promtool says of expressions, with the variable put in as Grafana does."""
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$rack", "pod-01-su-01-rack-01")}
        for number, text in enumerate(expressions)
    ]
    with (folder / "rules.yml").open("w") as file:
        YAML().dump({"groups": [{"name": "panels", "rules": rules}]}, file)
    found = program("promtool")
    assert found, "promtool is not installed: see gigasite doctor"
    return subprocess.run(
        [found, "check", "rules", folder / "rules.yml"], capture_output=True, text=True, check=False
    )


def test_prometheus_takes_every_query(tmp_path):
    expressions = [one.expression for one in queries()]
    done = judged(expressions, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions)} rules found" in done.stdout
    assert judged([*expressions, "sum(up"], tmp_path).returncode != 0


def test_each_metric_of_ours_is_told_by_somebody():
    names = {
        name
        for one in queries()
        for name in re.findall(r"\b(?:DCGM_|gpu_health_|slurm_|gigasite[_:])[\w:]+", one.expression)
    }
    assert len(names) > 10
    assert {name for name in names if name not in TOLD} == set()


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_panels_have_a_place_of_their_own(name):
    panels = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places), "Grafana's page is 24 wide"
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_links_lead_to_boards_and_their_variables():
    text = json.dumps(BOARDS)
    known = {board["uid"]: {one["name"] for one in board["templating"]["list"]} for board in BOARDS.values()}
    links = re.findall(r"/d/([\w-]+)(?:\?var-(\w+)=)?", text)
    assert links
    for board, variable in links:
        assert board in known
        assert not variable or variable in known[board]
