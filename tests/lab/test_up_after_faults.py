"""Some of the faults of `fault_kinds.py` in the lab of these tests: what a user would do mends them."""

from __future__ import annotations

import random

import pytest

from tests.lab.fault_kinds import FAULTS
from tests.lab.faults import endure_together
from tests.lab.host_keys import put_key_back, refuse_everywhere, swap_key
from tests.lab.world import World

pytestmark = pytest.mark.lab

TOGETHER = ("killed-slurmctld", "garbled-file", "skewed-clock", "killed-bmc")
"""Different in kind, and none of them costs a boot."""
WAYS = (
    "verify lab --limit {name}",
    "configure lab --limit {name}",
    "apply {name} base.yml -s lab --verify",
)


@pytest.fixture
def world(lab):
    return World(lab, random.Random(7))


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
