"""Files compared on a machine: the very script, run here over files of the test's own."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.render import deployment
from infra.rollout import compare
from infra.rollout.push.expected import rendered_files

pytestmark = pytest.mark.unit

STORAGE = "lab-storage"
TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]


@pytest.fixture
def machines(home, monkeypatch):
    """A folder per machine in place of its root, filled as the roles say, and ssh to it."""
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    real = deployment.render_files

    def files(facts, site, variables):
        root = home / facts.name
        for file in real(facts, site, variables):
            yield replace(file, path=f"{root}{file.path}", owner=user, group=group)

    def run_on(_, host, command, *, stdin, **__):
        if host in broken:
            return SimpleNamespace(returncode=255, stdout="", stderr="ssh: connect: No route to host\n")
        words = shlex.split(command.replace(compare.PENDING, str(home / host / "pending")))
        assert words.pop(0) == "sudo"
        asked.append((host, words[0]))
        script = stdin.replace(compare.PENDING, str(home / host / "pending"))
        return subprocess.run(words, input=script, capture_output=True, text=True, check=False)

    broken, asked = set(), []
    monkeypatch.setattr(deployment, "render_files", files)
    monkeypatch.setattr(compare.ssh, "run_on", run_on)
    for rendered in rendered_files("lab", [*TRAYS, STORAGE]).values():
        for path, (file, content) in rendered.items():
            target = Path(path)
            (target if file.folder else target.parent).mkdir(parents=True, exist_ok=True)
            if not file.folder:
                target.write_bytes(content)
            target.chmod(int(file.mode, 8))
    return SimpleNamespace(broken=broken, root=home, asked=asked)


def test_machines_that_have_everything_are_the_same(machines):
    found = compare.compare("lab", TRAYS)
    assert (found.groups, found.silent) == ((), {})
    assert found.same == tuple(TRAYS)
    assert sorted(machines.asked) == [(tray, "/bin/sh") for tray in TRAYS], "no Python was started"


@pytest.mark.parametrize(
    ("path", "spoil", "said"),
    [
        ("etc/hosts", lambda path: path.write_text(path.read_text() + "\n"), "+++"),
        ("etc/hosts", lambda path: path.chmod(0o4644), "is 4644 "),
        ("etc/hosts", lambda path: (path.unlink(), path.mkdir(0o644)), "is a folder"),
        ("etc/hosts", lambda path: (path.unlink(), path.symlink_to("nowhere")), "--- /dev/null"),
        ("etc/hosts", lambda path: path.write_bytes(b""), "+++"),
        ("etc/hosts", lambda path: os.chown(path, 1, 0), " daemon root, not "),
        ("etc/hosts", lambda path: os.chown(path, 0, 1), " root daemon, not "),
        ("srv/shared", lambda path: path.chmod(0o777), "is 0777 "),
        ("srv/shared", lambda path: (shutil.rmtree(path), path.touch(), path.chmod(0o1777)), "is no folder"),
    ],
)
def test_whatever_differs_of_a_single_file_is_seen(machines, path, spoil, said):
    if os.geteuid() and "daemon" in said:
        pytest.skip("only root gives files away")
    spoil(machines.root / STORAGE / path)
    found = compare.compare("lab", [*TRAYS, STORAGE])
    ((change,),) = [group.changes for group in found.groups]
    assert change.path.endswith(path)
    assert said in change.text
    assert found.same == tuple(TRAYS)


def test_equal_changes_are_one_and_a_secret_is_never_shown(machines):
    for tray in TRAYS:
        path = machines.root / tray / "etc/sysctl.d/60-gigasite.conf"
        path.write_text(path.read_text().replace("rp_filter = 2", "rp_filter = 0"))
    key = machines.root / TRAYS[1] / "etc/munge/munge.key"
    key.chmod(0o600)
    key.write_bytes(b"stolen-content")
    (machines.root / TRAYS[1] / "etc/hosts").unlink()
    found = compare.compare("lab", TRAYS)
    # paths differ by the root of each machine, which stands for `/`
    texts = {
        group.hosts: {c.path.split(group.hosts[0])[1]: c.text for c in group.changes}
        for group in found.groups
    }
    assert set(texts) == {(TRAYS[0],), (TRAYS[1],)}
    first, second = texts[TRAYS[0],], texts[TRAYS[1],]
    assert list(first) == ["/etc/sysctl.d/60-gigasite.conf"]
    assert "rp_filter = 0" in first["/etc/sysctl.d/60-gigasite.conf"]
    assert second["/etc/munge/munge.key"] == "differs"
    assert second["/etc/hosts"].startswith("--- /dev/null")
    assert "stolen-content" not in json.dumps(list(second.values()))


def test_a_mode_a_pending_command_and_silence_are_differences(machines):
    (machines.root / TRAYS[0] / "etc/hosts").chmod(0o666)
    (machines.root / TRAYS[0] / "pending").write_text("systemctl restart chrony\n")
    machines.broken.add(TRAYS[1])
    found = compare.compare("lab", TRAYS)
    (group,) = found.groups
    said = [change.text for change in group.changes]
    assert any(text.startswith("is 0666 ") for text in said)
    assert any("still to be run" in text for text in said)
    assert found.silent == {TRAYS[1]: "ssh: connect: No route to host"}


def test_machines_with_the_same_change_are_one_group():
    change = (compare.Change("/etc/a", "differs"),)
    groups = compare.group_alike(
        {"t1": change, "t2": (), "t3": change, "t4": (compare.Change("/etc/b", "differs"),)}
    )
    assert [(group.hosts, len(group.key)) for group in groups] == [(("t1", "t3"), 8), (("t4",), 8)]
