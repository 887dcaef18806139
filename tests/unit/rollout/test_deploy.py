"""The parts of `deploy` and `units` that run on a machine, run here in a folder of our own."""

from __future__ import annotations

import ast
import grp
import os
import pwd
import resource
import subprocess
import sys

import pytest

from infra.paths import ROOT

pytestmark = pytest.mark.unit

PLUGINS = ROOT / "playbooks" / "plugins"
SOURCE = (PLUGINS / "modules" / "deploy.py").read_text()


@pytest.fixture
def aside(tmp_path_factory):
    """What stands for /run."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def converge(aside):
    """As the action plugin does: the source, then a call, to a bare Python's standard input."""

    def run(files=(), *, check=False, prune=(), keep=(), units=(), env=None, limit=None):
        request = {
            "files": list(files),
            "prune": list(prune),
            "keep": list(keep),
            "units": list(units),
            "check": check,
            "pending": str(aside / "pending"),
        }
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-"],
            input=f"{SOURCE}\n\nconverge({request!r})\n",
            capture_output=True,
            text=True,
            check=True,
            env=env,
            preexec_fn=limit,
        )
        return ast.literal_eval(done.stdout)

    return run


def file(path, content=b"", **changes):
    return {
        "path": str(path),
        "folder": False,
        "mode": "0640",
        "owner": pwd.getpwuid(os.getuid()).pw_name,
        "group": grp.getgrgid(os.getgid()).gr_name,
        "validate": None,
        "apply": None,
        "quiet": False,
        "content": content,
        **changes,
    }


def test_a_second_run_changes_nothing(tmp_path, converge):
    files = [
        file(tmp_path / "deep" / "a.conf", b"a\n"),
        file(tmp_path / "b", b"\x00\xff"),
        file(tmp_path / "folder", folder=True, mode="0750"),
    ]
    first = converge(files)
    assert first["changes"] == [entry["path"] for entry in files]
    assert (tmp_path / "deep" / "a.conf").read_bytes() == b"a\n"
    assert (tmp_path / "deep" / "a.conf").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    second = converge(files)
    assert second["changed"] is False
    assert second["changes"] == []


def test_check_mode_says_what_would_change_and_changes_nothing(tmp_path, converge):
    there = tmp_path / "there"
    there.write_text("old\n")
    answer = converge([file(there, b"new\n"), file(tmp_path / "no" / "folder", b"x")], check=True)
    assert answer["changes"] == [str(there), str(tmp_path / "no" / "folder")]
    assert (answer["diff"][0]["before"], answer["diff"][0]["after"]) == ("old\n", "new\n")
    assert there.read_text() == "old\n"
    assert sorted(tmp_path.iterdir()) == [there]


def test_a_mode_alone_is_put_right(tmp_path, converge):
    path = tmp_path / "a"
    path.write_text("a")
    path.chmod(0o666)
    assert converge([file(path, b"a")])["changes"] == [str(path)]
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_invalid_file_never_gets_its_name(tmp_path, converge):
    path = tmp_path / "a.conf"
    path.write_text("good\n")
    answer = converge([file(path, b"bad\n", validate="grep -q good %s"), file(tmp_path / "later", b"x")])
    assert answer["failed"] is True
    assert str(path) in answer["msg"]
    assert path.read_text() == "good\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_valid_file_is_put_in_place(tmp_path, converge):
    path = tmp_path / "a.conf"
    assert converge([file(path, b"good\n", validate="grep -q good %s")])["changed"] is True
    assert path.read_text() == "good\n"


def test_a_failure_tells_what_had_changed(tmp_path, converge):
    answer = converge([file(tmp_path / "a", b"a"), file(tmp_path / "b", b"b", owner="nobody-of-that-name")])
    assert answer["failed"] is True
    assert answer["changes"] == [str(tmp_path / "a")]


def test_a_file_that_cannot_be_written_to_its_end_is_named(tmp_path, converge):
    # A limit of the process is met by write() as a full disk is: after the file was opened.
    target = tmp_path / "target"
    answer = converge(
        [file(target, b"x" * 9000)], limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    )
    assert answer["failed"]
    assert answer["msg"].endswith(f"File too large: '{target}'")
    assert not list(tmp_path.iterdir())


def test_left_overs_are_removed_and_only_those(tmp_path, converge):
    for name in ("20-x-old.network", "20-x-new.network", "other.network"):
        (tmp_path / name).write_text("old")
    answer = converge([file(tmp_path / "20-x-new.network", b"new")], prune=[str(tmp_path / "*-x-*")])
    new, old = tmp_path / "20-x-new.network", tmp_path / "20-x-old.network"
    assert answer["changes"] == [str(new), f"remove {old}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20-x-new.network", "other.network"]


def test_a_secret_is_not_in_the_difference(tmp_path, converge):
    answer = converge([file(tmp_path / "key", b"correct-horse", quiet=True)])
    assert answer["changed"] is True
    assert "correct-horse" not in repr(answer)


def test_what_changed_files_need_is_done_once_and_after_all_of_them(tmp_path, converge):
    log = tmp_path / "log"
    apply = f"cat {tmp_path}/a {tmp_path}/b >>{log}"
    files = [file(tmp_path / "a", b"1", apply=apply), file(tmp_path / "b", b"2", apply=apply)]
    assert converge(files)["changes"] == [str(tmp_path / "a"), str(tmp_path / "b"), apply]
    assert log.read_text() == "12"
    assert converge(files)["changed"] is False
    assert log.read_text() == "12"


def test_what_failed_or_was_cut_off_is_done_by_the_next_run(tmp_path, converge):
    apply = f"test -e {tmp_path}/repaired && touch {tmp_path}/done"
    files = [file(tmp_path / "a", b"1", apply=apply)]
    first = converge(files)
    assert first["failed"] is True
    assert "failed with exit code 1" in first["msg"]
    assert (tmp_path / "a").read_bytes() == b"1"
    (tmp_path / "repaired").touch()
    second = converge(files)
    assert second["changes"] == [apply]
    assert (tmp_path / "done").exists()
    assert converge(files)["changed"] is False


def test_a_command_that_could_not_be_done_is_not_tried_again_once_its_role_has_another(tmp_path, converge):
    assert converge([file(tmp_path / "a", b"1", apply="systemctl-of-nobody")])["failed"] is True
    assert converge([file(tmp_path / "b", b"1")])["changes"] == [str(tmp_path / "b")], "another part's run"
    mended = [file(tmp_path / "a", b"1", apply=f"touch {tmp_path}/done")]
    assert converge(mended)["changes"] == [f"touch {tmp_path}/done"]
    assert (tmp_path / "done").exists()
    assert converge(mended)["changed"] is False


def test_what_a_file_needed_that_is_there_no_more_is_forgotten(tmp_path, converge, aside):
    assert converge([file(tmp_path / "a", b"1", apply="false")])["failed"] is True
    (tmp_path / "a").unlink()
    assert converge([file(tmp_path / "b", b"1")])["changes"] == [str(tmp_path / "b")]
    assert not (aside / "pending").exists()


def test_what_an_older_version_left_undone_is_done(tmp_path, converge, aside):
    (aside / "pending").write_text(f"touch {tmp_path}/done\n")
    assert converge([])["changes"] == [f"touch {tmp_path}/done"]
    assert not (aside / "pending").exists()


def test_removing_a_file_needs_what_its_kind_needs(tmp_path, converge):
    for name in ("old.network", "new.network"):
        (tmp_path / name).write_bytes(b"x")
    files = [file(tmp_path / "new.network", b"x", mode="0644", apply=f"touch {tmp_path}/reloaded")]
    (tmp_path / "new.network").chmod(0o644)
    converge(files, prune=[f"{tmp_path}/*.network"])
    assert (tmp_path / "reloaded").exists()


FAKE = """#!/bin/sh
# systemctl with one file per state
echo "$*" >>"$STATE/calls"
last() { for word; do :; done; echo "$word"; }
state() { test -e "$STATE/$1-$2" && echo "$3" || echo "$4"; }
case "$1" in
show)
    shift 2
    for unit; do
        echo "Id=$unit"
        echo "ActiveState=$(state active "$unit" active inactive)"
        echo "UnitFileState=$(state enabled "$unit" enabled disabled)"
        echo "NeedDaemonReload=$(state stale "$unit" yes no)"
        echo
    done ;;
enable)
    shift
    for unit; do touch "$STATE/enabled-$unit"; done ;;
start)
    shift
    status=0
    for unit; do test "$unit" != broken.service && touch "$STATE/active-$unit" || status=1; done
    exit $status ;;
is-active) test -e "$STATE/active-$3" ;;
esac
"""


@pytest.fixture
def systemd(tmp_path, converge):
    """`converge` with a fake systemctl; also the folder of its states."""
    programs, state = tmp_path / "bin", tmp_path / "state"
    for folder in (programs, state):
        folder.mkdir()
    for name, text in (("systemctl", FAKE), ("journalctl", "#!/bin/sh\necho it broke\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(state)}
    return lambda units, **more: converge(units=units, env=env, **more), state


def test_units_are_enabled_and_started_once(systemd):
    run, state = systemd
    wanted = ["enable a.service", "enable b.service", "start a.service", "start b.service"]
    assert run(["a.service", "b.service"])["changes"] == wanted
    assert (state / "active-b.service").exists()
    # systemd reads all units again when one is enabled: once for all of them
    calls = (state / "calls").read_text().splitlines()
    assert calls[1:] == ["enable a.service b.service", "start a.service b.service"]
    assert run(["a.service", "b.service"])["changed"] is False


def test_check_mode_starts_nothing(systemd):
    run, state = systemd
    assert run(["a.service"], check=True)["changes"] == ["enable a.service", "start a.service"]
    assert [line.split()[0] for line in (state / "calls").read_text().splitlines()] == ["show"]


def test_a_unit_that_does_not_start_fails_with_its_journal(systemd):
    run, state = systemd
    answer = run(["broken.service", "later.service"])
    assert answer["failed"] is True
    assert "cannot start broken.service" in answer["msg"]
    assert "it broke" in answer["msg"]
    assert "later.service" not in answer["msg"]
    assert (state / "active-later.service").exists()


def test_systemd_reads_unit_files_again_only_when_needed(systemd):
    run, state = systemd
    run(["a.service"])
    assert "daemon-reload" not in (state / "calls").read_text()
    (state / "stale-a.service").touch()
    run(["a.service"])
    assert "daemon-reload" in (state / "calls").read_text()


def test_what_another_component_deploys_is_kept(tmp_path, converge):
    mine, other, old = (tmp_path / name for name in ("a-x", "b-x", "c-x"))
    for path in (other, old):
        path.write_text("there")
    answer = converge([file(mine, b"new")], prune=[str(tmp_path / "*-x")], keep=[str(other)])
    assert answer["changes"] == [str(mine), f"remove {old}"]
    assert sorted(tmp_path.iterdir()) == [mine, other]
