"""Exports and quotas: brought by the role, then grown, set, read and removed on a server that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.provider.drivers.nfs import NfsServer
from infra.provider.drivers.ssh import LOST, Done
from infra.provider.resources import storage
from infra.render import render
from tests.unit.provider.conftest import Failed, Plugin
from tests.unit.roles.quota_tools import lay_out

pytestmark = pytest.mark.unit

EXPORT, QUOTA = "storage:Export", "storage:Quota"
MIB = 1 << 20
FACTS = {"site": {"name": "lab"}, "machine": {}}


class Server:
    """A server below a folder: its lists, the role's own programs, and the tools that they call."""

    def __init__(self, root: Path) -> None:
        self.root, self.path, self.asked, self.away = root, str(root / "shared"), 0, False
        for folder in ("etc/gigasite", "etc/exports.d", "etc/systemd/system", "lib", "run", "shared"):
            (root / folder).mkdir(parents=True)
        lay_out(root / "bin", root / "tables")
        for name in ("exportfs", "systemctl"):
            (root / "bin" / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{root}/log\n')
            (root / "bin" / name).chmod(0o755)

    def configure(self, *quotas: str) -> None:
        """What the role does."""
        for name in ("exports.sh", "quotas.py"):
            (self.root / "lib" / name).write_text(render(f"usr/local/lib/gigasite/{name}.j2", FACTS))
        counted = " quotas" if quotas else ""
        line = f"{self.path} {self.root}/images/shared.ext4 {16 * MIB}{counted}\n"
        (self.root / "etc/gigasite/exports").write_text(f"# path, image, bytes\n{line}")
        (self.root / "etc/gigasite/quotas").write_text("".join(f"{self.path} {one}\n" for one in quotas))
        (self.root / "etc/exports.d/gigasite.exports").write_text(f"{self.path} 10.0.0.0/8(rw)\n/other x\n")
        programs, lists = "/usr/local/lib/gigasite", "/etc/gigasite"
        steps = f"sh {programs}/exports.sh {lists}/exports && "
        done = self.run(f"{steps}python3 {programs}/quotas.py {lists}/quotas {lists}/exports")
        assert done.code == 0, done.errors

    def run(self, script: str, stdin: str = "", limit: float = 60) -> Done:
        """See `Reach`."""
        del stdin
        self.asked += 1
        if self.away:
            return Done(LOST, "", "ssh: no route to host")
        for place, own in (
            ("/etc/", f"{self.root}/etc/"), ("/usr/local/lib/gigasite", f"{self.root}/lib"),
            ("/run/gigasite", f"{self.root}/run/gigasite"),
        ):  # fmt: skip
            script = script.replace(place, own)
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, timeout=limit, check=False,
            env={"PATH": f"{self.root / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def list(self, name: str) -> str:
        return (self.root / "etc" / "gigasite" / name).read_text().replace(str(self.root), "")


@pytest.fixture
def server(tmp_path, monkeypatch):
    made = Server(tmp_path)
    monkeypatch.setattr(storage, "ssh_to", lambda *_: made)
    return made


def of(plugin: Plugin, token: str, server: Server, **more) -> dict:
    inputs, failures = plugin.check(token, {"server": "nfs", "path": server.path, **more})
    assert not failures
    return inputs


def export(plugin: Plugin, server: Server, size: int = 16 * MIB, **more) -> dict:
    return of(plugin, EXPORT, server, size=size, **more)


def quota(plugin: Plugin, server: Server, limit: int = MIB, **more) -> dict:
    return of(plugin, QUOTA, server, **{"kind": "user", "who": "ada", "limit": limit, **more})


def test_the_first_ones_come_with_the_role(plugin, server):
    for kind, inputs in ((EXPORT, export(plugin, server)), (QUOTA, quota(plugin, server))):
        id_, state = plugin.create(kind, inputs)
        assert state["applied"] == "role"
        assert plugin.read(kind, id_, state)[2] == state, "what waits for its role is not gone"
    server.away = True
    assert plugin.create(EXPORT, export(plugin, server))[1]["applied"] == "role"


def test_an_export_grows_on_the_server_and_the_role_finds_nothing_to_do(plugin, server):
    id_, state = plugin.create(EXPORT, export(plugin, server))
    server.configure()
    news = export(plugin, server, 32 * MIB)
    assert list(plugin.diff(EXPORT, state, news).detailedDiff) == ["size"]
    assert plugin.update(EXPORT, id_, state, news)["applied"] == "live"
    assert (server.root / "images/shared.ext4").stat().st_size == 32 * MIB
    assert server.list("exports") == f"# path, image, bytes\n/shared /images/shared.ext4 {32 * MIB}\n"


def test_an_export_is_never_made_smaller_and_a_preview_says_so(plugin, server):
    id_, state = plugin.create(EXPORT, export(plugin, server, 32 * MIB))
    for preview in (True, False):
        with pytest.raises(Failed, match="an export is not made smaller"):
            plugin.update(EXPORT, id_, state, export(plugin, server), preview=preview)


def test_an_export_without_room_says_so_and_stays(plugin, server):
    id_, state = plugin.create(EXPORT, export(plugin, server))
    server.configure()
    with pytest.raises(Failed, match="no room for"):
        plugin.update(EXPORT, id_, state, export(plugin, server, 1 << 50))
    assert str(16 * MIB) in server.list("exports")


def test_an_export_that_holds_files_is_removed_only_by_force(plugin, server):
    id_, state = plugin.create(EXPORT, export(plugin, server))
    server.configure("user ada 0 1024 0 -")
    (Path(server.path) / "thesis").write_text("years of work")
    with pytest.raises(Failed, match="holds files"):
        plugin.delete(EXPORT, id_, state)
    assert (Path(server.path) / "thesis").exists()
    state = plugin.update(EXPORT, id_, state, export(plugin, server, force_delete=True))
    plugin.delete(EXPORT, id_, state)
    assert not (server.root / "images/shared.ext4").exists()
    assert "shared" not in server.list("exports") + server.list("quotas")
    assert (server.root / "etc/exports.d/gigasite.exports").read_text() == "/other x\n"
    plugin.delete(EXPORT, id_, state)


def test_a_quota_is_set_changed_read_and_lifted_on_the_server(plugin, server):
    server.configure("user grace 0 1024 0 -")
    id_, state = plugin.create(QUOTA, quota(plugin, server, files=7))
    assert state["applied"] == "live"
    assert server.list("quotas").splitlines()[1] == "/shared user ada 0 1024 7 -"
    state = plugin.update(QUOTA, id_, state, quota(plugin, server, 2 * MIB + 1, soft=MIB))
    assert server.list("quotas").splitlines()[1] == "/shared user ada 1024 2049 0 -"
    _, _, seen = plugin.read(QUOTA, id_, state)
    assert (seen["limit"], seen["soft"]) == (2 * MIB + 1, MIB), "rounded up to a KiB, it is as declared"
    assert server.run(f"setquota -u ada 0 99 0 0 {server.path}").code == 0
    _, _, seen = plugin.read(QUOTA, id_, state)
    assert seen["limit"] == 99 * 1024
    plugin.delete(QUOTA, id_, state)
    assert server.list("quotas") == "/shared user grace 0 1024 0 -\n"
    assert plugin.read(QUOTA, id_, state)[0] == ""


def test_a_quota_of_a_folder_makes_it(plugin, server):
    server.configure("user grace 0 1024 0 -")
    folder = f"{server.path}/scratch"
    given = {"kind": "project", "who": "77", "folder": folder}
    assert plugin.create(QUOTA, quota(plugin, server, **given))[1]["applied"] == "live"
    assert Path(folder).is_dir()


def test_a_server_that_counts_nobody_yet_gets_a_quota_by_its_role(plugin, server):
    server.configure()
    (server.root / "tables" / "no-quotas").touch()
    assert plugin.create(QUOTA, quota(plugin, server))[1]["applied"] == "role"


def test_what_does_not_answer_is_left_as_it_was(plugin, server):
    server.configure()
    id_, state = plugin.create(EXPORT, export(plugin, server))
    server.away = True
    assert plugin.read(EXPORT, id_, state)[0] == id_
    plugin.delete(EXPORT, id_, state)


def test_mistakes_are_told_by_property(plugin):
    _, failures = plugin.check(
        QUOTA, {"server": "nfs", "path": "shared", "kind": "all", "who": "a b", "limit": 0}
    )
    assert sorted(failures) == ["kind", "limit", "path", "who"]


def test_a_server_tells_all_that_it_has_in_one_answer(server):
    server.configure("user ada 1 2 3 -", "project 77 0 9 0 " + f"{server.path}/scratch")
    found = NfsServer("nfs", server).read(60)
    assert found.exports == {server.path: 16 * MIB}
    assert {whose[1:]: (one.soft, one.hard, one.files) for whose, one in found.quotas.items()} == {
        ("user", "ada"): (1, 2, 3), ("project", "77"): (0, 9, 0),
    }  # fmt: skip
