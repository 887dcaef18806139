"""The file backend: layout, locks, damaged and newer files, full disks, recovery; nothing is ever lost."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import itertools
import json
import os
import re
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.engine import EngineError
from infra.engine.backend import files, journal
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.checkpoint import encode_checkpoint
from infra.engine.backend.journal import Journal
from infra.engine.backend.locks import LockedError
from infra.engine.backend.refresher import CheckpointRefresher
from infra.engine.backend.stack_files import UpdateInfo
from infra.engine.resource import integrity
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.values import REFERENCE, SIGNATURE

pytestmark = pytest.mark.unit

REF = StackRef("suite", "dev")
PROVIDER = "urn:pulumi:dev::suite::pulumi:providers:conf::default"
MANIFEST = {
    "time": "2026-11-22T10:00:00Z",
    "magic": hashlib.sha256(b"v3.260.0").hexdigest(),
    "version": "v3.260.0",
}


def deployment(*names: str) -> dict:
    provider = {"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"}
    return {"manifest": MANIFEST, "resources": [provider, *map(resource, names)], "metadata": {}}


def resource(name: str) -> dict:
    return {
        "urn": f"urn:pulumi:dev::suite::conf:index:Res::{name}", "custom": True, "id": f"{name}-1",
        "type": "conf:index:Res", "provider": f"{PROVIDER}::uuid",
    }  # fmt: skip


def names(backend: FileBackend) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in backend.read(REF).resources[1:]]


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    made = FileBackend(f"file://{tmp_path}")
    made.init(REF)
    return made


# ---------------------------------------------------------------- layout


def test_the_layout_is_the_clis(backend: FileBackend, tmp_path: Path) -> None:
    root = tmp_path / ".pulumi"
    assert (root / "meta.yaml").read_text() == "version: 1\n"
    whole = json.loads((root / "stacks/suite/dev.json").read_bytes())
    assert whole["version"] == 3
    assert whole["checkpoint"]["stack"] == "organization/suite/dev"
    backend.write(REF, deployment("a"))
    assert json.loads((root / "stacks/suite/dev.json.bak").read_bytes()) == whole
    backend.add_history(REF, UpdateInfo("update", 1, 3, "succeeded", {"create": 2, "same": 0}))
    (entry,) = (root / "history/suite/dev").glob("dev-*.history.json")
    assert json.loads(entry.read_bytes()) == {
        "kind": "update", "startTime": 1, "message": "", "environment": {}, "config": {}, "version": 0,
        "result": "succeeded", "endTime": 3, "resourceChanges": {"create": 2},
    }  # fmt: skip
    kept = entry.with_name(entry.name.replace("history", "checkpoint"))
    assert kept.read_bytes() == (root / "stacks/suite/dev.json").read_bytes()
    assert len(list((root / "backups/suite/dev").glob("dev.*.json"))) == 1
    assert backend.history(REF)[0]["result"] == "succeeded"


def test_state_is_for_our_user_alone(backend: FileBackend, tmp_path: Path) -> None:
    backend.write(REF, deployment("a"))
    for path in (tmp_path / ".pulumi").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_stacks_are_listed_made_once_and_removed_when_empty(backend: FileBackend, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="exists already"):
        backend.init(REF)
    backend.init(StackRef("other", "prod"))
    assert [str(one.ref) for one in backend.stacks()] == ["organization/other/prod", "organization/suite/dev"]
    assert [one.ref for one in backend.stacks("suite")] == [REF]
    backend.write(REF, deployment("a"))
    backend.add_history(REF, UpdateInfo("update", 1, 3, "succeeded", {}))
    assert backend.stacks("suite")[0].resource_count == 2
    with pytest.raises(EngineError, match="still has 2 resources"):
        backend.remove(REF)
    backend.remove(REF, force=True)
    assert not backend.exists(REF)
    kept = {path.name.partition(".")[2] for path in tmp_path.rglob("*dev*") if path.is_file()}
    assert {name[-4:] for name in kept} == {".bak", "json"}  # the last state, as a backup
    backend.init(REF)
    backend.remove(REF, backups=True)
    assert not [path for path in tmp_path.rglob("*dev*") if path.is_file()]


@pytest.mark.parametrize("name", ["a/b/c/d", "other/dev", "", "a b", "..", "x" * 101])
def test_bad_stack_names_are_refused(name: str) -> None:
    with pytest.raises(EngineError):
        StackRef.parse(name, "suite")


def test_stack_names_are_understood_in_three_forms() -> None:
    assert StackRef.parse("dev", "suite") == REF
    assert StackRef.parse("organization/dev", "suite") == REF
    assert StackRef.parse("organization/suite/dev", "another") == REF


@pytest.mark.parametrize(
    "url", ["s3://bucket", "postgres://me:hush@host/db", "https://app.pulumi.com", "azblob://x"]
)
def test_other_backends_name_the_other_engine(url: str) -> None:
    with pytest.raises(EngineError, match="--engine pulumi") as raised:
        FileBackend(url)
    assert "hush" not in str(raised.value)


def test_the_digest_that_the_cli_keeps_stays_true(backend: FileBackend) -> None:
    path = backend.files(REF).checkpoint
    attributes = path.with_name("dev.json.attrs")
    attributes.write_text("{}")
    content = backend.write(REF, deployment("a"))
    expected = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    assert json.loads(attributes.read_text())["md5"] == expected


# ---------------------------------------------------------------- files that cannot be read or written


def test_a_damaged_checkpoint_names_the_backup(backend: FileBackend) -> None:
    backend.write(REF, deployment("a"))
    backend.write(REF, deployment("a", "b"))
    backend.files(REF).checkpoint.write_bytes(b'{"version":3,"chec')
    with pytest.raises(EngineError, match="damaged") as raised:
        backend.read(REF)
    assert str(backend.files(REF).backup) in str(raised.value)
    backend.files(REF).backup.write_bytes(b"")
    backend.add_history(REF, UpdateInfo("update", 1, 3, "succeeded", {}))
    with pytest.raises(EngineError, match="there is no backup of it"):
        backend.read(REF)


def test_a_wrong_magic_number_is_damage(backend: FileBackend) -> None:
    broken = deployment("a") | {"manifest": MANIFEST | {"magic": "00"}}
    backend.files(REF).checkpoint.write_bytes(encode_checkpoint(REF, broken))
    with pytest.raises(EngineError, match="magic number"):
        backend.read(REF)


def test_a_newer_checkpoint_is_left_alone(backend: FileBackend) -> None:
    path = backend.files(REF).checkpoint
    path.write_text('{"version":5,"checkpoint":{}}')
    with pytest.raises(EngineError, match=r"newer version 5.*--engine pulumi"):
        backend.read(REF)
    assert path.read_text() == '{"version":5,"checkpoint":{}}'


def test_unknown_features_are_refused_and_known_ones_kept(backend: FileBackend) -> None:
    special = deployment("a", "b")
    special["resources"][1] |= {"taint": True, "refreshBeforeUpdate": True}
    special["resources"][2] |= {"replaceWith": [special["resources"][1]["urn"]]}
    backend.write(REF, special)
    whole = json.loads(backend.files(REF).checkpoint.read_bytes())
    assert whole["version"] == 4
    assert whole["features"] == ["refreshBeforeUpdate", "replaceWith", "taint"]
    assert backend.read(REF).deployment == special
    whole["features"].append("timeTravel")
    backend.files(REF).checkpoint.write_text(json.dumps(whole))
    with pytest.raises(EngineError, match="timeTravel"):
        backend.read(REF)


def test_a_packed_checkpoint_is_read_and_written_anew(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = backend.files(REF).checkpoint
    monkeypatch.setenv("PULUMI_SELF_MANAGED_STATE_GZIP", "true")
    content = backend.write(REF, deployment("a"))
    packed = backend.files(REF).checkpoint
    assert packed == plain.with_name("dev.json.gz")
    assert gzip.decompress(packed.read_bytes()) == content == backend.read(REF).content
    assert not plain.exists()
    assert plain.with_name("dev.json.bak").exists()
    backend.add_history(REF, UpdateInfo("update", 1, 3, "succeeded", {}))
    assert [one["result"] for one in backend.history(REF)] == ["succeeded"]
    assert [one.resource_count for one in backend.stacks("suite")] == [2]
    monkeypatch.delenv("PULUMI_SELF_MANAGED_STATE_GZIP")
    packed.write_bytes(packed.read_bytes()[:-20])
    (kept,) = (plain.parents[2] / "backups/suite/dev").glob("*.json.gz")
    with pytest.raises(EngineError, match=f"damaged.*{re.escape(str(kept))}"):
        backend.read(REF)
    packed.write_bytes(kept.read_bytes())
    backend.write(REF, deployment("b"))
    assert backend.files(REF).checkpoint == plain
    assert not packed.exists()


def test_a_checkpoint_packed_by_zstd_is_explained(backend: FileBackend) -> None:
    path = backend.files(REF).checkpoint
    path.rename(path.with_name("dev.json.zst"))
    with pytest.raises(EngineError, match="zstd"):
        backend.read(REF)


def test_a_renamed_stack_has_its_resources_and_history_under_the_new_name(backend: FileBackend) -> None:
    before = deployment("a")
    root = {"urn": "urn:pulumi:dev::suite::pulumi:pulumi:Stack::suite-dev", "custom": False}
    root |= {"type": "pulumi:pulumi:Stack"}
    resource = before["resources"][-1]
    resource |= {"parent": root["urn"], "aliases": [resource["urn"] + "-was"]}
    resource["inputs"] = {"to": {SIGNATURE: REFERENCE, "urn": root["urn"]}, "text": root["urn"]}
    before["resources"].insert(0, root)
    backend.write(REF, before)
    backend.add_history(REF, UpdateInfo("update", 1, 3, "succeeded", {}))
    new = StackRef("suite", "prod")
    backend.rename(REF, new)
    assert [one.ref for one in backend.stacks("suite")] == [new]
    after = backend.read(new).resources
    assert after[0]["urn"] == "urn:pulumi:prod::suite::pulumi:pulumi:Stack::suite-prod"
    left = json.dumps([one | {"inputs": {}} for one in after])
    assert "urn:pulumi:dev::" not in left
    assert after[-1]["provider"].startswith("urn:pulumi:prod::suite::pulumi:providers:")
    assert after[-1]["inputs"]["to"]["urn"] == after[0]["urn"]
    assert after[-1]["inputs"]["text"] == root["urn"]  # text is text
    assert len(backend.history(new)) == 1
    assert backend.history(REF) == []
    with pytest.raises(EngineError, match="exists already"):
        backend.rename(REF, new)
    with pytest.raises(EngineError, match="no stack"):
        backend.rename(REF, StackRef("suite", "third"))


def test_an_inconsistent_state_is_not_written(backend: FileBackend) -> None:
    before = backend.files(REF).checkpoint.read_bytes()
    wrong = deployment("a")
    wrong["resources"].reverse()
    with pytest.raises(integrity.IntegrityError, match="its provider"):
        backend.write(REF, wrong)
    assert backend.files(REF).checkpoint.read_bytes() == before


def test_a_full_disk_loses_nothing(backend: FileBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.write(REF, deployment("a"))
    before = backend.files(REF).checkpoint.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineError, match="No space left on device, free some space"):
        backend.write(REF, deployment("a", "b"))
    monkeypatch.undo()
    assert backend.files(REF).checkpoint.read_bytes() == before
    assert not list(backend.root.rglob("*.tmp"))


def test_what_a_killed_writer_left_goes_with_the_next_run(backend: FileBackend) -> None:
    backend.write(REF, deployment("a"))
    checkpoint = backend.files(REF).checkpoint
    left = [checkpoint.with_name(f".{checkpoint.name}{form}.4711.tmp") for form in ("", ".bak")]
    another = checkpoint.with_name(f".{REF.stack}.json.json.4711.tmp")  # of the stack STACK.json
    for path in (*left, another):
        path.write_bytes(b"{")
    with backend.locked(REF):
        assert not any(path.exists() for path in left)
        assert another.exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_explained(backend: FileBackend) -> None:
    folder = backend.files(REF).checkpoint.parent
    folder.chmod(0o500)
    try:
        with pytest.raises(EngineError, match="right to write there"):
            backend.write(REF, deployment("a"))
    finally:
        folder.chmod(0o700)


def test_the_reason_of_the_system_is_turned_into_advice() -> None:
    error = OSError(errno.EROFS, "Read-only file system")
    assert "mount it for writing" in str(files.file_error("write", Path("x"), error))


# ---------------------------------------------------------------- locks


def lock_file(backend: FileBackend, **changes: object) -> Path:
    content = {
        "pid": os.getpid(), "username": "ada", "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    path = backend.root / "locks/organization/suite/dev" / "0000.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | changes))
    return path


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", "pass"])
    done.wait()
    return done.pid


def test_the_lock_file_is_the_clis(backend: FileBackend) -> None:
    with backend.locked(REF):
        (path,) = (backend.root / "locks/organization/suite/dev").glob("*.json")
        content = json.loads(path.read_bytes())
        assert content.keys() == {"pid", "username", "hostname", "timestamp"}
        assert content["pid"] == os.getpid()
        assert datetime.fromisoformat(content["timestamp"]).tzinfo is not None
    assert backend.locks(REF) == []


def test_a_living_process_is_refused_with_who_and_since_when(backend: FileBackend) -> None:
    path = lock_file(backend, timestamp="2099-11-22T10:00:00.123456789+01:00")
    with pytest.raises(LockedError) as raised, backend.locked(REF):
        pass
    said = str(raised.value)
    assert f"ada@{socket.gethostname()}, process {os.getpid()} (still running), since 2099-11-22T" in said
    with pytest.raises(LockedError):
        backend.cancel(REF)
    assert path.exists()


def test_a_dead_process_is_explained_and_cleared(backend: FileBackend) -> None:
    path = lock_file(backend, pid=dead_process())
    with (
        pytest.raises(LockedError, match=r"no longer running(.|\n)*clear the lock with `cancel`"),
        backend.locked(REF),
    ):
        pass
    cleared, told = backend.cancel(REF)
    assert [lock.username for lock in cleared] == ["ada"]
    assert told is None
    assert not path.exists()
    with backend.locked(REF):
        pass


def test_a_process_that_only_has_the_same_number_is_dead(backend: FileBackend) -> None:
    lock_file(backend, timestamp=(datetime.now(UTC) - timedelta(days=400)).isoformat())
    (lock,) = backend.locks(REF)
    assert lock.alive is False


def test_a_lock_of_another_machine_is_cleared_only_by_force(backend: FileBackend) -> None:
    path = lock_file(backend, hostname="elsewhere")
    with pytest.raises(LockedError, match="on another machine"):
        backend.cancel(REF)
    backend.cancel(REF, force=True)
    assert not path.exists()


def test_an_unreadable_lock_counts(backend: FileBackend) -> None:
    lock_file(backend).write_text("{")
    with pytest.raises(LockedError), backend.locked(REF):
        pass
    with pytest.raises(EngineError), backend.locked(REF):
        pass


def test_of_two_at_the_same_time_at_most_one_holds_it(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from infra.engine.backend.backend import FileBackend\n"
        "from infra.engine.resource.stack_ref import StackRef\n"
        "from infra.engine.backend.locks import LockedError\n"
        "try:\n"
        "    with FileBackend(sys.argv[1]).locked(StackRef('suite', 'dev')):\n"
        "        began = time.monotonic(); time.sleep(1); print('held', began, time.monotonic())\n"
        "except LockedError:\n"
        "    print('refused')\n"
    )
    url = f"file://{tmp_path}"
    running = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in running]
    assert {word for word, *_ in said} <= {"held", "refused"}
    held = sorted((float(began), float(ended)) for _, began, ended in filter(lambda one: len(one) > 1, said))
    # On a busy machine one may come when another has left.
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(held))


# ---------------------------------------------------------------- recovery


def refresh_once(backend: FileBackend, log: Journal) -> None:
    """Put what the journal has into the checkpoint, as happens while an operation runs."""
    CheckpointRefresher(backend.files(REF), log, backend.read(REF).deployment).refresh()


def test_what_a_cut_off_operation_recorded_goes_into_the_state(backend: FileBackend) -> None:
    base = backend.write(REF, deployment("a"))
    with Journal(backend.files(REF).journal, base) as log:
        log.end("1", put={"n1": resource("b")})
        log.begin("2", "creating", resource("c"))
    lock_file(backend, pid=dead_process())
    _, told = backend.cancel(REF)
    assert told is not None
    assert names(backend) == ["a", "b"]
    pending = backend.read(REF).deployment["pending_operations"]
    assert [(one["type"], one["resource"]["id"]) for one in pending] == [("creating", "c-1")]
    # Doing it again changes nothing, and the uncertain operation keeps its id.
    before = backend.files(REF).checkpoint.read_bytes()
    again = backend.recover(REF)
    assert again is not None
    assert [one.operation for one in again.begun] == ["2"]
    assert backend.files(REF).checkpoint.read_bytes() == before


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("step", ["mark_saved", "_put", "Journal"])
def test_recovery_may_itself_be_cut_off(
    backend: FileBackend, monkeypatch: pytest.MonkeyPatch, step: str, *, refreshed: bool
) -> None:
    base = backend.write(REF, deployment("a"))
    with Journal(backend.files(REF).journal, base) as log:
        log.end("1", put={"n1": resource("b")})
        if refreshed:
            refresh_once(backend, log)
        log.begin("2", "creating", resource("c"))

    class Cut(BaseException):
        pass

    def cut(*_: object, **__: object) -> None:
        raise Cut

    place = FileBackend if step == "_put" else journal
    monkeypatch.setattr(place, step, cut)
    with pytest.raises(Cut):
        backend.recover(REF)
    monkeypatch.undo()
    told = backend.recover(REF)
    assert told is not None
    assert [one.operation for one in told.begun] == ["2"]
    assert names(backend) == ["a", "b"]
    assert len(backend.read(REF).deployment["pending_operations"]) == 1


def test_a_finished_operation_leaves_no_journal(backend: FileBackend) -> None:
    base = backend.write(REF, deployment("a"))
    log = Journal(backend.files(REF).journal, base)
    log.end("1", put={"n1": resource("b")})
    backend.finish(REF, log, deployment("a", "b"))
    assert not backend.files(REF).journal.exists()
    assert backend.recover(REF) is None
    assert names(backend) == ["a", "b"]


def test_a_state_changed_by_another_engine_sets_the_journal_aside(backend: FileBackend) -> None:
    base = backend.write(REF, deployment("a"))
    with Journal(backend.files(REF).journal, base) as log:
        log.end("1", put={"n1": resource("b")})
    backend.write(REF, deployment("a", "z"))
    with pytest.raises(EngineError, match="changed after an operation on it was cut off") as raised:
        backend.recover(REF)
    (aside,) = backend.files(REF).journal.parent.glob("*.aside")
    assert str(aside) in str(raised.value)
    assert b"Res::b" in aside.read_bytes()
    assert names(backend) == ["a", "z"]
    assert backend.recover(REF) is None
