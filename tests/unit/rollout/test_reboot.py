"""A change that needs a reboot, over four simulated trays under jobs, with Slurm's own commands to a head."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from infra.errors import UserError
from infra.rollout import rollouts
from infra.rollout.policy import Service
from infra.rollout.simulated import SimulatedFleet
from infra.rollout.slurm import Slurm

pytestmark = pytest.mark.unit

QUIET = lambda _: None  # noqa: E731
TRAYS = [f"pod-01-su-01-rack-01-tray-{number:02}" for number in range(1, 5)]


class Head:
    """Answers as scontrol, squeue and sinfo do; jobs end after some looks at the queue, or never."""

    def __init__(self):
        self.jobs = {"7": (set(TRAYS[:2]), 4), "8": ({TRAYS[2]}, None)}
        self.out, self.ended, self.taken = {}, [], []

    def __call__(self, command):
        if match := re.search(r"update NodeName=(\S+) State=(\w+)(?: Reason=(.*))?$", command):
            for name in match[1].split(","):
                if match[2] == "DRAIN":
                    self.out[name] = match[3].strip("'")
                else:
                    self.out.pop(name, None)
        elif command.startswith("squeue"):
            return 0, "".join(f"{job} {node}\n" for job in self._look() for node in self.jobs[job][0])
        elif command.startswith("sinfo"):
            return 0, "".join(f"{name}|drained|root|{why}\n" for name, why in self.out.items())
        elif match := re.search(r"(requeue|scancel) (.*)$", command):
            for job in re.split(r"[ ,]", match[2]):
                self.taken.append((match[1], job))
                del self.jobs[job]
        return 0, ""

    def _look(self):
        for job, (nodes, looks) in list(self.jobs.items()):
            if looks == 0:
                self.ended.append(job)
                del self.jobs[job]
            elif looks is not None:
                self.jobs[job] = nodes, looks - 1
        return list(self.jobs)

    def busy(self):
        return {node for nodes, _ in self.jobs.values() for node in nodes}


@pytest.fixture
def world(home, monkeypatch):
    """The trays and their Slurm; nothing may happen to a tray that a job is on or that takes jobs."""
    head = Head()

    class Trays(SimulatedFleet):
        def apply(self, content):
            self.check(content)
            yield from super().apply(content)

        def reboot(self, hosts):
            self.check(hosts)
            yield from super().reboot(hosts)

        def check(self, hosts):
            assert not head.busy() & set(hosts), "a job was on it"
            assert set(hosts) <= set(head.out), "jobs could have come to it"

    fleet = Trays(home / "fleet.sqlite", reboots=True)
    fleet.add(TRAYS)
    service = Slurm("reference", "head", TRAYS, call=head, pause=0.001, away=1.0)
    monkeypatch.setattr(rollouts, "world_of", lambda _: (fleet, service))
    return fleet, head


def plan_of(lay_out, jobs):
    return lay_out(
        ":".join(TRAYS), canaries=1, failures=1, reboot=True, budget=({"domain": "rack", "most": 2},),
        service=Service(drain_limit="0.2 s", jobs=jobs),
    )  # fmt: skip


def test_trays_reboot_once_their_jobs_have_ended_and_a_protected_job_is_never_lost(world, lay_out):
    fleet, head = world
    plan = plan_of(lay_out, "wait")
    assert [wave.canary for wave in plan.waves] == [True, False]
    with suppress(UserError):  # a machine failed: how a rollout ends then is not the question here
        rollouts.begin(plan, QUIET)
    found = fleet.rows()
    through = [TRAYS[0], TRAYS[1], TRAYS[3]]
    assert {name: (found[name]["applies"], found[name]["reboots"]) for name in TRAYS} == {
        **dict.fromkeys(through, (1, 1)),
        TRAYS[2]: (0, 0),
    }
    assert not any(found[name]["needs"] for name in through)
    assert (head.ended, head.taken, set(head.jobs)) == (["7"], [], {"8"})
    assert set(head.out) == {TRAYS[2]}
    assert "jobs 8 still ran" in head.out[TRAYS[2]]
    # Its job ends, the tray's turn comes; nobody else is rebooted again.
    head.jobs["8"] = {TRAYS[2]}, 0
    rollouts.go_on("reference", QUIET, retry=True)
    assert {(row["applies"], row["reboots"]) for row in fleet.rows().values()} == {(1, 1)}
    assert head.out == {}
    assert head.ended == ["7", "8"]


def test_a_job_that_the_policy_lets_go_is_requeued_and_not_killed(world, lay_out):
    fleet, head = world
    rollouts.begin(plan_of(lay_out, "requeue"), QUIET)
    assert {(row["applies"], row["reboots"]) for row in fleet.rows().values()} == {(1, 1)}
    assert head.ended == ["7"]
    assert head.taken == [("requeue", "8")]
    assert head.out == {}
