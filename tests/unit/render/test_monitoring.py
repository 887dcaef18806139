"""Monitoring: the plan's machines are read; an alert is raised by what it is for and by nothing else."""

from __future__ import annotations

import re
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import machines as hand
import pytest
from ruamel.yaml import YAML

from infra.lab.prerequisites import program
from infra.plan import findings, plan
from infra.render import machine_facts, render_files
from infra.spec import load_site, load_text
from tests.waiting import until

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
    assert {one["labels"]["instance"] for one in targets} == {
        *hand.TRAYS,
        hand.STORE,
        hand.HEAD,
        hand.LEAF,
        hand.SPINE,
    }
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


def test_logs_go_to_the_monitoring_server_and_are_kept_there_alone(facts, site, tmp_path):
    having = {}
    for name in (*hand.TRAYS, hand.STORE, hand.HEAD, hand.LEAF):
        written = {file.path: file.text for file in render_files(facts[name], site)}
        text = having[name] = written["/etc/rsyslog.conf"]
        assert ("/etc/logrotate.d/gigasite" in written) == (name == hand.HEAD)
        assert ('input(type="imtcp"' in text) == (name == hand.HEAD)
        assert ('target="10.255.0.4"' in text) == (name != hand.HEAD)
        (tmp_path / "rsyslog.conf").write_text(text)
        done = ask("rsyslogd", "-N1", "-f", tmp_path / "rsyslog.conf")
        assert done.returncode == 0, done.stderr
        if name == hand.HEAD:
            (tmp_path / "rotate").write_text(written["/etc/logrotate.d/gigasite"])
            done = ask("logrotate", "--debug", tmp_path / "rotate")
            assert done.returncode == 0, done.stderr
    (tmp_path / "rsyslog.conf").write_text(having[hand.HEAD].replace("omfile", "omfilx"))
    assert ask("rsyslogd", "-N1", "-f", tmp_path / "rsyslog.conf").returncode != 0


def test_what_others_sent_is_kept_by_their_names_and_not_sent_on(facts, site, tmp_path):
    """A real rsyslogd of one of two monitoring servers; a name that would lead elsewhere stays a name."""
    both = replace(site, monitors=(hand.HEAD, hand.STORE))
    files = {file.path: file.text for file in render_files(facts[hand.HEAD], both)}
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = files["/etc/rsyslog.conf"]
        text = re.sub(r'"im(tcp|udp)" port="514"', rf'"im\1" address="127.0.0.1" port="{port}"', text)
        assert 'target="10.255.0.3" port="514"' in text
        text = text.replace(
            'target="10.255.0.3" port="514"', f'target="127.0.0.1" port="{other.getsockname()[1]}"'
        )
        text = text.replace("/var/log/site", str(tmp_path / "site")).replace(
            "/var/spool/rsyslog", str(tmp_path)
        )
        text = re.sub(r"module\(load=\"imjournal\".*\n", "", text)
        (tmp_path / "rsyslog.conf").write_text(text)
        with running(program("rsyslogd"), "-n", "-iNONE", "-f", tmp_path / "rsyslog.conf"):
            for name in ("tray-1", "../../tray-2"):
                send(port, f"<13>1 2026-11-27T12:00:00Z {name} test - - - hello from {name}\n")
            wanted = {"tray-1.log", ".._.._tray-2.log"}
            until(lambda: {file.name for file in (tmp_path / "site").glob("*")} == wanted)
            until(lambda: "hello from tray-1" in (tmp_path / "site" / "tray-1.log").read_text())
        assert not list(tmp_path.glob("tray-2*"))
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()


@contextmanager
def running(*words):
    """A daemon, until it has ended: what it had still to send is sent or kept by then."""
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def send(port, text):
    def connects():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
                one.sendall(text.encode())
        except ConnectionRefusedError:
            return False
        return True

    until(connects)


def _jobs(text):
    return YAML(typ="safe").load(text)["scrape_configs"]


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else(files, tmp_path):
    """`promtool test rules`: made-up series of an hour's minutes, and which alerts fire when."""
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    done = ask("promtool", "test", "rules", tmp_path / "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    cases = YAML(typ="safe").load(ALERTS)["tests"]
    tried = {one["alertname"] for case in cases for one in case["alert_rule_test"] if one.get("exp_alerts")}
    rules = YAML(typ="safe").load(files["rules/gigasite.yml"])
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert tried == alerts


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tcp/22, tcp/9100], reason: the head", "tcp/22], reason: the head", ["metrics of zone `storage`"]),
        ('udp/53, tcp/514], reason: "time,', 'udp/53, udp/514], reason: "time,',
         ["logs of zone `storage`"]),
        # its switches are ordinary machines
        ("[tcp/22, tcp/9100], reason: administration and metrics", "[tcp/22], reason: administration",
         ["metrics of zone `network`"]),
        # switches may send by UDP
        ("[udp/123, tcp/514], reason: the time server and logs}", "[udp/123, udp/514], reason: x}", []),
        ("  monitoring: head\n", "", []),
        # two heads read each other's too
        ("role: management, platform: lab-vm,", "role: management, platform: lab-vm, count: 2,",
         ["metrics of zone `management`", "logs of zone `management`"]),
    ],
)  # fmt: skip
def test_a_zone_that_keeps_monitoring_out_is_told(old, new, told):
    assert old in LAB
    found = [
        one.message
        for one in findings(plan(load_text(LAB.replace(old, new))))
        if one.id == "monitoring-blocked"
    ]
    assert len(found) == len(told)
    for message, part in zip(found, told, strict=True):
        assert part in message
    assert not [one for one in findings(plan(load_text(LAB))) if one.id == "monitoring-blocked"]


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_shipped_sites_let_their_monitoring_in(name):
    text = (FOLDER / name / "site.yaml").read_text()
    assert "monitoring: head" in text
    assert not [one for one in findings(plan(load_site(name))) if one.id == "monitoring-blocked"]
