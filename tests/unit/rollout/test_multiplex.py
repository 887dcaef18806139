"""Commands over a connection that ssh shares: with a real sshd, and a real ssh as the master."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from benchmarks.local_sshd import serve
from infra.errors import UserError
from infra.multiplex import LOST, run_shared
from infra.rollout import ssh
from infra.rollout.inventory.targets import targets

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """An ssh_config as the product writes it, for one machine that is this computer."""
    folder = tmp_path_factory.mktemp("ssh")
    with serve(folder) as config:
        here = dict(line.split() for line in config.read_text().splitlines()[1:])
        (folder / "ssh_config").write_text(
            f"Host tray\n    HostName {here['HostName']}\n    Port {here['Port']}\n\nHost *\n"
            f"    User {_user()}\n    IdentityFile {here['IdentityFile']}\n"
            f"    UserKnownHostsFile {here['UserKnownHostsFile']}\n    StrictHostKeyChecking yes\n"
            f"    ControlMaster auto\n    ControlPersist 60\n    ControlPath {folder}/%C\n"
        )
        yield folder
        _exit(folder)


@pytest.fixture
def machine(there, monkeypatch):
    monkeypatch.setattr(ssh, "config_path", lambda _: there / "ssh_config")
    monkeypatch.setattr(ssh, "control_folder", lambda _: there)
    return there


def _user():
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _exit(folder):
    subprocess.run(
        ["ssh", "-F", folder / "ssh_config", "-O", "exit", "tray"], capture_output=True, check=False
    )


def _socket(folder):
    return folder / ssh._sockets(folder / "ssh_config")["tray"]


def test_the_second_command_needs_no_ssh_and_says_the_same(machine, monkeypatch):
    command = "cat; echo told >&2; exit 7"
    first = ssh.run_on("lab", "tray", command, stdin="given\n", timeout=60)
    assert _socket(machine).is_socket(), "ssh calls its socket otherwise"
    monkeypatch.setattr(ssh, "run", lambda *_, **__: pytest.fail("it started ssh"))
    second = ssh.run_on("lab", "tray", command, stdin="given\n", timeout=60)
    for done in (first, second):
        assert (done.stdout, done.stderr, done.returncode) == ("given\n", "told\n", 7)


def test_all_of_a_large_input_comes_back(machine):
    text = "0123456789abcde\n" * 200_000
    ssh.run_on("lab", "tray", ":", timeout=60)
    assert run_shared(_socket(machine), "cat", text, 60).stdout == text


def test_a_socket_without_a_master_and_no_socket_let_ssh_connect(machine):
    ssh.run_on("lab", "tray", ":", timeout=60)
    _exit(machine)
    assert run_shared(_socket(machine), "echo there", "", 60) is None
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(_socket(machine)))
    assert run_shared(_socket(machine), "echo there", "", 60) is None
    assert ssh.run_on("lab", "tray", "echo there", timeout=60).stdout == "there\n"


def test_a_command_that_takes_too_long_is_given_up(machine):
    ssh.run_on("lab", "tray", ":", timeout=60)
    began = time.monotonic()
    with pytest.raises(UserError, match="`sleep 30` took more than 1 s"):
        ssh.run_on("lab", "tray", "sleep 30", timeout=1)
    assert time.monotonic() - began < 15


def test_a_connection_that_ends_before_its_command_is_lost(machine):
    ssh.run_on("lab", "tray", ":", timeout=60)
    threading.Timer(1, _exit, [machine]).start()
    done = ssh.run_on("lab", "tray", "echo begun; sleep 30", timeout=60)
    assert (done.returncode, done.stdout) == (LOST, "begun\n")


def test_no_file_stays_open(machine):
    ssh.run_on("lab", "tray", ":", timeout=60)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        ssh.run_on("lab", "tray", ":", timeout=60)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_every_machine_of_a_site_has_a_socket_of_its_own():
    machines = targets("lab").machines
    sockets = ssh._sockets(ssh.write_config("lab", machines))
    assert list(sockets) == [machine.name for machine in machines]
    assert len(set(sockets.values())) == len(sockets)
