"""Faults of accelerators on trays that run: each drains its node, raises its alerts, leaves others alone."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra import paths
from infra.lab.accelerator.faults import KINDS
from infra.process import run

pytestmark = pytest.mark.lab

FIRST, SECOND = "pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"
FAULTS = YAML(typ="safe").load(Path(__file__).with_name("node_faults.yaml"))
MOST = 200
"""Characters of a reason, see playbooks/files/gpu_health/slurm.py."""
LIMIT_S = 300
"""Slurm's health check comes round each minute; an emulated machine that is busy takes its time."""


def ssh(name, command):
    config = paths.state("lab") / "ssh_config"
    done = run(["ssh", "-F", config, name, command], check=False, timeout=120)
    assert done.returncode == 0, f"{name}: `{command}`: {done.stderr}"
    return done.stdout


def states():
    """State and reason of each node; Slurm 24.11 keeps the reason of one that was resumed."""
    lines = ssh("lab-head", "sinfo --noheader --Node --format='%N|%T|%E'").splitlines()
    found = (line.split("|") for line in lines)
    return {name: (state, "none" if state == "idle" else why) for name, state, why in found}


def alerts():
    """Machine and check of each alert that fires; one of another kind has its own name instead."""
    text = ssh("lab-head", "curl -fsS -m 20 http://127.0.0.1:9090/api/v1/alerts")
    firing = [one["labels"] for one in json.loads(text)["data"]["alerts"] if one["state"] == "firing"]
    named = {(one.get("instance"), one.get("check", one["alertname"])) for one in firing}
    return named - {(None, "Watchdog")}


def checks_in(reason):
    """Names of the checks that a reason tells: `ecc` of `ecc: gpu 1: …; gpu 1: …; xid: …`."""
    return re.findall(r"(?:^|; )([a-z]+): ", reason)


def check_now(name):
    """Run what slurmd runs each minute, so that a test of many faults need not wait for each round."""
    ssh(name, "sudo /usr/local/sbin/gpu_health_slurm")


@pytest.fixture
def put(lab):
    """Puts a fault into a tray; all of both trays are mended afterwards."""

    def fault(tray, words):
        assert lab.run("lab", "fault", tray, *words.split()).returncode == 0

    yield fault
    for tray in (FIRST, SECOND):
        fault(tray, "clear")
        check_now(tray)
    _until({FIRST: ("idle", "none"), SECOND: ("idle", "none")})
    _until(set(), alerts)


def test_the_table_has_every_kind_of_fault():
    assert {row["fault"].split()[0] for row in FAULTS} == set(KINDS)


def test_slurm_itself_drains_a_node_that_loses_an_accelerator_and_resumes_it(lab, put):
    """Nobody asks: slurmd runs the check."""
    assert states() == {FIRST: ("idle", "none"), SECOND: ("idle", "none")}
    put(FIRST, "gpu 2 xid 79")
    (row,) = [row for row in FAULTS if row["fault"] == "xid 79"]
    drained = ("drained", f"gpu_health: {row['reason'].format(gpu=2)}")
    _until({FIRST: drained, SECOND: ("idle", "none")})
    _until({(FIRST, check) for check in checks_in(row["reason"])}, alerts)
    # a job goes where it can, and a drained node takes none
    assert ssh("lab-head", "cd / && sudo srun --time=1 --gres=gpu:1 hostname").strip() == SECOND
    put(FIRST, "gpu 2 clear")
    _until({FIRST: ("idle", "none"), SECOND: ("idle", "none")})
    _until(set(), alerts)


def _until(wanted, ask=states):
    end = time.monotonic() + LIMIT_S
    while ask() != wanted and time.monotonic() < end:
        time.sleep(2)
    assert ask() == wanted


@pytest.mark.parametrize(
    "kinds", [("ecc 7", "nvlink 3", "hot 95", "clock 345"), ("lost", "xid 48")], ids=" and ".join
)
def test_each_kind_of_fault_drains_its_node_for_its_reason(lab, put, kinds):
    """Several at once, each at an accelerator of its own: the node's reason names them all."""
    reasons = {row["fault"]: row["reason"] for row in FAULTS}
    for gpu, kind in enumerate(kinds):
        put(SECOND, f"gpu {gpu} {kind}")
    check_now(SECOND)
    check_now(FIRST)
    reason = "; ".join(reasons[kind].format(gpu=gpu) for gpu, kind in enumerate(kinds))
    _until({FIRST: ("idle", "none"), SECOND: ("drained", f"gpu_health: {reason}"[:MOST])})
    _until({(SECOND, check) for kind in kinds for check in checks_in(reasons[kind])}, alerts)
