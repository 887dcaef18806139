"""The real machines' side: real Ansible with tasks that run here, and ssh whose commands run here."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from infra.errors import UserError
from infra.rollout import machines
from infra.rollout.machines import Machines

pytestmark = pytest.mark.unit

TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]


@pytest.fixture
def ssh(home, monkeypatch):
    """Runs commands here; each machine has a folder for what it remembers; some do not answer."""
    broken = {}

    def run_on(_, host, command, **__):
        if host in broken:
            if broken[host] == "hangs":
                raise UserError("`ssh` took more than 90 s")
            return SimpleNamespace(returncode=255, stdout="", stderr=broken[host])
        local = command.replace("sudo ", "").replace("/var/lib/gigasite", str(home / host))
        return subprocess.run(["sh", "-c", local], capture_output=True, text=True, check=False)

    monkeypatch.setattr(machines.ssh, "run_on", run_on)
    return broken


def playbook(home, task):
    path = home / "play.yml"
    path.write_text(
        "- hosts: all\n  connection: local\n  become: false\n  gather_facts: false\n"
        f"  tasks:\n    - {{name: Work, {task}}}\n"
    )
    return str(path)


SAY = "ansible.builtin.debug: {msg: hi}"


def test_machines_remember_what_they_were_given(home, ssh):
    nodes = Machines("lab", playbook(home, SAY))
    assert {known.applied for known in nodes.known(TRAYS).values()} == {""}
    assert dict(nodes.apply(dict.fromkeys(TRAYS, "abc123"))) == dict.fromkeys(TRAYS)
    known = nodes.known(TRAYS)
    assert {one.applied for one in known.values()} == {"abc123"}
    assert len({one.boot for one in known.values()}) == 1
    assert len(known[TRAYS[0]].boot) == 36


def test_a_failed_task_is_its_machines_alone(home, ssh):
    task = f"ansible.builtin.fail: {{msg: apt lock held}}, when: inventory_hostname == '{TRAYS[1]}'"
    nodes = Machines("lab", playbook(home, task))
    found = dict(nodes.apply(dict.fromkeys(TRAYS, "abc123")))
    assert found == {TRAYS[0]: None, TRAYS[1]: "Work: apt lock held"}
    assert nodes.known(TRAYS)[TRAYS[1]].applied == "", "a machine that failed remembers nothing"


def test_a_template_error_names_the_task_on_every_machine(home, ssh):
    found = dict(Machines("lab", playbook(home, "ansible.builtin.debug: {msg: '{{ nothing.here }}'}")).apply(
        dict.fromkeys(TRAYS, "x")
    ))  # fmt: skip
    assert set(found) == set(TRAYS)
    assert all("'nothing' is undefined" in reason for reason in found.values())


def test_a_playbook_that_cannot_be_read_fails_all_and_touches_none(home, ssh):
    path = home / "broken.yml"
    path.write_text("- hosts: [\n")
    found = dict(Machines("lab", str(path)).apply(dict.fromkeys(TRAYS, "x")))
    assert set(found) == set(TRAYS)
    assert all("Ansible stopped before its first task ended" in reason for reason in found.values())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ssh: connect to host: No route to host", "No route to host"),
        ("Host key verification failed.", f"no host key of {TRAYS[1]} is in"),
        ("hangs", "took more than"),
    ],
)
def test_a_machine_that_does_not_answer_is_told_so_and_not_known(home, ssh, said, told):
    ssh[TRAYS[1]] = said
    nodes = Machines("lab", playbook(home, SAY))
    assert set(nodes.known(TRAYS)) == {TRAYS[0]}
    found = {host: reason for host, reason, _ in nodes.prove(TRAYS, "true", 5)}
    assert found[TRAYS[0]] is None
    assert told in found[TRAYS[1]]


def test_a_command_that_fails_says_its_last_line(home, ssh):
    nodes = Machines("lab", playbook(home, SAY))
    ((_, reason, printed),) = nodes.prove(TRAYS[:1], "echo one; echo 'no space left on device'; exit 3", 5)
    assert reason == "exit code 3: no space left on device"
    assert printed.startswith("one")
