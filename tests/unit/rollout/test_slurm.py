"""Draining and resuming by Slurm's own commands, with a head that answers as scontrol and squeue do."""

from __future__ import annotations

import re

import pytest

from infra import paths
from infra.errors import UserError
from infra.rollout import cordon
from infra.rollout.slurm import Slurm, resume_repaired

pytestmark = pytest.mark.unit


class Head:
    """Answers commands; jobs end after some looks at the queue."""

    def __init__(self, jobs=None, looks=0, away=0, stuck=()):
        self.jobs, self.looks, self.away, self.stuck = dict(jobs or {}), looks, away, set(stuck)
        self.states, self.said, self.who = {}, [], {}
        self.shown = "drained"
        self.early = set()

    def update(self, names, state, reason):
        """Change nodes; one that is in service already is refused, and so are the others."""
        if state == "RESUME" and (back := self.early & set(names)):
            self.early -= back
            for name in back:
                del self.states[name]
            return 1, "slurm_update error: Invalid node state specified"
        for name in names:
            if state == "RESUME" and name not in self.stuck:
                self.states.pop(name, None)
            elif state == "DRAIN":
                self.states[name] = reason.strip("'")
        return 0, ""

    def __call__(self, command):
        self.said.append(command)
        if self.away:
            self.away -= 1
            return 1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
        if match := re.search(r"update NodeName=(\S+) State=(\w+)(?: Reason=(.*))?$", command):
            return self.update(match[1].split(","), match[2], match[3])
        if command.startswith("squeue"):
            self.looks -= 1
            if self.looks < 0:
                self.jobs.clear()
            return 0, "".join(f"{job} {node}\n" for job, nodes in self.jobs.items() for node in nodes)
        if command.startswith("sinfo"):
            return 0, "".join(
                f"{name}|{self.shown}|{self.who.get(name, 'root')}|{why}\n"
                for name, why in self.states.items()
            ) + "other|idle|Unknown|none\n"
        if "requeue" in command or "scancel" in command:
            self.jobs.clear()
        return 0, ""


def slurm(head, away=1.0):
    return Slurm("lab", "head", ["t1", "t2"], call=head, pause=0.001, away=away)


def test_jobs_are_waited_for_and_others_need_no_drain():
    head = Head({"7": ["t1"]}, looks=3)
    assert dict(slurm(head).drain(["t1", "t2", "storage"], "gigasite x", 5, "wait")) == dict.fromkeys(
        ["storage", "t1", "t2"]
    )
    assert head.states == {"t1": "gigasite x", "t2": "gigasite x"}


def test_a_job_that_does_not_end_fails_its_machine_and_is_left_alone():
    head = Head({"7": ["t1"], "8": ["t1", "t9"]}, looks=10**6)
    found = dict(slurm(head).drain(["t1", "t2"], "r", 0.02, "wait"))
    assert found == {"t1": "jobs 7, 8 still ran after 0 s; policy: wait", "t2": None}
    assert set(head.jobs) == {"7", "8"}


@pytest.mark.parametrize(("policy", "verb"), [("requeue", "scontrol requeue 7,8"), ("cancel", "scancel 7 8")])
def test_jobs_that_stay_are_requeued_or_cancelled_by_policy(policy, verb):
    head = Head({"7": ["t1"], "8": ["t1"]}, looks=10**6)
    assert dict(slurm(head).drain(["t1"], "r", 0.01, policy)) == {"t1": None}
    assert any(verb in said for said in head.said)


def test_a_controller_that_is_away_while_draining_is_waited_for():
    assert dict(slurm(Head(away=4)).drain(["t1"], "r", 5, "wait")) == {"t1": None}
    with pytest.raises(UserError, match=r"head: .*Unable to contact slurm controller"):
        dict(slurm(Head(away=10**6), away=0.02).drain(["t1"], "r", 5, "wait"))


def test_resume_says_whom_slurm_keeps_out():
    head = Head(stuck=["t2"])
    control = slurm(head)
    list(control.drain(["t1", "t2"], "gigasite x", 5, "wait"))
    assert dict(control.resume(["t1", "t2", "storage"])) == {
        "storage": None, "t1": None, "t2": "Slurm keeps it out: gigasite x",
    }  # fmt: skip
    assert control.out() == {"t2": "gigasite x"}


def test_a_node_that_came_back_by_itself_meanwhile_is_in_service():
    head = Head()
    control = slurm(head)
    list(control.drain(["t1", "t2"], "gigasite x", 5, "wait"))
    head.early = {"t1"}
    assert dict(control.resume(["t1", "t2"])) == {"t1": None, "t2": None}
    assert control.out() == {}
    assert any(line.endswith("NodeName=t2 State=RESUME") for line in head.said)


def test_a_reason_cannot_become_a_command():
    head = Head()
    slurm(head).hold({"t1": "it's; rm -rf /"})
    assert "Reason='it'\"'\"'s; rm -rf /'" in head.said[-1]


# sinfo of Slurm 24.11 shows a drained node that registered with too little as `inval`
@pytest.mark.parametrize("shown", ["drained", "inval"])
def test_what_slurm_took_out_itself_is_given_back_and_what_a_person_drained_is_not(
    tmp_path, monkeypatch, shown
):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    head, said = Head(), []
    head.shown = shown
    head.states = {
        "t1": "gres/gpu count reported lower than configured (3 < 4)",
        "t2": "ada looks at its fans",
    }
    head.who = {"t1": "slurm(64030)", "t2": "root(0)"}
    assert resume_repaired("lab", said.append, slurm(head)) == ["t1"]
    assert list(head.states) == ["t2"]
    assert said == [
        "t1: back in Slurm, which had taken it out: gres/gpu count reported lower than configured (3 < 4)"
    ]


def test_a_node_of_a_rollout_that_holds_it_stays_out(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    cordon.update("lab", {"t1": "canary failed"})
    head = Head()
    head.states, head.who = {"t1": "Node unexpectedly rebooted"}, {"t1": "slurm"}
    assert resume_repaired("lab", lambda _: None, slurm(head)) == []
    assert list(head.states) == ["t1"]
