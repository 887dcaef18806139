"""A rollout over trays that really run: canaries, gates, Slurm drained and resumed, a job waited for."""

from __future__ import annotations

import json
import shlex
import subprocess
import time

import pytest
from ruamel.yaml import YAML

from infra import paths
from infra.process import run
from tests.waiting import until

pytestmark = pytest.mark.lab

FIRST, SECOND = "pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"
APPLIED = "/var/lib/gigasite/applied"


def ssh(name, command):
    config = paths.state("lab") / "ssh_config"
    return run(["ssh", "-F", config, name, command], check=False, timeout=120)


def state(tray):
    """A tray's state, which Slurm prints once for each of its partitions."""
    (found,) = set(ssh("lab-head", f"sinfo --noheader --Node --nodes={tray} --format=%T").stdout.split())
    return found


@pytest.fixture
def planned(lab, tmp_path):
    """Lays out a rollout over both trays whose gate after the canary asks whether a file is there."""
    allow = tmp_path / "allow"
    for tray in (FIRST, SECOND):
        ssh(tray, f"sudo rm -f {APPLIED}")
    (paths.state("lab") / "applied.json").unlink(missing_ok=True)
    done = lab.run("apply", "role_tray", "base.yml", "-s", "lab", "--plan")
    assert done.returncode == 0
    written = next(word for word in done.stdout.split() if word.endswith(".yaml"))
    path = paths.ROOT / written.rstrip(";")
    yaml = YAML()
    plan = yaml.load(path.read_text())
    assert [wave["hosts"] for wave in plan["waves"]] == [[FIRST], [SECOND]]
    plan["policy"]["gates"].append(
        {"kind": "command", "name": "allowed", "command": f"ls {allow} && echo allowed", "waves": ["canary"]}
    )
    with path.open("w") as file:
        yaml.dump(plan, file)
    yield path, allow
    lab.run("rollout", "abort", "lab")


def test_a_canary_whose_gate_fails_stops_it_and_the_rest_follows_when_it_is_mended(lab, planned):
    path, allow = planned
    stopped = lab.run("apply", "--file", str(path))
    assert stopped.returncode == 1
    assert "gate allowed after canary wave 1 does not hold" in stopped.stdout
    assert len(ssh(FIRST, f"cat {APPLIED}").stdout.strip()) == 16
    assert ssh(SECOND, f"cat {APPLIED}").returncode == 1, "a machine of the second wave was touched"
    assert (state(FIRST), state(SECOND)) == ("idle", "idle")
    # A job on the second tray ends by itself: it is waited for, and nobody takes it away.
    job = subprocess.Popen(
        ["ssh", "-F", paths.state("lab") / "ssh_config", "lab-head",
         f"cd / && sudo srun --nodelist={SECOND} sh -c 'sleep 12; echo whole'"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while state(SECOND) not in {"allocated", "mixed"}:
        assert time.monotonic() < end, state(SECOND)
        time.sleep(1)
    allow.touch()
    resumed = lab.run("rollout", "resume", "lab")
    assert resumed.returncode == 0
    assert job.communicate(timeout=60)[0].strip() == "whole"
    assert len(ssh(SECOND, f"cat {APPLIED}").stdout.strip()) == 16
    assert (state(FIRST), state(SECOND)) == ("idle", "idle")
    found = json.loads(lab.run("rollout", "status", "lab", "--json").stdout)
    assert found["state"] == "done"
    assert [wave["done"] for wave in found["waves"]] == [1, 1]
    gates = [(wave, gate, holds) for wave, gate, holds, _ in found["gates"]]
    assert (1, "after allowed", False) in gates
    assert (1, "after allowed", True) in gates
    why = lab.run("rollout", "why", "lab", SECOND).stdout
    assert "apply: ok" in why


BOOT = "cat /proc/sys/kernel/random/boot_id"
SETTINGS = paths.ROOT / "inventories" / "lab" / "group_vars" / "kernel.yml"
# It ends a while after its tray was told to take no further jobs, and only then.
PROTECTED = (
    "until scontrol show node $SLURMD_NODENAME | grep -q DRAIN; do sleep 2; done; sleep 6; "
    "cat /proc/sys/kernel/random/boot_id"
)


def roll(lab, parameters):
    """Let the second tray have kernel parameters, with a reboot."""
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.write_text(f"kernel_command_line: {json.dumps(parameters)}\n")
    done = lab.run("apply", SECOND, "kernel.yml", "-s", "lab", "--plan")
    assert done.returncode == 0, done.stdout
    written = next(word for word in done.stdout.split() if word.endswith(".yaml"))
    path = paths.ROOT / written.rstrip(";")
    yaml = YAML()
    plan = yaml.load(path.read_text())
    plan["policy"]["reboot"] = True
    with path.open("w") as file:
        yaml.dump(plan, file)
    return lab.run("apply", "--file", str(path))


@pytest.fixture
def _settings_of_before(lab):
    """The lab's own settings come back, whatever happens."""
    before = SETTINGS.read_text() if SETTINGS.exists() else None
    yield
    lab.run("rollout", "abort", "lab")
    if before is None:
        SETTINGS.unlink(missing_ok=True)
    else:
        SETTINGS.write_text(before)


@pytest.mark.usefixtures("_settings_of_before")
def test_a_kernel_parameter_comes_with_one_reboot_after_the_trays_job_and_goes_again(lab):
    boot = ssh(SECOND, BOOT).stdout
    job = subprocess.Popen(
        ["ssh", "-F", paths.state("lab") / "ssh_config", "lab-head",
         f"cd / && sudo srun --nodelist={SECOND} sh -c {shlex.quote(PROTECTED)}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: state(SECOND) in {"allocated", "mixed"})
    done = roll(lab, ["hugepages=8", "slab_nomerge"])
    assert done.returncode == 0, done.stdout
    assert job.communicate(timeout=60)[0] == boot, "the job did not outlive its drain, on one boot"
    started = ssh(SECOND, "cat /proc/cmdline; cat /proc/sys/vm/nr_hugepages; ls /run/reboot-required")
    assert " hugepages=8 slab_nomerge " in started.stdout
    assert started.stdout.splitlines()[1:] == ["8"], "the parameter has no effect, or a reboot is to come"
    assert ssh(SECOND, BOOT).stdout != boot
    assert "reboot: ok" in lab.run("rollout", "why", "lab", SECOND).stdout
    # its own health check lets it work again: what it mounts is there
    until(lambda: state(SECOND) == "idle", 180)
    assert roll(lab, []).returncode == 0
    assert "gigasite" not in ssh(SECOND, "cat /proc/cmdline").stdout
    until(lambda: state(SECOND) == "idle", 180)
