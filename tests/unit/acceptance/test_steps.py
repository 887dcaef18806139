"""The steps of the acceptance suite: each prints what the suite's checks read, and what is not well."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra.acceptance import breakfix, cluster, exposure
from infra.acceptance.__main__ import main
from infra.acceptance.node import Node
from infra.acceptance.steps import STEPS, run_step
from infra.paths import ROOT
from infra.provider.drivers import Power
from tests.unit.acceptance.contract import differences
from tests.unit.acceptance.slurm import Slurm

pytestmark = pytest.mark.unit

CONTRACT = YAML(typ="safe").load(Path(__file__).with_name("contract.yaml"))
CONFIGS = sorted((ROOT / "integrations" / "ai-cloud-validation" / "config").glob("*.yaml"))
TRAY = "pod-01-su-01-rack-01-tray-01"
OTHER = "pod-01-su-01-rack-01-tray-02"
SLURM = {
    "sinfo --noheader --Node --format='%R|%N|%G'": "".join(
        f"{part}|{tray}|gpu:lab:4(S:0)\n" for part in ("main", "gpu") for tray in (TRAY, OTHER)
    ),
    "scontrol show config *": "lab\n",
    "sinfo --noheader --Node --format='%N %T'": f"{TRAY} idle\n{OTHER} mixed\n",
    "squeue --noheader --states=running*": f"7|ada|{OTHER}\n",
    "scontrol show hostnames *": f"{OTHER}\n",
    "stat --format=*": "1764200000\n",
    "logger *": "",
    "journalctl *": "2026-11-26T20:00:00+00:00 tray kernel: x\n",
    "scontrol update *": "",
    "scancel *": "",
}


@pytest.fixture
def lab(world, monkeypatch):
    """The lab's machines, and a scheduler that runs the first job and keeps the second waiting."""
    jobs = []
    monkeypatch.setattr(cluster, "PENDING_S", 0)
    monkeypatch.setattr(breakfix, "inject", lambda _name, words, _sites: faults.append(words))
    faults = []

    def submit(_name):
        jobs.append(f"{len(jobs) + 1}")
        return jobs[-1]

    world.answers = {
        **SLURM,
        "cd /tmp && sudo -u gigasite sbatch *": submit,
        "sinfo --noheader --nodes=* --format=%T": "draining\n",
        "squeue --noheader --jobs=1 *": "RUNNING\n",
        "squeue --noheader --jobs=2 *": "PENDING\n",
    }
    world.slurm = Slurm((TRAY, OTHER))
    world.programs = [world.slurm, Shared()]
    world.answers |= {
        "sinfo --noheader --Node --nodes=* --format='%T|%E'": lambda _name: (
            "drained|gpu_health: lost\n" if faults and faults[-1] != ["clear"] else "idle|none\n"
        ),
        "scontrol show config": (
            "HealthCheckInterval = 60 sec\nHealthCheckProgram = /usr/local/sbin/gpu_health_slurm\n"
        ),
        "systemctl is-active slurmd*": "active\n",
        "gpu_health --json*": '{"state": "healthy"}',
        "*read_accelerators*": json.dumps(
            {"gpus": [{"fabric": [3, 0, "6ba7b811-9dad-11d1-80b4-00c04fd430c8"], "links": [1]}] * 4}
        ),
        "*dev/tcp*": "",
        "python3 -c *": "",
    }
    return world


class Shared:
    """A filesystem that two trays share: its locks, and whose root's files are."""

    def __init__(self):
        self.held, self.squash, self.owners = None, True, {}

    def __call__(self, _name, command):  # noqa: C901, PLR0911 (one a command)
        if command.startswith("repquota"):
            return "#64991,soft,ok,2048,1024,4096,7days,1,0,0,\n"
        if command.startswith("du "):
            return "12288\n"
        if command.startswith("setpriv") and "count=8" in command:
            return "dd: error writing: Disk quota exceeded\n"
        if command.startswith("findmnt"):
            return "rw,vers=4.2,local_lock=none\n"
        if command.startswith("systemd-run"):
            self.held = "--exclusive" if "--exclusive" in command else "--shared"
            return ""
        if command.startswith("systemctl is-active gigasite-acceptance-lock"):
            return "active\n"
        if command.startswith("systemctl stop gigasite-acceptance-lock"):
            self.held = None
            return ""
        if command.startswith("flock"):
            free = self.held is None or (self.held == "--shared" and "--shared" in command)
            return "0\n" if free else "9\n"
        if command == "exportfs -s":
            return f"/srv/shared  10.0.0.0/8(rw,{'' if self.squash else 'no_'}root_squash)\n"
        if command.startswith("exportfs -i -o"):
            self.squash = "no_root_squash" not in command
            return ""
        if command.startswith("stat --format=%u"):
            return "65534\n" if self.squash else "0\n"
        return "" if "gigasite-acceptance-" in command else None


@pytest.mark.parametrize("step", sorted(set(STEPS) - {"reinstall_instance"}))
def test_a_step_prints_what_the_suite_reads(lab, step, monkeypatch, tmp_path):
    monkeypatch.setattr("infra.acceptance.lifecycle.paths.state", lambda _site: tmp_path)
    console = tmp_path / "machines" / TRAY / "console.log"
    console.parent.mkdir(parents=True)
    console.write_text("login:")
    assert list(differences(run_step(step, "lab"), CONTRACT[step])) == []


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_step_that_is_configured_is_there(file):
    (suite,) = YAML(typ="safe").load(file)["commands"].values()
    for step in suite["steps"]:
        program, _, name = step["command"].partition(" ")
        assert program == "gigasite-step"
        assert name in STEPS


def test_the_programs_that_the_suite_calls_are_there():
    folder = ROOT / "integrations" / "ai-cloud-validation" / "bin"
    for name in ("gigasite-step", "sinfo", "srun", "sbatch", "squeue", "scontrol", "scancel", "sacct", "ssh"):
        subprocess.run(["sh", "-n", folder / name], check=True)


def test_a_node_that_lost_an_accelerator_is_not_healthy(lab):
    lab.lost[TRAY] = {2}
    (host, other) = run_step("query_host_health", "lab")["hosts"]
    assert not host["healthy"]
    assert [alert["message"] for alert in host["alerts"]] == ["3 of 4 answer"]
    assert other["healthy"]
    (rack,) = run_step("query_health_aggregation", "lab")["groups"]
    assert (rack["total"], rack["unhealthy"], rack["status"], rack["unhealthy_hosts"]) == (
        2,
        1,
        "Degraded",
        [TRAY],
    )
    assert run_step("query_governance_metrics", "lab")["metrics"]["healthy"] == {"nodes": 1, "gpus": 4}
    assert [one["health"] for one in run_step("verify_ingestion", "lab")["machines"]] == [
        "unhealthy",
        "healthy",
    ]


def test_a_hot_accelerator_is_an_alert(lab):
    lab.hot.add(OTHER)
    hosts = run_step("query_host_health", "lab")["hosts"]
    assert [[alert["id"] for alert in host["alerts"]] for host in hosts] == [[], ["thermal"]]


def test_a_machine_with_another_identity_is_missing(lab, monkeypatch):
    real = Node.facts
    other = "00000000-0000-0000-0000-000000000000"
    monkeypatch.setattr(
        Node, "facts", lambda node: replace(real(node), uuid=other) if node.name == OTHER else real(node)
    )
    found = run_step("verify_ingestion", "lab")
    assert (found["expected_count"], found["matched_count"]) == (2, 1)
    assert found["missing"] == [{"expected_machine_id": OTHER}]


def test_a_job_that_ends_with_its_node_is_no_cordon(lab):
    states = iter(["RUNNING\n", "\n"])
    lab.answers["squeue --noheader --jobs=1 *"] = lambda _name: next(states)
    operation = run_step("cordon_node", "lab")["operation"]
    assert operation["cordoned"]
    assert operation["existing_workloads_running"] is False
    assert any("State=RESUME" in command for _, command in lab.asked), "given back all the same"


def test_a_node_with_another_image_is_told(lab):
    lab.answers["cat /etc/os-release"] = "PRETTY_NAME=Debian\nVERSION_CODENAME=bookworm\n"
    assert run_step("verify_image", "lab")["error"] == f"{TRAY}: runs Debian bookworm, not trixie"


def test_power_is_cut_without_asking_the_operating_system(lab):
    run_step("power_cycle_instance", "lab")
    assert lab.boots[TRAY] == 2
    offs = [one for one in lab.switched if one[1] is Power.OFF]
    assert offs == [(TRAY, Power.OFF, False)]


def test_a_stopped_node_cannot_be_asked(lab, capsys):
    run_step("stop_instance", "lab")
    assert lab.power[TRAY] is Power.OFF
    assert main(["host_status_log", "--site", "lab"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"success": False, "platform": "bm", "error": f"{TRAY}: Connection refused"}


@pytest.mark.parametrize(
    ("site", "machine", "says"), [("lab", "nobody", "no tray nobody"), ("nowhere", None, "nowhere")]
)
def test_what_is_not_there_is_said(lab, site, machine, says):
    found = run_step("describe_instance", site, machine)
    assert not found["success"]
    assert says in found["error"]


@pytest.mark.parametrize(
    ("found", "wanted", "says"),
    [
        ({}, {"a": "str"}, "$.a is missing"),
        ({"a": ""}, {"a": "str"}, "not a str"),
        ({"a": True}, {"a": "int"}, "not a int"),
        ({"a": []}, {"a[]": {"b": "int"}}, "not a list with entries"),
        ({"a": [{"b": "x"}]}, {"a[]": {"b": "int"}}, "$.a[0].b"),
        ({"a": "off"}, {"a": "on"}, "'on'"),
        ([], {"a": "int"}, "not an object"),
    ],
)
def test_the_contract_finds_what_is_wrong(found, wanted, says):
    (told,) = differences(found, wanted)
    assert says in told


@pytest.mark.parametrize(
    ("step", "field"),
    [("capacity_reservation_grouping", "isolation_enforced"), ("return_node_maintenance", "accepted")],
)
def test_a_scheduler_that_lets_everybody_in_is_found(lab, step, field):
    lab.slurm.leaks = True
    found = run_step(step, "lab")
    assert found.get(field, found.get("operation", {}).get(field)) is False
    assert lab.slurm.reservation is None, "given back all the same"


def test_a_block_that_is_taken_in_part_is_found(lab):
    lab.slurm.nodes = (TRAY, OTHER, f"{OTHER}-more")
    block = run_step("topology_block_atomic_allocation", "lab")["topology_block"]
    assert not block["allocated_as_unit"]


def test_a_controller_that_a_tray_reaches_is_told(lab):
    lab.answers["*dev/tcp*"] = "10.0.2.2/21000\n"
    found = run_step("bmc_tenant_isolation", "lab")["tests"]["probe_redfish_port"]
    assert not found["passed"]
    assert f"{TRAY} reaches it" in found["error"]


def test_a_silent_switch_is_told(lab):
    lab.answers = {"journalctl *--dmesg*": "", **lab.answers}
    found = run_step("switch_kernel_logs", "lab")["tests"]["entries_queryable"]
    assert not found["passed"]
    assert "no entry on" in found["error"]


def test_accelerators_of_two_domains_are_told(lab):
    gpus = [{"fabric": [3, 0, name], "links": [1]} for name in "aabb"]
    lab.answers["*read_accelerators*"] = json.dumps({"gpus": gpus})
    found = run_step("nvlink_domain", "lab")["tests"]["nvlink_domain_id_present"]
    assert not found["passed"]


@pytest.mark.parametrize("oldest", ["TLSv1", "TLSv1_2"])
def test_an_old_protocol_is_seen_where_a_server_takes_it(oldest, tmp_path):
    """A real server of Python's own, once with TLS 1.0 and once from 1.2 on."""
    with tls_server(tmp_path, oldest) as port:
        assert exposure.accepts("127.0.0.1", port, (3, 1)) is (oldest == "TLSv1")
        assert not exposure.accepts("127.0.0.1", port, (3, 0))


@contextmanager
def tls_server(folder, oldest):
    """Answer TLS on a port of loopback from that version on; its port."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=localhost", "-days", "1"], check=True, capture_output=True,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion[oldest]
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=_answer, args=(door, context), daemon=True)
        thread.start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _answer(door, context):
    while True:
        try:
            line, _ = door.accept()
        except OSError:
            return
        with line, suppress(OSError):
            line.settimeout(5)
            context.wrap_socket(line, server_side=True).close()
