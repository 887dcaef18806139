"""Monitoring: the plan's machines are read; an alert is raised by what it is for and by nothing else."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import machines as hand
import pytest
from ruamel.yaml import YAML

from infra.lab.prerequisites import program
from infra.plan import findings, plan
from infra.render import machine_facts, render_files
from infra.spec import load_site, load_text

pytestmark = pytest.mark.unit

ALERTS = Path(__file__).with_name("alerts.yaml")
FOLDER = Path(__file__).parents[3] / "inventories"
LAB = (FOLDER / "lab" / "site.yaml").read_text()


@pytest.fixture
def files(facts, site, tmp_path):
    """The head's files of monitoring in a folder, by name."""
    written = {}
    for file in render_files(facts[hand.HEAD], site):
        if file.path.startswith("/etc/prometheus/"):
            place = tmp_path / Path(file.path).relative_to("/etc/prometheus")
            place.parent.mkdir(exist_ok=True)
            place.write_text(file.text)
            written[str(place.relative_to(tmp_path))] = place
    return written


def ask(name, *words):
    found = program(name)
    assert found, f"{name} is not installed: see gigasite doctor"
    return subprocess.run([found, *words], capture_output=True, text=True, check=False)


def test_its_own_programs_take_every_file(files):
    assert set(files) == {
        "prometheus.yml", "rules/gigasite.yml", "targets/gigasite.yml", "alertmanager.yml"
    }  # fmt: skip
    for name, words in (
        ("promtool", ["check", "config", "--syntax-only", files["prometheus.yml"]]),
        ("promtool", ["check", "rules", files["rules/gigasite.yml"]]),
        ("amtool", ["check-config", files["alertmanager.yml"]]),
    ):
        done = ask(name, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        words[-1].write_text(words[-1].read_text().replace("expr: up", "expr: up{").replace("route", "rout3"))
        words[-1].write_text(words[-1].read_text().replace("scrape_interval: ", "scrape_interval: x"))
        assert ask(name, *words).returncode != 0, f"{name} takes anything"


def test_machines_of_the_plan_are_read_with_their_place(files):
    targets = YAML(typ="safe").load(files["targets/gigasite.yml"])
    assert {one["labels"]["instance"] for one in targets} == {*hand.TRAYS, hand.STORE, hand.HEAD}
    (tray,) = [one for one in targets if one["labels"]["instance"] == hand.TRAYS[0]]
    assert tray == {
        "targets": ["10.255.0.1:9100"],
        "labels": {"instance": hand.TRAYS[0], "role": "tray", "pod": "pod-01"},
    }
    (job,) = [one for one in _jobs(files["prometheus.yml"].read_text()) if one["job_name"] == "machines"]
    rules = {rule["target_label"]: rule["regex"] for rule in job["relabel_configs"]}
    name = "pod-03-su-12-rack-04-tray-17"
    assert re.fullmatch(rules["rack"], name)[1] == "pod-03-su-12-rack-04"
    assert re.fullmatch(rules["su"], name)[1] == "pod-03-su-12"
    assert not re.fullmatch(rules["rack"], "lab-storage-01")


def test_several_servers_share_the_pods(hand_made, site):
    assert site.monitors == (hand.HEAD,)
    shares = []
    for name in (hand.HEAD, hand.STORE):
        both = replace(site, monitors=(hand.HEAD, hand.STORE))
        facts = replace(machine_facts(hand_made[hand.HEAD], hand_made, both), name=name)
        text = next(
            file.text for file in render_files(facts, both) if file.path == "/etc/prometheus/prometheus.yml"
        )
        (job,) = [one for one in _jobs(text) if one["job_name"] == "machines"]
        share, keep = job["relabel_configs"][:2]
        assert (share["action"], share["modulus"], keep["action"]) == ("hashmod", 2, "keep")
        shares.append(keep["regex"])
    assert shares == ["0", "1"]


def _jobs(text):
    return YAML(typ="safe").load(text)["scrape_configs"]


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else(files, tmp_path):
    """`promtool test rules`: made-up series of an hour's minutes, and which alerts burn when."""
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    done = ask("promtool", "test", "rules", tmp_path / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    cases = YAML(typ="safe").load(ALERTS)["tests"]
    tried = {one["alertname"] for case in cases for one in case["alert_rule_test"] if one.get("exp_alerts")}
    rules = YAML(typ="safe").load(files["rules/gigasite.yml"])
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert tried == alerts


def test_a_zone_that_keeps_the_servers_out_is_told():
    def told(text):
        return [one.message for one in findings(plan(load_text(text))) if one.id == "metrics-blocked"]

    assert told(LAB) == []
    (message,) = told(LAB.replace("tcp/22, tcp/9100], reason: the head", "tcp/22], reason: the head"))
    assert "zone `storage`" in message
    assert "from `management`" in message
    assert told(LAB.replace("tcp/9100", "udp/9100").replace("  monitoring: head\n", "")) == []
    # two heads read each other's too
    both = LAB.replace("role: management, platform: lab-vm,", "role: management, platform: lab-vm, count: 2,")
    assert ["zone `management`" in one for one in told(both)] == [True]


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_shipped_sites_let_their_monitoring_in(name):
    text = (FOLDER / name / "site.yaml").read_text()
    assert "monitoring: head" in text
    assert not [one for one in findings(plan(load_site(name))) if one.id == "metrics-blocked"]
