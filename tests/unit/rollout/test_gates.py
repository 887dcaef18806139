"""Each gate on good and on bad, and what it says it saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.rollout import approvals
from infra.rollout.blueprint import PlannedChange, PlannedWave
from infra.rollout.gates import KINDS, Gates
from infra.rollout.policy import Gate

pytestmark = pytest.mark.unit

WAVE = PlannedWave(number=2, hosts=("a", "b", "c", "d", "e"), megawatts=1.5)


class Nodes:
    """Machines whose command prints a number, or fails."""

    def __init__(self, **answers):
        self.answers = answers

    def prove(self, hosts, *_):
        for host in hosts:
            answer = self.answers.get(host, "100")
            if answer is not None:
                bad = answer.startswith("!")
                yield host, answer[1:] if bad else None, answer.strip("!")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, text="2026-11-26 12:00"):
        self.time = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


def ask(lay_out, nodes=None, *, clock=None, verify=None, grid=None, plan=None, **gate):
    clock = clock or Clock()
    world = Gates(
        plan or lay_out(), nodes or Nodes(), verify or (lambda *_: (True, "5 passed")), grid or list,
        clock.now, clock.sleep,
    )  # fmt: skip
    return world.ask(Gate(**gate), WAVE)


def test_health(lay_out):
    assert ask(lay_out, kind="health").saw == "services: well on 5 of 5 machines"
    answer = ask(
        lay_out, Nodes(b="!nvidia-persistenced.service failed", c=None), kind="health", command="true"
    )
    assert not answer.holds
    assert answer.saw == "true: bad on 2 of 5 machines: b: nvidia-persistenced.service failed and 1 more"


def test_verify(lay_out):
    asked = []
    assert ask(
        lay_out,
        verify=lambda *words: (asked.append(words), (True, "5 passed"))[1],
        kind="verify",
        select="time",
    ).holds
    assert asked == [("time", WAVE.hosts)]
    assert not ask(lay_out, verify=lambda *_: (False, "1 failed"), kind="verify").holds


def test_statistics(lay_out):
    good = {"a": "100", "b": "101", "c": "99.5", "d": "100.2", "e": "100.1"}
    assert "median 100.1" in ask(lay_out, Nodes(**good), kind="statistics", metric="bench").saw
    low = ask(lay_out, Nodes(**good | {"c": "60"}), kind="statistics", metric="bench")
    assert not low.holds
    assert "1 below: c 60" in low.saw
    # all alike, but all below what was declared: a median alone would not see it
    floor = ask(lay_out, Nodes(**dict.fromkeys("abcde", "50")), kind="statistics", metric="bench", floor=90)
    assert not floor.holds
    assert "floor 90" in floor.saw
    assert "printed no number" in ask(lay_out, Nodes(a="oops"), kind="statistics", metric="bench").saw
    assert not ask(lay_out, Nodes(a=None), kind="statistics", metric="bench").holds


def test_grid_keeps_the_declared_ramp(lay_out):
    clock = Clock()
    last = clock.now().timestamp() - 100
    world = Gates(
        lay_out(), Nodes(), lambda *_: (True, ""), list, clock.now, clock.sleep, ramp=0.5, moved=lambda: last
    )
    answer = world.ask(Gate(kind="grid"), WAVE)
    assert answer.holds
    assert answer.saw.endswith("the wave moves 1.5 MW, which takes 180 s at 0.5 MW/min; waited 80 s")
    assert clock.now().timestamp() == last + 180


def test_each_change_is_approved_once(home, lay_out):
    plan = lay_out()
    assert "lay it out with `gigasite apply … --verify`" in ask(lay_out, plan=plan, kind="changes").saw
    changes = [
        PlannedChange(key=key, text=("-a", "+b"), hosts=hosts)
        for key, hosts in [("k1", ("a", "b")), ("k2", ("z",))]
    ]  # fmt: skip
    plan = plan.model_copy(update={"compared": True, "changes": tuple(changes)})
    approvals.folder(plan.site, plan.id).mkdir(parents=True)
    answer = ask(lay_out, plan=plan, kind="changes")
    assert not answer.holds
    assert answer.saw.startswith("nobody approved change k1: `gigasite approve reference --change k1`")
    approvals.approve(plan.site, plan.id, "change k1")
    answer = ask(lay_out, plan=plan, kind="changes")
    assert answer.holds, "change k2 is of machines in other waves"
    assert answer.saw.startswith("1 changes, each approved by ")


def test_grid(lay_out):
    assert "the wave moves 1.5 MW" in ask(lay_out, kind="grid").saw
    answer = ask(lay_out, grid=lambda: ["grid gate ecowatt: closed"], kind="grid")
    assert (answer.holds, answer.saw) == (False, "grid gate ecowatt: closed")


@pytest.mark.parametrize(
    ("now", "gate", "holds"),
    [
        ("2026-11-26 12:00", {"start": "08:00", "end": "16:00"}, True),  # a Thursday
        ("2026-11-26 16:00", {"start": "08:00", "end": "16:00"}, False),
        ("2026-11-26 12:00", {"start": "08:00", "end": "16:00", "days": ["mon", "tue"]}, False),
        ("2026-11-26 23:30", {"start": "22:00", "end": "04:00", "days": ["thu"]}, True),
        ("2026-11-27 03:59", {"start": "22:00", "end": "04:00", "days": ["thu"]}, True),
        ("2026-11-27 04:00", {"start": "22:00", "end": "04:00", "days": ["thu"]}, False),
        ("2026-11-26 03:00", {"start": "22:00", "end": "04:00", "days": ["thu"]}, False),
    ],
)
def test_window(lay_out, now, gate, holds):
    answer = ask(lay_out, clock=Clock(now), kind="window", **gate)
    assert answer.holds is holds
    assert f"the window is {', '.join(gate.get('days', []))}" in answer.saw


def test_a_window_is_waited_for(lay_out):
    clock = Clock("2026-11-26 07:50")
    assert ask(lay_out, clock=clock, kind="window", start="08:00", end="16:00", wait="1 h").holds
    assert clock.now().hour == 8


def test_approval_that_comes_and_one_that_never_comes(lay_out, home):
    plan = lay_out()
    approvals.folder(plan.site, plan.id).mkdir(parents=True)
    clock = Clock()
    answer = ask(lay_out, plan=plan, clock=clock, kind="approval", wait="2 h")
    assert not answer.holds
    assert "nobody approved: `gigasite approve reference --wave 2` (waited 7200 s)" in answer.saw
    assert clock.now() - Clock().now() <= timedelta(hours=2)
    approvals.approve(plan.site, plan.id, "wave 1")
    assert not ask(lay_out, plan=plan, kind="approval").holds
    approvals.approve(plan.site, plan.id, "wave 2", "looked at the canaries")
    answer = ask(lay_out, plan=plan, kind="approval")
    assert answer.holds
    assert answer.saw.endswith("looked at the canaries")


def test_command(lay_out):
    assert ask(lay_out, kind="command", command='echo "wave $GIGASITE_WAVE of $GIGASITE_SITE"').saw.endswith(
        "exit code 0: wave 2 of reference"
    )
    bad = ask(lay_out, kind="command", command="echo alarms: 3 >&2; exit 4", name="alarms")
    assert (bad.gate, bad.holds) == ("alarms", False)
    assert bad.saw.endswith("exit code 4: alarms: 3")
    late = ask(lay_out, kind="command", command="exec sleep 20", limit="0.2 s")
    assert late.saw == "no answer within 0 s"


def test_every_kind_has_its_test():
    assert set(KINDS) == {
        "health",
        "verify",
        "statistics",
        "grid",
        "window",
        "approval",
        "changes",
        "command",
    }
    assert set(KINDS) == set(Gate.model_fields["kind"].annotation.__args__)
