"""A switch takes its configuration by commit-confirm: real FRR and sshd, the controller behind a port.

Needs Debian's openssh-server and frr-pythontools.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infra.errors import UserError
from infra.lab import namespaces
from infra.provider.drivers.frr import FrrSwitch
from infra.provider.drivers.ssh import LOST, Done, Ssh

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces with FRR need root"),
]

WINDOW_S = 25
LEAF = "pod-01-su-01-leaf-01"
CONTROLLER = "pod-01-su-01-rack-01-tray-01"
DIE = """
import os, signal, sys
from pathlib import Path
from infra.provider.drivers.frr import FrrSwitch
from infra.provider.drivers.ssh import Ssh
command, folder, socket, window, text = sys.argv[1].split("\\n"), *sys.argv[2:6]
class Dying(Ssh):
    def run(self, script, stdin, limit):
        done = super().run(script, stdin, limit)
        os.kill(os.getpid(), signal.SIGKILL)
switch = FrrSwitch("leaf", Dying(command, "spaces", "leaf", "env"), folder, socket, int(window))
switch.apply(Path(text).read_text())
"""


@pytest.fixture(scope="module")
def fabric(tmp_path_factory):
    nodes, cables = fabric_site.nodes_of(fabric_site.planned(leaves=2, spines=1))
    with namespaces.running("cc", tmp_path_factory.mktemp("cc"), nodes, cables) as running:
        yield running


@pytest.fixture(scope="module")
def ssh(fabric):
    """The leaf's sshd, and the words that reach it from the controller."""
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin")
    if sshd is None:
        pytest.fail("sshd is not installed: see gigasite doctor")
    keys = fabric.folder
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    host = (keys / "host.pub").read_text().split()
    (keys / "known").write_text(f"leaf {host[0]} {host[1]}\n")
    (keys / "sshd_config").write_text(
        f"Port 2222\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\nPidFile none\n"
        "PermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        ["ip", "netns", "exec", fabric.space(LEAF), sshd, "-D", "-e", "-f", keys / "sshd_config"],
        stderr=subprocess.DEVNULL,
    )
    (address,) = [one for port, one in fabric.nodes[LEAF].addresses if port == "data0"]
    words = (
        "ConnectTimeout=3", "ServerAliveInterval=2", "ServerAliveCountMax=2", "BatchMode=yes",
        "HostKeyAlias=leaf", f"UserKnownHostsFile={keys}/known", f"IdentityFile={keys}/user",
    )  # fmt: skip
    options = [part for word in words for part in ("-o", word)]
    space = fabric.space(CONTROLLER)
    yield ["ip", "netns", "exec", space, "ssh", "-p", "2222", *options, f"root@{address.split('/')[0]}"]
    server.terminate()
    server.wait(10)


@pytest.fixture
def switch(fabric, ssh):
    """The leaf with its rendered configuration in its file and its daemons."""
    folder = fabric.folder / LEAF
    folder.mkdir(exist_ok=True)
    (folder / "vtysh.conf").touch()
    (folder / "frr.conf").write_text(fabric.nodes[LEAF].frr)
    socket = str(namespaces.RUN / fabric.space(LEAF))
    reach = Ssh(ssh, "spaces", "leaf", "env")
    end = time.monotonic() + 60
    while (done := reach.run("true", "", 10)).code:
        assert time.monotonic() < end, f"sshd does not answer: {done.said}"
        time.sleep(0.5)
    return FrrSwitch("leaf", reach, str(folder), socket, WINDOW_S)


def running_lines(fabric):
    return fabric.vtysh(LEAF, "show running-config").splitlines()


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


SHUT = ("interface data0\n", "interface data0\n shutdown\n")


def wait_until_back(fabric, began):
    """Seconds from the change until the switch has by itself what it had."""
    while time.monotonic() - began < WINDOW_S + 40:
        if " shutdown" not in running_lines(fabric):
            return time.monotonic() - began
        time.sleep(0.5)
    pytest.fail("it did not return to its former configuration")


def test_a_change_is_kept_once_the_controller_came_in_again(fabric, switch):
    text = changed(fabric.nodes[LEAF].frr, "maximum-paths 256", "maximum-paths 8")
    assert switch.apply(text)
    assert "  maximum-paths 8" in running_lines(fabric)
    assert switch.read(30) == text
    assert not switch.apply(text)
    again = FrrSwitch("leaf", switch.reach, switch.folder, switch.socket, WINDOW_S)
    assert again.apply(fabric.nodes[LEAF].frr)
    assert "  maximum-paths 8" not in running_lines(fabric)


def test_a_switch_whose_controller_is_cut_off_returns_by_itself(fabric, switch):
    before = fabric.nodes[LEAF].frr
    began = time.monotonic()
    with pytest.raises(UserError, match=r"did not answer within 25 s .* returns to the former one by itself"):
        switch.apply(changed(before, *SHUT))
    spent = wait_until_back(fabric, began)
    assert spent >= WINDOW_S - 1
    assert (Path(switch.folder) / "frr.conf").read_text() == before
    while switch.reach.run("true", "", 10).code:
        assert time.monotonic() - began < WINDOW_S + 60, "the controller does not come in again"
    assert switch.read(30) == before


def test_a_switch_whose_controller_died_in_the_middle_returns_by_itself(fabric, switch, ssh):
    new = fabric.folder / "new.conf"
    new.write_text(changed(fabric.nodes[LEAF].frr, "maximum-paths 256", "maximum-paths 8"))
    began = time.monotonic()
    words = ["\n".join(ssh), switch.folder, switch.socket, str(WINDOW_S), str(new)]
    died = subprocess.run([sys.executable, "-c", DIE, *words], check=False)
    assert died.returncode == -signal.SIGKILL
    assert "  maximum-paths 8" in running_lines(fabric)
    with pytest.raises(UserError, match="another change waits there"):
        switch.apply(fabric.nodes[LEAF].frr + "!\n")
    while "  maximum-paths 8" in running_lines(fabric):
        assert time.monotonic() - began < WINDOW_S + 40, "it keeps what nobody confirmed"
        time.sleep(0.5)
    assert (Path(switch.folder) / "frr.conf").read_text() == fabric.nodes[LEAF].frr


class Lossy:
    """A way on which connections break: the words of one call are cut short, or its answer is lost."""

    def __init__(self, reach, *, cut=(), lost=()):
        self.reach, self.cut, self.lost, self.calls = reach, cut, lost, 0

    def run(self, script, stdin, limit):
        self.calls += 1
        if self.calls in self.cut:
            stdin = stdin[: stdin.index("router bgp")]
        done = self.reach.run(script, stdin, limit)
        return Done(LOST, "") if self.calls in {*self.cut, *self.lost} else done


def test_what_arrived_in_part_is_not_taken(fabric, switch):
    """A file that ends at a line is a configuration too, and one without BGP."""
    text = changed(fabric.nodes[LEAF].frr, "maximum-paths 256", "maximum-paths 8")
    before = running_lines(fabric)
    with pytest.raises(UserError, match="keeps the former one"):
        replace(switch, reach=Lossy(switch.reach, cut={1})).apply(text)
    assert running_lines(fabric) == before
    assert switch.read(30) == fabric.nodes[LEAF].frr


def test_a_confirmation_whose_answer_was_lost_is_given_again(fabric, switch):
    text = changed(fabric.nodes[LEAF].frr, "maximum-paths 256", "maximum-paths 8")
    assert replace(switch, reach=Lossy(switch.reach, lost={1, 2, 3})).apply(text)
    assert "  maximum-paths 8" in running_lines(fabric)
    assert switch.read(30) == text
    time.sleep(WINDOW_S)  # the timer would go back
    assert "  maximum-paths 8" in running_lines(fabric)
    again = FrrSwitch("leaf", switch.reach, switch.folder, switch.socket, WINDOW_S)
    assert again.apply(fabric.nodes[LEAF].frr)


def test_a_refused_line_is_named_with_its_template_and_nothing_changes(fabric, switch):
    before = running_lines(fabric)
    text = changed(fabric.nodes[LEAF].frr, " bgp log-neighbor-changes", " bgp log-nieghbor-changes")
    number = text.splitlines().index(" bgp log-nieghbor-changes") + 1
    wanted = (
        rf"leaf, templates/switches/frr/bgp\.j2: it refuses line {number} of frr\.conf, `bgp log-nieghbor"
    )
    with pytest.raises(UserError, match=wanted):
        switch.apply(text)
    assert running_lines(fabric) == before
    assert (Path(switch.folder) / "frr.conf").read_text() == fabric.nodes[LEAF].frr
    assert not list(Path(f"/run/gigasite-switch{switch.socket}").glob("pending.*"))
