"""Faults in the lab of these tests: the checks tell each, and what a user would do mends them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from infra import paths, spec
from infra.lab.driver import StandIn
from infra.plan import machines_of, plan
from tests.lab.fault_kinds import FAULTS
from tests.lab.faults import endure_together
from tests.lab.host_keys import put_key_back, refuse_everywhere, swap_key
from tests.lab.world import World

pytestmark = pytest.mark.lab

TOGETHER = ("killed-slurmctld", "garbled-file", "skewed-clock", "killed-bmc")
"""Different in kind, and none of them costs a boot."""
TRAY = "pod-01-su-01-rack-01-tray-02"
WAYS = (
    "verify lab --limit {name}",
    "configure lab --limit {name}",
    "apply {name} base.yml -s lab --verify",
)


def checks(lab, *words):
    """Runs the checks and returns (exit code, the checks)."""
    done = lab.run("verify", "lab", *words)
    kept = paths.out("lab") / ("verify-part.json" if words else "verify.json")
    return done.returncode, json.loads(kept.read_text())["checks"]


def passed(check):
    return check["outcome"] in {"passed", "skipped"}


@pytest.fixture
def world(lab):
    return World(lab, random.Random(7))


def test_a_stopped_service_fails_its_own_checks_and_no_others(world):
    world.within(TRAY, "systemctl stop chrony")
    try:
        code, found = checks(world.lab)
    finally:
        world.within(TRAY, "systemctl start chrony")
    assert code == 1
    failed = {
        (check["machine"], Path(check["id"].split("::")[0]).name) for check in found if not passed(check)
    }
    assert failed
    assert {machine for machine, _ in failed} == {TRAY}
    assert {file for _, file in failed} <= {"test_services.py", "test_time.py"}


def test_an_unplugged_cable_fails_the_checks_of_its_two_ends(lab):
    machines = machines_of(plan(spec.load_site("lab")))
    nic = next(machine for machine in machines if machine.name == TRAY).nics[0]
    with StandIn(paths.state("lab"), TRAY) as tray:
        tray.unplug(nic.name)
        try:
            code, found = checks(lab, "-k", "links or fabric")
        finally:
            tray.plug(nic.name)
    assert code == 1
    failed = {
        (check["machine"], check["id"].split("::")[1].split("[")[0]) for check in found if not passed(check)
    }
    assert (TRAY, "test_cables") in failed
    assert {machine for machine, _ in failed} <= {TRAY, nic.peer[0]}


def test_one_up_mends_several_faults_at_once(world):
    outcome = endure_together(world, [fault for fault in FAULTS if fault.name in TOGETHER])
    assert not outcome.failed
    assert world.lab.step("configure")["changes"]
    assert world.lab.step("verify")["outcome"] == "done"


def test_no_way_leads_to_a_machine_whose_host_key_is_anothers(world):
    swap_key(world, tray := "pod-01-su-01-rack-01-tray-01")
    try:
        refuse_everywhere(world, tray, WAYS)
    finally:
        put_key_back(tray)
    world.expect("rollout", "retry", "lab", "--failed")
    world.expect("verify", "lab", "--limit", tray)
