"""Running playbooks: real ansible-runner and inventory over the lab's plan, with tasks that run here."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from infra import paths
from infra.errors import UserError
from infra.paths import ROOT
from infra.rollout import ssh
from infra.rollout.configure import configure
from infra.rollout.inventory.targets import group_name, targets
from infra.rollout.outputs import machine_outputs
from infra.rollout.secrets import secret
from tests.waiting import until

pytestmark = pytest.mark.unit


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The local state in a folder of the test's own."""
    monkeypatch.setattr(paths, "state", lambda site="": _made(tmp_path / "state" / site))
    return tmp_path / "state"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@pytest.fixture
def playbook(tmp_path):
    """Writes a playbook whose tasks run here."""

    def write(*tasks: str) -> str:
        path = tmp_path / "play.yml"
        lines = "\n".join(f"    - {task}" for task in tasks)
        path.write_text(
            "- name: Here\n  hosts: all\n  connection: local\n  become: false\n  gather_facts: false\n"
            f"  tasks:\n{lines}\n"
        )
        return str(path)

    return write


NAME = "{name: Say, ansible.builtin.debug: {msg: hi}}"


def test_it_runs_on_every_machine_and_tells_as_it_goes(state, playbook):
    seen = []
    result = configure("lab", playbook=playbook(NAME), on_event=seen.append)
    names = {machine.name for machine in targets("lab").machines}
    assert set(result.hosts) == names
    assert {event.host for event in seen if event.kind == "ok"} == names
    assert result.changed == 0
    assert "5 machines" in result.summary
    assert [name for name, _ in result.seconds_by_play] == ["Here"]


def test_a_limit_is_kept(state, playbook):
    result = configure("lab", limit="role_tray", playbook=playbook(NAME))
    assert set(result.hosts) == {machine.name for machine in targets("lab").only("role_tray")}


def test_a_failed_task_names_machine_task_and_how_to_go_on(state, playbook):
    broken = targets("lab").only("role_storage")[0].name
    fail = "ansible.builtin.fail: {msg: disk is full}"
    task = f"{{name: Break, {fail}, when: inventory_hostname == '{broken}'}}"
    with pytest.raises(UserError) as caught:
        configure("lab", playbook=playbook(task, NAME))
    text = str(caught.value)
    assert text.startswith(f"{broken}: task 'Break' failed: disk is full")
    assert f"gigasite up lab --step configure --limit {broken}" in text
    others = [machine.name for machine in targets("lab").machines if machine.name != broken]
    assert all(name in text for name in others)


def test_a_broken_playbook_is_one_error(state, tmp_path):
    path = tmp_path / "broken.yml"
    path.write_text("- hosts: [\n")
    with pytest.raises(UserError, match="Ansible stopped before its first task ended"):
        configure("lab", playbook=str(path))


def test_our_secrets_are_not_in_the_artifacts(state, playbook, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct-horse")
    result = configure("lab", limit="role_storage", playbook=playbook(NAME))
    texts = [path.read_text(errors="replace") for path in result.artifacts.rglob("*") if path.is_file()]
    assert texts
    assert not any("correct-horse" in text for text in texts)


def test_an_interrupt_ends_ansible(state, playbook, tmp_path):
    mark = tmp_path / "after"
    wait = "{name: Wait, ansible.builtin.command: sleep 60}"
    after = f"{{name: After, ansible.builtin.command: touch {mark}}}"

    def interrupt(event):
        if event.kind == "task":
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        configure("lab", limit="role_storage", playbook=playbook(wait, after), on_event=interrupt)
    assert not mark.exists()
    assert time.monotonic() - began < 50, "it waited for the task"
    assert not [thread for thread in threading.enumerate() if thread.name == "ansible-runner"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_ansible_does_not_outlive_us(playbook, tmp_path, number):
    mark = tmp_path / "mark"
    path = playbook(f"{{name: Wait, ansible.builtin.shell: 'touch {mark}; sleep 120; touch {mark}.late'}}")
    code = (
        "from pathlib import Path; from infra import paths; from infra.rollout.configure import configure\n"
        f"paths.state = lambda site='': Path({str(tmp_path)!r})\n"
        f"configure('lab', limit='role_storage', playbook={path!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until(mark.exists)
    playing = [one for one in psutil.Process(process.pid).children(recursive=True) if one.is_running()]
    assert any("ansible-playbook" in " ".join(one.cmdline()) for one in playing)
    # its workers, and what they started, lead sessions of their own
    ansible = [one for one in playing if _command(one) == "ansible-playbook"]
    assert len(ansible) > 1
    process.send_signal(number)
    process.wait()
    until(lambda: not any(_command(one) == "ansible-playbook" for one in ansible))


def _command(process):
    try:
        return next((Path(word).name for word in process.cmdline()[:3] if "ansible-playbook" in word), "")
    except psutil.Error:
        return ""


def test_groups_are_the_plans_levels_and_the_roles():
    found = targets("lab")
    tray = found.only("role_tray")[0]
    assert set(found.groups_of(tray)) == {
        *(
            "accelerator",
            "base",
            "dns_client",
            "gpu_health",
            "hardening",
            "kernel",
            "logs",
            "metrics",
            "roce",
            "slurm",
            "storage_client",
            "time_client",
            "validate",
        ),
        "other_roles",
        "role_tray",
        "site_lab",
        "building_building_01",
        "hall_hall_01",
        "platform_lab_tray",
        "leaf_pair_pod_01_leaf_01",
        "partition_gpu",
        "partition_main",
        group_name("pod", tray.pod),
        group_name("su", tray.su),
        group_name("rack", tray.rack),
    }
    assert group_name("pod", "pod-01") == "pod_pod_01"


def test_a_limit_that_names_nothing_is_refused():
    with pytest.raises(UserError, match="nothing is named 'role_trey'"):
        targets("lab").only("role_trey")


def test_the_inventory_works_alone(tmp_path):
    """Plain Ansible, as a person calls it at the repository's root."""
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-inventory", "-i", "inventories/lab", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    machines = targets("lab").machines
    assert set(found["_meta"]["hostvars"]) == {machine.name for machine in machines}
    for machine in machines:
        variables = found["_meta"]["hostvars"][machine.name]
        assert variables["machine"]["uuid"] == machine.uuid
        assert variables["ansible_port"] == machine.stand_in.ssh_port
        assert [link["mac"] for link in variables["machine"]["links"]] == [nic.mac for nic in machine.nics]
        assert variables["site"]["name"] == "lab"
    assert "password" not in done.stdout.lower()
    assert "__ansible_unsafe" not in done.stdout


def test_ssh_config_is_private_strict_and_stable(state):
    machines = targets("lab").machines
    path = ssh.write_config("lab", machines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_mtime_ns
    assert ssh.write_config("lab", machines).stat().st_mtime_ns == before
    for machine in machines:
        done = subprocess.run(
            ["ssh", "-G", "-F", str(path), machine.name], capture_output=True, text=True, check=True
        )
        said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        assert (said["hostname"], said["port"]) == ("127.0.0.1", str(machine.stand_in.ssh_port))
        assert said["stricthostkeychecking"] == "true"
        assert said["hostkeyalias"] == machine.name
        # the longest name that a socket may have, with what ssh adds while it makes it
        assert len(said["controlpath"]) + 17 < 108


def test_a_secret_is_made_once_and_private(state):
    first = secret("lab", "munge.key")
    assert len(first) == 128
    assert secret("lab", "munge.key") == first
    path = state / "lab" / "secrets" / "munge.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["munge.key"]
    with pytest.raises(UserError, match="no secret is named"):
        secret("lab", "root.password")


def test_outputs_come_from_every_stack_of_the_site_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    folder = tmp_path / ".gigasite" / ".pulumi" / "stacks" / "gigasite"
    folder.mkdir(parents=True)

    def stack(name, *resources):
        (folder / f"{name}.json").write_text(
            json.dumps(
                {"checkpoint": {"latest": {"resources": [{"outputs": outputs} for outputs in resources]}}}
            )
        )

    stack("lab", {"name": "head", "serial": "H1", "secret": {"4dabf18193072939515e22adb298388d": "x"}})
    stack("lab.pod-01", {"trays": {"tray-1": {"serial": "T1", "power_state": "On"}}})
    stack("labor", {"name": "other", "serial": "X"})
    assert machine_outputs("lab") == {
        "head": {"name": "head", "serial": "H1"},
        "tray-1": {"serial": "T1", "power_state": "On"},
    }
    assert machine_outputs("nowhere") == {}
