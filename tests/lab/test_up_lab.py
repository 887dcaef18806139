"""The main job, end to end, on machines that really boot: up, again, down."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from infra import paths, spec
from infra.lab import machines as domains
from infra.plan import machines_of, plan
from infra.process import run

pytestmark = pytest.mark.lab

TRAYS = ("pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02")


@pytest.fixture(scope="session")
def machines():
    return machines_of(plan(spec.load_site("lab")))


def passed(check):
    return check["outcome"] in {"passed", "skipped"}


def ask(name, *words):
    config = paths.state("lab") / "ssh_config"
    return run(["ssh", "-F", config, name, *words], check=False, timeout=600)


def ssh(name, *words):
    return ask(name, *words).returncode


# ---------------------------------------------------------------- up


def test_up_went_on_after_a_kill_at_any_moment(lab, machines):
    """See `KILLS`: each machine is there once, and `test_a_second_up_changes_nothing` sees the rest."""
    if not lab.ours:
        pytest.skip("the lab was up before these tests: nobody killed its `up`")
    made = domains.machines(paths.state("lab"))
    assert sorted(status.name for status in made) == sorted(machine.name for machine in machines)


def test_the_report_shows_a_job_over_both_trays(lab):
    page = (paths.out("lab") / "report.html").read_text()
    twin = json.loads((paths.out("lab") / "report.json").read_text())
    jobs = [job for job in twin["jobs"] if "srun" in job["output"]]
    assert len(jobs) == 2, "one over both trays, one with all their accelerators"
    for job in jobs:
        for tray in TRAYS:
            assert tray in job["output"]
        assert job["output"].splitlines()[1] in page
    assert twin["record"]["engine"].startswith("embedded engine")


def test_the_report_shows_cabling_and_matrix(lab):
    shown = [job["output"] for job in json.loads((paths.out("lab") / "report.json").read_text())["jobs"]]
    (cabling,) = [text for text in shown if "cables as planned" in text]
    assert cabling == "4 of 4 cables as planned"
    (packets,) = [text for text in shown if "packets between" in text]
    assert "compute → storage" in packets


def test_every_step_is_timed_and_done(lab):
    steps = {step["name"]: step for step in lab.record["steps"]}
    assert list(steps) == ["declare", "image", "preview", "up", "boot", "configure", "verify", "report"]
    assert {step["outcome"] for step in steps.values()} == {"done"}
    assert all(step["seconds"] > 0 for step in steps.values())


def test_all_checks_passed_and_each_says_what_it_was_proved_on(lab, machines):
    found = json.loads((paths.out("lab") / "verify.json").read_text())["checks"]
    assert all(passed(check) for check in found)
    assert {check["machine"] for check in found if check["machine"]} == {machine.name for machine in machines}
    # The machines are stand-ins: nothing here may call itself proved on the real part.
    assert {check["proved_on"] for check in found} <= {"vm", "emulated", "simulated"}


def test_a_second_up_changes_nothing(lab):
    assert lab.run("up", "lab").returncode == 0
    assert lab.step("up")["changes"] == 0
    assert lab.step("configure")["changes"] == 0


def test_a_preview_finds_nothing_to_do(lab):
    for stack in ("lab", "lab.pod-01"):
        done = lab.run("preview", stack, "--expect-no-changes")
        assert done.returncode == 0, done.stdout


def test_the_configuration_alone_changes_nothing_either(lab):
    done = lab.run("configure", "lab", "--check")
    assert done.returncode == 0
    assert "0 tasks would change something" in done.stdout


def test_a_quota_is_for_whom_it_is_declared_and_for_nobody_else(lab):
    """On a tray, whose user's number goes over NFS to the server that refuses."""
    file, inside = "/shared/.quota", "/shared/scratch/.quota"
    try:
        for user, path, mib, refused in (
            ("grace", file, 300, True), ("grace", file, 200, False), ("ada", file, 300, False),
            ("ada", inside, 200, True), ("ada", inside, 100, False),
        ):  # fmt: skip
            done = ask(TRAYS[0], "sudo", "-u", user, "fallocate", "-l", f"{mib}M", path)
            assert (done.returncode != 0) == refused, (user, path, mib, done.stderr)
            if refused:
                assert "Disk quota exceeded" in done.stderr
            ssh(TRAYS[0], "sudo", "-u", user, "rm", "-f", path)
    finally:
        for user in ("ada", "grace"):
            ssh(TRAYS[0], "sudo", "-u", user, "rm", "-f", file, inside)


# ---------------------------------------------------------------- down


def test_down_leaves_nothing_behind(lab, machines):
    if not lab.ours:
        pytest.skip("the lab was up before these tests: it is not theirs to take down")
    state = paths.ROOT / ".gigasite" / "lab"
    ports = [machine.bmc.port for machine in machines]
    ports += [machine.stand_in.ssh_port for machine in machines]
    assert lab.run("down", "lab").returncode == 0
    assert not domains.machines(state)
    assert not state.exists()
    assert _processes_that_name(str(state)) == []
    for port in ports:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
    stacks = paths.ROOT / ".gigasite" / ".pulumi" / "stacks" / "gigasite"
    assert not list(stacks.glob("lab*.json"))
    again = lab.run("down", "lab")
    assert again.returncode == 0, "a second down finds nothing to do"


def _processes_that_name(text):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if text in words and int(folder.name) != os.getpid():
            found.append(words)
    return found
