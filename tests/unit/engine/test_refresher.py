"""The checkpoint while an operation runs: a few seconds old, sound without the journal, no load."""

from __future__ import annotations

import errno
import gzip
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.engine import EngineError
from infra.engine.backend import files, refresher
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.journal import Journal, decode
from infra.engine.backend.refresher import CheckpointRefresher
from infra.engine.resource import integrity
from infra.engine.resource.stack_ref import StackRef
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.unit

REF = StackRef("suite", "dev")
PROVIDER = "urn:pulumi:dev::suite::pulumi:providers:conf::default"
BASE = [{"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"}]


def resource(name: str, **more: Any) -> dict:
    return {
        "urn": f"urn:pulumi:dev::suite::conf:index:Res::{name}", "custom": True, "id": f"{name}-1",
        "type": "conf:index:Res", "provider": f"{PROVIDER}::uuid", **more,
    }  # fmt: skip


def make(folder: Path, *names: str) -> tuple[FileBackend, bytes]:
    """A stack of a provider and some resources, and its checkpoint."""
    backend = FileBackend(f"file://{folder}")
    backend.init(REF)
    resources = [*BASE, *map(resource, names)]
    return backend, backend.write(REF, {"manifest": {}, "metadata": {}, "resources": resources})


def start(backend: FileBackend, log: Journal) -> CheckpointRefresher:
    return CheckpointRefresher(backend.files(REF), log, backend.read(REF).deployment)


def names(backend: FileBackend) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in backend.read(REF).resources[1:]]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "AT_LEAST", 0.02)


# ---------------------------------------------------------------- what is in it


@pytest.mark.usefixtures("fast")
def test_the_checkpoint_follows_the_journal_while_it_grows(tmp_path: Path) -> None:
    backend, base = make(tmp_path, "a")
    with Journal(backend.files(REF).journal, base) as log, start(backend, log):
        log.note(secrets_providers={"type": "passphrase", "state": {"salt": "s"}})
        log.end("", put={"n1": resource("b", dependencies=[resource("c")["urn"]]), "n2": resource("c")})
        log.begin("1", "creating", resource("d"))
        until(lambda: names(backend) == ["a", "c", "b"])  # in the order of their dependencies
        found = backend.read(REF).deployment
        integrity.check(found["resources"])
        assert [one["type"] for one in found["pending_operations"]] == ["creating"]
        assert found["secrets_providers"]["state"] == {"salt": "s"}
        assert found["manifest"]["version"]  # so that its magic number is looked at
        log.end("1", put={"n3": resource("d")})
        log.end("2", remove=["b1"])
        until(lambda: names(backend) == ["c", "b", "d"])
        assert "pending_operations" not in backend.read(REF).deployment


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_recovery_is_the_same_with_and_without_refreshes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random records, with refreshes between some of them; the run is cut off after the last."""
    kinds = st.sampled_from(["create", "rename", "replace", "delete", "begin"])
    actions = data.draw(st.lists(kinds, min_size=1, max_size=8))
    moments = data.draw(st.sets(st.integers(0, len(actions) - 1), min_size=1))
    told = []
    for refreshed in (False, True):
        backend, base = make(tmp_path_factory.mktemp("stack"), "a", "b")
        with Journal(backend.files(REF).journal, base) as log:
            running = start(backend, log)
            live = {"b1": resource("a"), "b2": resource("b")}
            for number, action in enumerate(actions):
                record(action, number, log, live)
                if refreshed and number in moments:
                    running.refresh()
                    integrity.check(backend.read(REF).resources)
        if refreshed:
            assert backend.files(REF).backup.read_bytes() == base
        backend.recover(REF)
        deployment = backend.read(REF).deployment
        integrity.check(deployment["resources"])
        told.append((deployment["resources"], deployment.get("pending_operations")))
    assert told[0] == told[1]


def record(action: str, number: int, log: Journal, live: dict[str, dict]) -> None:
    """Record one action on the last of the live resources; what is first depends on nothing that leaves."""
    name, fresh = list(live)[-1], f"n{number}"
    match action:
        case "rename":
            live[name] |= {"urn": resource(f"x{number}")["urn"], "aliases": [live[name]["urn"]]}
            log.end("", put={name: live[name]})
        case "replace":
            old, new = live.pop(name) | {"delete": True}, live.get(name) or {}
            live[fresh] = old | {"delete": False, "id": f"again-{number}"} | new
            log.end("", put={name: old, fresh: live[fresh]})
        case "delete" if len(live) > 1:
            del live[name]
            log.end("", remove=[name])
        case "begin":
            log.begin(f"op-{number}", "updating", live[name])
        case _:
            live[fresh] = resource(fresh, dependencies=[one["urn"] for one in live.values()])
            log.end("", put={fresh: live[fresh]})


# ---------------------------------------------------------------- the files around it


def test_the_backup_is_the_checkpoint_before_the_operation(tmp_path: Path) -> None:
    backend, base = make(tmp_path, "a")
    log = Journal(backend.files(REF).journal, base)
    running = start(backend, log)
    for name in "bcd":
        log.end("", put={f"n{name}": resource(name)})
        running.refresh()
        assert names(backend)[-1] == name
        assert backend.files(REF).backup.read_bytes() == base
    backend.finish(REF, log, {"manifest": {}, "resources": BASE})
    assert names(backend) == []
    assert backend.files(REF).backup.read_bytes() == base
    assert not backend.files(REF).journal.exists()


def test_packed_checkpoints_are_refreshed_and_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, base = make(tmp_path, "a")
    monkeypatch.setenv("PULUMI_DIY_BACKEND_GZIP", "1")  # the base is plain, what follows is packed
    with Journal(backend.files(REF).journal, base) as log:
        log.end("", put={"n1": resource("b")})
        start(backend, log).refresh()
        log.end("", put={"n2": resource("c")})
    assert json.loads(gzip.decompress(backend.files(REF).checkpoint.read_bytes()))
    assert names(backend) == ["a", "b"]
    backend.recover(REF)
    assert names(backend) == ["a", "b", "c"]


def test_nothing_is_written_without_news(tmp_path: Path) -> None:
    backend, base = make(tmp_path, "a")
    with Journal(backend.files(REF).journal, base) as log:
        running = start(backend, log)
        running.refresh()
        assert backend.read(REF).content == base
        log.end("", put={"n1": resource("b")})
        running.refresh()
        before = backend.files(REF).checkpoint.stat().st_mtime_ns, log.path.read_bytes()
        running.refresh()
        assert (backend.files(REF).checkpoint.stat().st_mtime_ns, log.path.read_bytes()) == before


def test_a_state_that_another_engine_went_on_from_sets_the_journal_aside(tmp_path: Path) -> None:
    backend, base = make(tmp_path, "a")
    with Journal(backend.files(REF).journal, base) as log:
        running = start(backend, log)
        for name in "bcde":
            log.end("", put={f"n{name}": resource(name)})
            if name != "e":
                running.refresh()
    deployment = backend.read(REF).deployment
    backend.write(REF, deployment | {"resources": [*deployment["resources"], resource("z")]})
    with pytest.raises(EngineError, match="changed after an operation on it was cut off") as raised:
        backend.recover(REF)
    # b and c were in a checkpoint that surely was in place; that of d may have been about to be.
    assert ["Res::b" in str(raised.value), "Res::c" in str(raised.value)] == [False, False]
    assert ["Res::d" in str(raised.value), "Res::e" in str(raised.value)] == [True, True]


def test_without_the_backup_nothing_is_guessed(tmp_path: Path) -> None:
    backend, base = make(tmp_path, "a")
    with Journal(backend.files(REF).journal, base) as log:
        log.end("", put={"n1": resource("b")})
        start(backend, log).refresh()
        log.end("", put={"n2": resource("c")})
    backend.files(REF).backup.unlink()
    with pytest.raises(EngineError, match="Res::c"):
        backend.recover(REF)
    assert names(backend) == ["a", "b"]


# ---------------------------------------------------------------- cadence and failures


def test_refreshing_takes_a_twentieth_of_the_time_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, base = make(tmp_path)
    took, pauses = 0.3, []

    class Clock:
        now = 0.0

        def wait(self, seconds: float) -> bool:
            pauses.append(seconds)
            self.now += seconds
            return len(pauses) == 4

        def set(self) -> None: ...

    clock = Clock()
    monkeypatch.setattr(refresher.time, "monotonic", lambda: clock.now)
    with Journal(backend.files(REF).journal, base) as log:
        running = start(backend, log)

        def refresh() -> None:
            clock.now += took

        monkeypatch.setattr(running, "refresh", refresh)
        monkeypatch.setattr(running, "_ended", clock)
        running._work()
    assert pauses == pytest.approx([refresher.AT_LEAST, *[20 * took] * 3])


@pytest.mark.usefixtures("fast")
def test_what_could_not_be_written_is_written_as_soon_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, base = make(tmp_path, "a")
    with Journal(backend.files(REF).journal, base) as log:
        refreshing = start(backend, log)
        log.end("", put={"n1": resource("b")})
        with monkeypatch.context() as full:
            error = files.file_error("write", tmp_path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            full.setattr("infra.engine.backend.stack_files.files.write", raising(error))
            with pytest.raises(EngineError, match="free some space"):
                refreshing.refresh()
        refreshing.refresh()
        assert names(backend) == ["a", "b"]


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_a_full_disk_ends_no_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, base = make(tmp_path, "a")
    real = files.write

    def write(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise files.file_error("write", path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        real(path, content)

    with Journal(backend.files(REF).journal, base) as log:
        monkeypatch.setattr("infra.engine.backend.stack_files.files.write", write)
        with start(backend, log) as running:
            log.end("", put={"n1": resource("b")})
            until(lambda: running.failure is not None)
            assert "free some space" in str(running.failure)
            log.end("", put={"n2": resource("c")})
            monkeypatch.undo()
        assert names(backend) == ["a"]
        _, cut_off = decode(log.path.read_bytes())
        assert not cut_off
    backend.recover(REF)
    assert names(backend) == ["a", "b", "c"]
