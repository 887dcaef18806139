"""Faults of machines, networks, schedulers, clocks and templates in the middle of a rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra import paths
from infra.errors import UserError
from infra.render.templates import environment, render
from infra.rollout import compare, cordon, lock, machines, rollouts, standing
from infra.rollout.blueprint import PlannedWave
from infra.rollout.controller import Stopped
from infra.rollout.gates import Gates
from infra.rollout.machines import Machines
from infra.rollout.policy import Gate, Waves
from infra.rollout.push import push as pushing
from infra.rollout.push.steps import Step
from infra.rollout.simulated import SimulatedFleet

pytestmark = pytest.mark.unit

QUIET = lambda _: None  # noqa: E731
RACK = "rack_pod_01_su_01_rack_01:&role_tray"
TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]


@pytest.fixture
def clock(monkeypatch):
    """The clock that gates of a rollout look at, and the machines with it."""

    class Clock:
        time = datetime(2026, 11, 26, 23, 0, tzinfo=UTC)

        def now(self):
            return self.time

        def sleep(self, seconds):
            self.time += timedelta(seconds=seconds)

    made = Clock()
    real = rollouts.Gates
    monkeypatch.setattr(
        rollouts, "Gates", lambda *words, **more: real(*words, now=made.now, sleep=made.sleep, **more)
    )
    return made


def test_a_window_that_closes_in_a_wave_lets_no_further_machine_begin(fleet, lay_out, clock, monkeypatch):
    plan = lay_out(
        RACK, canaries=0, budget=({"domain": "rack", "most": 6},),
        gates=({"kind": "window", "start": "22:00", "end": "24:00"},),
    )  # fmt: skip
    assert [len(wave.hosts) for wave in plan.waves] == [18]
    real = SimulatedFleet.resume

    def resume(self, hosts):
        clock.sleep(40 * 60)  # the first six are back at 23:40, the next at 00:20
        return real(self, hosts)

    monkeypatch.setattr(SimulatedFleet, "resume", resume)
    with pytest.raises(Stopped, match=r"window before wave 1 does not hold: it is fri 00:20 UTC"):
        rollouts.begin(plan, QUIET)
    found = fleet.open().rows()
    assert [row["applies"] for row in found.values()] == [1] * 12 + [0] * 6
    assert {row["out"] for row in found.values()} == {""}, "who had begun is back in service"
    clock.time += timedelta(hours=22)
    monkeypatch.setattr(SimulatedFleet, "resume", real)
    rollouts.go_on("reference", QUIET)
    assert {row["applies"] for row in fleet.open().rows().values()} == {1}


def test_an_approval_that_never_comes_leaves_the_wave_untouched(fleet, lay_out, clock):
    plan = lay_out(RACK, canaries=2, gates=({"kind": "approval", "wait": "2 h"},))
    began = clock.time
    with pytest.raises(Stopped, match=r"approval before canary wave 1 .*nobody approved.*waited 7200 s"):
        rollouts.begin(plan, QUIET)
    assert timedelta(hours=1, minutes=58) < clock.time - began <= timedelta(hours=2)
    assert not any(row["drains"] for row in fleet.open().rows().values())


@pytest.mark.parametrize("before", [True, False], ids=["before they got it", "before they answered"])
def test_a_network_that_is_lost_to_half_of_a_wave(fleet, lay_out, monkeypatch, before):
    plan = lay_out(canaries=0, waves=Waves(shape="fixed", size=36), failures="10%")
    half = set(plan.waves[1].hosts[::2])
    real = SimulatedFleet.apply

    def apply(self, content):
        lost = half & set(content)
        got = {host: what for host, what in content.items() if not (before and host in lost)}
        for host, reason in real(self, got):
            yield host, "cannot be reached: No route to host" if host in lost else reason
        yield from ((host, "cannot be reached: No route to host") for host in lost - set(got))

    monkeypatch.setattr(SimulatedFleet, "apply", apply)
    with pytest.raises(Stopped, match=r"18 of 72 machines failed, 7 may.*18 × cannot be reached"):
        rollouts.begin(plan, QUIET)
    found = fleet.open().rows()
    assert {name for name, row in found.items() if row["out"]} == half
    assert set(cordon.read_cordoned("reference/simulated")) == half
    others = set(plan.waves[1].hosts) - half
    assert {found[name]["applies"] for name in others} == {1}, "those that answered went on"
    assert not any(found[name]["drains"] for wave in plan.waves[2:] for name in wave.hosts)
    assert "18 × apply: cannot be reached" in "\n".join(standing.of("reference").lines())
    monkeypatch.setattr(SimulatedFleet, "apply", real)
    rollouts.go_on("reference", QUIET, retry=True)
    found = fleet.open().rows()
    assert {row["out"] for row in found.values()} == {""}
    assert {name for name, row in found.items() if row["applies"] != 1} == (set() if before else half)
    assert rollouts.state_of("reference", plan.id)[0] == "done"


@pytest.mark.parametrize("step", ["drain", "resume"])
def test_a_scheduler_that_stays_away_stops_it_and_it_is_gone_on_with(fleet, lay_out, monkeypatch, step):
    plan = lay_out(RACK, canaries=0)
    real = getattr(SimulatedFleet, step)

    def away(self, *words):
        raise UserError("Unable to contact slurm controller", where="head", hint="look at slurmctld there")

    monkeypatch.setattr(SimulatedFleet, step, away)
    with pytest.raises(UserError, match="Unable to contact slurm controller"):
        rollouts.begin(plan, QUIET)
    state, reason = rollouts.state_of("reference", plan.id)
    assert (state, "slurm controller" in reason) == ("stopped", True)
    monkeypatch.setattr(SimulatedFleet, step, real)
    rollouts.go_on("reference", QUIET)
    assert {row["applies"] for row in fleet.open().rows().values()} == {1}
    assert rollouts.state_of("reference", plan.id)[0] == "done"


def test_a_job_that_does_not_end_keeps_its_machine_out_and_untouched(fleet, lay_out, monkeypatch):
    plan = lay_out(RACK, canaries=0, failures=1)
    busy = plan.hosts[4]
    real = SimulatedFleet.drain

    def drain(self, hosts, reason, limit, jobs):
        for host, why in real(self, hosts, reason, limit, jobs):
            yield host, "jobs 7 still ran after 1800 s; policy: wait" if host == busy else why

    monkeypatch.setattr(SimulatedFleet, "drain", drain)
    rollouts.begin(plan, QUIET)
    found = fleet.open().rows()
    assert found[busy]["applies"] == 0, "it was changed under a job that the policy protects"
    assert "jobs 7 still ran" in found[busy]["out"]
    assert {row["applies"] for name, row in found.items() if name != busy} == {1}


def test_a_clock_that_was_set_back_makes_the_ramp_wait_no_longer_than_it_needs(lay_out, clock):
    moved = (clock.time + timedelta(hours=3)).timestamp()
    began = clock.time
    world = Gates(
        lay_out(), None, None, list, now=clock.now, sleep=clock.sleep, ramp=2.0, moved=lambda: moved
    )
    wave = PlannedWave(number=2, hosts=("a",), megawatts=4.0)
    assert world.ask(Gate(kind="grid"), wave).holds
    assert clock.time - began == timedelta(minutes=2)


def test_a_lock_from_the_future_is_a_lock(home, monkeypatch):
    class Ahead(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(hours=2)

    monkeypatch.setattr(lock, "datetime", Ahead)
    with lock.hold_lock("reference", "rollout one"):
        monkeypatch.setattr(lock, "datetime", datetime)
        with pytest.raises(UserError, match="rollout one"), lock.hold_lock("reference", "rollout two"):
            pass


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Takes the place of the template of each machine's accounts."""
    engine = environment("lab")
    real = engine.get_template

    def put(text):
        file = tmp_path / "templates" / "etc" / "sysusers.d" / "gigasite.conf.j2"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        name = "etc/sysusers.d/gigasite.conf.j2"

        def get(asked):
            if asked != name:
                return real(asked)
            code = engine.compile(text, name, str(file))
            return engine.template_class.from_code(engine, code, engine.make_globals(None))

        monkeypatch.setattr(engine, "get_template", get)
        return name

    return put


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# one\n# two\n{{ machine.nick }}\n", "gigasite.conf.j2:3: 'dict object' has no attribute 'nick'"),
        ("{{ machine.name }}\n{% if %}\n", "gigasite.conf.j2:2: "),
    ],
    ids=["missing variable", "syntax"],
)
def test_a_template_error_names_template_line_and_hosts(home, template, text, said):
    template(text)
    with pytest.raises(UserError) as caught:
        compare.compare("lab", TRAYS)
    assert said in str(caught.value)
    assert f"(for {TRAYS[0]}, {TRAYS[1]})" in str(caught.value)
    found = dict(pushing.push("lab", [Step("role_tray", "base", ("accounts",))], TRAYS))
    assert set(found) == set(TRAYS)
    assert all(said in why for why in found.values())


def test_a_missing_fact_in_an_included_line_is_placed(template):
    name = template("{% for link in machine.links %}\n{{ link.nick }}\n{% endfor %}\n")
    with pytest.raises(UserError, match=r"gigasite\.conf\.j2:2: .*nick"):
        render(name, {"site": {"name": "lab"}, "machine": {"links": [{"name": "data"}]}})


def test_a_machine_of_another_kind_fails_before_anything_is_done_to_it(home, monkeypatch):
    """The computer that the test runs on is not a tray of the lab: its UUID and interfaces say so."""
    monkeypatch.setattr(
        machines.ssh, "run_on", lambda *_, **__: pytest.fail("it was told that it has something")
    )
    path = home / "play.yml"
    path.write_text(
        "- hosts: role_tray\n  connection: local\n  become: false\n  gather_facts: false\n"
        "  roles: [{role: validate}]\n"
        "- hosts: role_tray\n  connection: local\n  become: false\n  gather_facts: false\n"
        f"  tasks: [{{ansible.builtin.command: touch {home}/after}}]\n"
    )
    found = dict(Machines("lab", str(path)).apply(dict.fromkeys(TRAYS, "abc")))
    assert set(found) == set(TRAYS)
    for tray, why in found.items():
        assert f"this is not the machine {tray} of the declaration" in why
    assert not (home / "after").exists()
    assert paths.state("lab").is_dir()


def test_a_platform_that_the_site_does_not_have_is_refused(home):
    with pytest.raises(UserError, match="nothing is named 'platform_gb9000'"):
        rollouts.lay_out("reference", "platform_gb9000", "site.yml", simulated=True)
