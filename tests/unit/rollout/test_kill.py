"""kill -9 of the controller at any moment: what is unfinished is done, and nothing is done twice."""

from __future__ import annotations

import multiprocessing
import random
import time

import pytest

from infra.errors import UserError
from infra.rollout import rollouts
from infra.rollout.ledger import Step

pytestmark = pytest.mark.unit

FORK = multiprocessing.get_context("fork")
TRAYS = 144


def begin(plan):
    rollouts.begin(plan, lambda _: None)


def resume(plan):
    """Go on, or begin if the rollout had not its name yet."""
    if rollouts.ids(plan.site):
        rollouts.go_on(plan.site, lambda _: None)
    else:
        begin(plan.model_copy(update={"id": f"{plan.id}-again"}))


def controller(work, plan):
    """A controller in a process of its own."""
    process = FORK.Process(target=work, args=(plan,))
    process.start()
    return process


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_controller_is_gone_on_with_and_nothing_is_done_twice(fleet, lay_out, seed):
    fleet.options = {"latency": 0.02, "at_once": 10, "reboots": True}
    plan = lay_out(reboot=True, waves={"shape": "exponential", "size": 10, "factor": 3}, canaries=2)
    moments = random.Random(seed)
    process = controller(begin, plan)
    kills = 0
    while True:
        process.join(moments.uniform(0.01, 0.9))
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
        if kills == 4:
            resume(plan)
            break
        process = controller(resume, plan)
    assert kills or process.exitcode == 0
    found = fleet.open().rows()
    assert len(found) == TRAYS
    assert {row["applies"] for row in found.values()} == {1}
    assert {row["reboots"] for row in found.values()} == {1}
    assert {row["out"] for row in found.values()} == {""}
    assert rollouts.state_of("reference", rollouts.ids("reference")[-1])[0] == "done"
    waves = rollouts.ledger_of(rollouts.read("reference")).counts()
    assert [wave["done"] for wave in waves.values()] == [2, 10, 30, 90, 12]


def test_the_moments_reach_every_step(fleet, lay_out):
    """The kills above mean something only if steps are in doubt when they come."""
    fleet.options = {"latency": 0.02, "at_once": 10, "reboots": True}
    plan = lay_out(reboot=True, canaries=0)
    seen = set()
    process = controller(begin, plan)
    end = time.monotonic() + 30
    while process.exitcode is None and time.monotonic() < end and len(seen) < 5:
        try:
            seen |= {row.step for row in rollouts.ledger_of(plan).rows() if row.state == "running"}
        except UserError:
            time.sleep(0.01)
        except Exception:  # noqa: BLE001 (the ledger is being made)
            time.sleep(0.01)
        process.join(0.002)
    process.kill()
    process.join()
    assert seen >= {Step.DRAIN, Step.APPLY, Step.REBOOT, Step.PROVE}


def test_two_controllers_at_once_are_refused_with_owner_and_age(fleet, lay_out):
    fleet.options = {"latency": 0.2, "at_once": 10}
    plan = lay_out(canaries=0)
    process = controller(begin, plan)
    try:
        _until_running(plan)
        with pytest.raises(UserError, match=r"are held by \w+ on .* \(process \d+, for 0 min: rollout"):
            resume(plan)
    finally:
        process.kill()
        process.join()
    resume(plan)
    assert {row["applies"] for row in fleet.open().rows().values()} == {1}


def test_an_aborted_rollout_ends_its_controller_and_stays_ended(fleet, lay_out):
    fleet.options = {"latency": 0.1, "at_once": 10}
    plan = lay_out(canaries=0)
    process = controller(begin, plan)
    _until_running(plan)
    rollouts.abort("reference")
    process.join(20)
    assert process.exitcode not in {None, 0}, "the fenced controller went on"
    done = sum(row["applies"] for row in fleet.open().rows().values())
    assert done < TRAYS
    with pytest.raises(UserError, match="was aborted"):
        resume(plan)


def _until_running(plan):
    end = time.monotonic() + 30
    while rollouts.state_of(plan.site, plan.id)[0] != "running" or not _begun(plan):
        assert time.monotonic() < end
        time.sleep(0.01)


def _begun(plan):
    return bool(rollouts.ledger_of(plan).rows())
