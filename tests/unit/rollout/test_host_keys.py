"""Host keys: whatever the surroundings say, ssh is told to refuse a key that is not the plan's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra import hostkeys, paths
from infra.errors import UserError
from infra.paths import ROOT
from infra.rollout import ssh
from infra.rollout.compare import compare
from infra.rollout.configure import configure
from infra.rollout.inventory.targets import targets
from infra.rollout.machines import Machines
from infra.rollout.slurm import AWAY_S, Slurm

pytestmark = pytest.mark.unit

LAX = {
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_SSH_HOST_KEY_CHECKING": "False",
    "ANSIBLE_SSH_ARGS": "-o StrictHostKeyChecking=no",
    "ANSIBLE_SSH_COMMON_ARGS": "-o StrictHostKeyChecking=no",
    "ANSIBLE_SSH_EXTRA_ARGS": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
}
PLAY = (
    "- name: There\n  hosts: role_storage\n  gather_facts: false\n  become: false\n"
    "  tasks:\n    - ansible.builtin.raw: 'true'\n"
)
KEYS = {
    "one": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
    "two": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA",
}
CHANGED = (
    "@@@@@\nWARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nThe fingerprint for the ED25519 key sent by the"
    " remote host is\n{}.\nHost key verification failed."
)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """An `ssh` first in PATH that writes its words down, and says the key was another's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "words"
    (folder / "ssh").write_text(
        f'#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done >>{log}\nprintf "\\n" >>{log}\n'
        f'echo "{CHANGED.format(_fingerprint("two"))}" >&2\nexit 255\n'
    )
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    (tmp_path / "play.yml").write_text(PLAY)

    def words():
        return [line.rstrip("\0").split("\0") for line in log.read_text().splitlines() if line.strip("\0")]

    return words


def _fingerprint(name):
    done = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=KEYS[name], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


def _judged(words):
    """StrictHostKeyChecking and the file of known keys that the real ssh takes from these words."""
    # without the remote command: everything up to the host's name
    options = [word for word in words if not word.startswith("-tt")]
    host = next(place for place, word in enumerate(options) if word.startswith(("lab-", "pod-")))
    done = subprocess.run(
        ["/usr/bin/ssh", "-G", *options[: host + 1]], capture_output=True, text=True, check=True
    )
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return said["stricthostkeychecking"], said["userknownhostsfile"]


def _assert_strict(recorded, state):
    seen = recorded()
    assert seen
    for words in seen:
        strict, known = _judged(words)
        assert strict == "true", words
        assert known == str(state / "ssh" / "known_hosts"), words


@pytest.fixture
def lax(monkeypatch):
    for name, value in LAX.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("lax")
def test_the_runner_checks_and_says_whose_key_it_was(recorded, tmp_path, monkeypatch):
    state = paths.state("lab")
    _know(monkeypatch, _known(tmp_path, "lab-storage"))
    with pytest.raises(UserError, match=r"lab-storage: task .* cannot be reached: .*the key of two"):
        configure("lab", playbook=str(tmp_path / "play.yml"))
    _assert_strict(recorded, state)


@pytest.mark.parametrize(
    "way",
    [
        lambda play: dict(Machines("lab", play).apply({"lab-storage": "0"}))["lab-storage"],
        lambda _: next(Machines("lab", "base.yml").prove(["lab-storage"], "true", 60))[1],
        lambda _: compare("lab", ["lab-storage"]).silent["lab-storage"],
        lambda _: _error(lambda: Slurm("lab", "lab-storage", ["lab-storage"]).out()),
    ],
    ids=["apply", "prove", "compare", "slurm"],
)
@pytest.mark.usefixtures("recorded")
def test_a_rollout_says_whose_key_it_was_at_once(way, tmp_path, monkeypatch):
    _know(monkeypatch, _known(tmp_path, "lab-storage"))
    began = time.monotonic()
    why = way(str(tmp_path / "play.yml"))
    assert "the key of two: nothing was sent to it" in why
    assert "@@" not in why
    assert time.monotonic() - began < AWAY_S / 2


@pytest.mark.usefixtures("lax")
def test_plain_ansible_checks(recorded, tmp_path):
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "-i", "inventories/lab", tmp_path / "play.yml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    _assert_strict(recorded, paths.state("lab"))


def test_checks_and_people_check():
    config = ssh.write_config("lab", targets("lab").machines)
    assert _judged(["-F", str(config), "lab-head"])[0] == "true"


def _know(monkeypatch, known):
    """Let the machines' keys be those of a file."""
    monkeypatch.setattr(ssh, "explain", lambda said, _, name: hostkeys.explain(said, known, name))


def _error(call):
    with pytest.raises(UserError) as raised:
        call()
    return str(raised.value)


def _known(folder, *more):
    path = folder / "known_hosts"
    lines = [f"{name},[127.0.0.1]:22 {key}\n" for name, key in KEYS.items()]
    lines += [f"{name} {KEYS['one'][:-4]}AAAA\n" for name in more]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize(
    ("said", "name", "expected"),
    [
        (lambda: CHANGED.format(_fingerprint("two")), "one", "the key of two"),
        (lambda: CHANGED.format("SHA256:abc"), "one", "the key of no machine of this site"),
        (lambda: "Host key verification failed.", "three", "no host key of three is in"),
        (lambda: "Host key verification failed.", "one", "did not show the host key that was made for one"),
        (lambda: "Connection refused", "one", None),
    ],
)
def test_a_refused_key_is_explained(tmp_path, said, name, expected):
    text = hostkeys.explain(said(), _known(tmp_path), name)
    assert (text is None) if expected is None else expected in text
