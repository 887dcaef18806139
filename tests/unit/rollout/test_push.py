"""Playbooks that only deploy, pushed over one connection each: the machine's own part, run here."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra import paths
from infra.errors import UserError
from infra.rollout.failures import group
from infra.rollout.inventory.facts import site_at
from infra.rollout.playbooks import find_playbook
from infra.rollout.push import push as pushing
from infra.rollout.push.steps import Step, plain_steps

pytestmark = pytest.mark.unit

TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]


@pytest.fixture
def far(home, monkeypatch):
    """Machines that are a folder each; commands and units are left out, and some do not answer."""
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    real = pushing.request_of
    state = SimpleNamespace(root=home, broken={}, calls=[])

    def request_of(role, components, facts):
        found = real(role, components, facts)
        root = home / facts["machine"]["name"]
        root.mkdir(exist_ok=True)
        change = {"owner": user, "group": group, "validate": None, "apply": None}
        files = [{**file, **change, "path": f"{root}{file['path']}"} for file in found["files"]]
        return {**found, "files": files, "prune": [], "units": [], "pending": str(root / "pending")}

    def run_on(_, host, __, *, stdin, **___):
        state.calls.append(host)
        if host in state.broken:
            return SimpleNamespace(returncode=255, stdout="", stderr=state.broken[host])
        return subprocess.run(
            [sys.executable, "-S", "-E", "-"], input=stdin, capture_output=True, text=True, check=False
        )

    monkeypatch.setattr(pushing, "request_of", request_of)
    monkeypatch.setattr(pushing.ssh, "run_on", run_on)
    return state


def test_each_machine_gets_its_files_over_one_connection(far):
    steps = plain_steps("lab", "base.yml")
    assert dict(pushing.push("lab", steps, TRAYS)) == dict.fromkeys(TRAYS)
    assert sorted(far.calls) == TRAYS
    site = site_at(paths.inventory("lab") / "site.yaml")
    for tray in TRAYS:
        wanted = {
            file["path"]: (file["content"], file["mode"], file["folder"])
            for step in steps
            for file in pushing.request_of(
                step.role,
                step.components,
                {"machine": site.machine_variables(tray), "site": site.site_mapping(tray)},
            )["files"]
        }
        assert len(wanted) > 5
        for path, (content, mode, folder) in wanted.items():
            assert folder or Path(path).read_bytes() == content
            assert format(Path(path).stat().st_mode & 0o7777, "04o") == mode


def test_a_play_ends_everywhere_before_the_next_and_who_failed_is_in_none_after(far):
    far.broken[TRAYS[0]] = "ssh: connect to host: No route to host\n"
    steps = [Step("role_tray", "base", ("accounts",)), Step("base", "base", ("sysctl",))]
    found = dict(pushing.push("lab", steps, [*TRAYS, "lab-head"]))
    assert found == {
        TRAYS[0]: "base: cannot be reached: ssh: connect to host: No route to host",
        TRAYS[1]: None,
        "lab-head": None,
    }
    assert sorted(far.calls[:2]) == TRAYS
    assert sorted(far.calls[2:]) == ["lab-head", TRAYS[1]]


def test_the_first_step_that_fails_is_a_machines_last(far):
    (far.root / TRAYS[0]).mkdir()
    (far.root / TRAYS[0] / "etc").write_text("in the way")
    steps = [Step("role_tray", "base", ("accounts",)), Step("role_tray", "base", ("sysctl",))]
    found = dict(pushing.push("lab", steps, TRAYS))
    assert found[TRAYS[1]] is None
    assert found[TRAYS[0]].startswith("base: ")
    assert "etc" in found[TRAYS[0]]
    assert (far.root / TRAYS[1] / "etc/sysctl.d/60-gigasite.conf").is_file()


def test_an_apt_lock_is_one_cause_on_all_machines_and_a_full_disk_another(far, monkeypatch):
    real = pushing.request_of
    names = [*TRAYS, "lab-head", "lab-storage"]

    def request_of(role, components, facts):
        found = real(role, components, facts)
        number = names.index(facts["machine"]["name"])
        apt = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process"
        command = f"echo '{apt} {4242 + number} (unattended-upgr)' >&2; exit 100"
        if number == 3:
            command = "cp /proc/version /dev/full"
        found["files"][0]["apply"] = command
        return found

    monkeypatch.setattr(pushing, "request_of", request_of)
    found = dict(pushing.push("lab", [Step("base", "base", ("accounts",))], names))
    lines = group(found, lambda _: None)
    assert len(lines) == 2
    assert lines[0].startswith("3 × base: `echo")
    assert "(unattended-upgr)" in lines[0]
    assert "No space left on device" in found["lab-storage"]


def test_a_play_for_nobody_gives_no_outcome(far):
    steps = [Step("role_storage", "base", ("accounts",)), Step("no_such_group", "base", ("accounts",))]
    assert dict(pushing.push("lab", steps, TRAYS)) == {}


def test_a_rule_that_breaks_is_its_machines_failure(far, monkeypatch):
    def broken(role, components, facts):
        if facts["machine"]["name"] == TRAYS[0]:
            raise UserError("'machine.nick' is undefined", where="templates/etc/motd.j2:7")
        return real(role, components, facts)

    real = pushing.request_of
    monkeypatch.setattr(pushing, "request_of", broken)
    found = dict(pushing.push("lab", plain_steps("lab", "base.yml"), TRAYS))
    assert found == {TRAYS[0]: "base: templates/etc/motd.j2:7: 'machine.nick' is undefined", TRAYS[1]: None}


def test_playbooks_that_only_deploy_are_read_in_their_order():
    assert [step.role for step in plain_steps("lab", "time.yml")] == ["time_server", "time_client"]
    assert plain_steps("lab", "slurm.yml")[0].hosts == "slurm"
    for playbook in ("site.yml", "validate.yml", "others.yml"):
        assert plain_steps("lab", playbook) is None, playbook
    with pytest.raises(UserError, match="there is no playbook"):
        plain_steps("lab", "none.yml")


PLAIN = "- hosts: role_tray\n  roles:\n    - role: motd\n"
TASK = "- deploy: {components: [motd]}\n"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("play.yml", PLAIN + "  serial: 1\n"),
        ("play.yml", PLAIN + "  vars: {a: 1}\n"),
        ("play.yml", PLAIN + "  pre_tasks: [{ansible.builtin.debug: {msg: hi}}]\n"),
        ("play.yml", "- hosts: role_tray\n  roles: [motd]\n"),
        ("play.yml", "- hosts: role_tray\n  roles: [{role: motd, when: false}]\n"),
        ("play.yml", "- hosts: [role_tray\n"),
        ("role/tasks/main.yml", "- deploy: {components: [motd]}\n  when: false\n"),
        ("role/tasks/main.yml", TASK + "- ansible.builtin.reboot:\n"),
        ("role/handlers/main.yml", "- name: Restart\n"),
        ("role/vars/main.yml", "a: 1\n"),
        ("role/defaults/main/more.yml", "a: 1\n"),
        ("role/meta/main.yml", "dependencies: [other]\n"),
        ("group_vars/all.yml", "a: 1\n"),
    ],
)
def test_anything_else_needs_ansible(tmp_path, monkeypatch, file, text):
    monkeypatch.setattr(paths, "inventory", lambda _: tmp_path)
    role = tmp_path / "roles" / "motd"
    (role / "tasks").mkdir(parents=True)
    (role / "tasks" / "main.yml").write_text(TASK)
    for file_of_variables in ("defaults/main.yml", "meta/argument_specs.yml"):
        (role / file_of_variables).parent.mkdir()
        (role / file_of_variables).write_text("{}\n")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "play.yml").write_text(PLAIN)
    assert find_playbook("any", "play.yml").parent.parent == tmp_path
    assert plain_steps("any", "play.yml") == (Step("role_tray", "motd", ("motd",)),)
    target = role / file.removeprefix("role/") if file.startswith("role/") else tmp_path / "playbooks" / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    assert plain_steps("any", "play.yml") is None
