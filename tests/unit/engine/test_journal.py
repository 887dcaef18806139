"""The journal: any prefix of it, also cut inside a record, recovers to a state that holds together."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.engine import EngineError
from infra.engine.backend import journal
from infra.engine.backend.journal import Begun, Journal
from infra.engine.backend.replay import replay
from infra.engine.resource import integrity

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

PROVIDER = "urn:pulumi:dev::suite::pulumi:providers:conf::default"
BASE_PROVIDER = {"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"}


def urn(name: object) -> str:
    return f"urn:pulumi:dev::suite::conf:index:Res::{name}"


def resource(name: object, **more: Any) -> dict:
    return {
        "urn": urn(name), "custom": True, "id": f"{name}-1", "type": "conf:index:Res",
        "provider": f"{PROVIDER}::uuid", **more,
    }  # fmt: skip


def checkpoint(resources: list[dict]) -> tuple[bytes, dict]:
    deployment = {"manifest": {"time": "", "magic": "", "version": ""}, "resources": resources}
    return json.dumps(deployment).encode(), deployment


# ---------------------------------------------------------------- a random run, as an engine would record it


@dataclass
class Run:
    """Random operations on random resources, and the states after each record."""

    path: Path
    base: bytes
    deployment: dict
    live: dict[str, dict]  # what the journal calls a state -> the state
    log: Journal
    after: list[dict[str, dict]] = field(default_factory=list)
    open: list[dict[str, str]] = field(default_factory=list)  # what is begun then: operation -> type

    def __post_init__(self) -> None:
        self.begun: dict[str, str] = {}
        self.number = 0
        self.note()

    def note(self) -> None:
        self.after.append(dict(self.live))
        self.open.append(dict(self.begun))

    def fresh(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def begin(self, kind: str, state: dict) -> str:
        operation = f"op-{self.fresh()}"
        self.log.begin(operation, kind, state)
        self.begun[operation] = kind
        self.note()
        return operation

    def end(self, operation: str, remove: list[str] = [], put: dict[str, dict] | None = None) -> None:  # noqa: B006
        self.log.end(operation, remove=remove, put=put)
        self.begun.pop(operation, None)
        for name in remove:
            del self.live[name]
        self.live |= put or {}
        self.note()

    def names(self) -> list[str]:
        return [name for name, state in self.live.items() if not state.get("delete") and name != "b0"]

    def dependents(self, target: str) -> list[str]:
        wanted = self.live[target]["urn"]
        return [n for n, s in self.live.items() if wanted in s.get("dependencies", [])]


def play(run: Run, data: st.DataObject) -> None:
    """One random operation, with another one begun in between now and then."""
    names = run.names()
    kind = data.draw(st.sampled_from(["create", "update", "replace", "delete", "fail", "cut"]))
    if kind == "create" or not names:
        chosen = data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
        state = resource(run.fresh(), dependencies=[run.live[name]["urn"] for name in chosen])
        operation = run.begin("creating", {key: value for key, value in state.items() if key != "id"})
        run.end(operation, put={run.fresh(): state})
        return
    name = data.draw(st.sampled_from(names))
    state = run.live[name]
    if kind == "update":
        operation = run.begin("updating", state)
        run.end(operation, remove=[name], put={run.fresh(): state | {"inputs": {"size": run.number}}})
    elif kind == "replace":
        # Create first: the old copy waits for its delete in the record that adds the new one.
        operation = run.begin("creating", state)
        new = state | {"id": f"{run.number}"}
        run.end(operation, put={name: state | {"delete": True}, run.fresh(): new})
        if data.draw(st.booleans()):
            operation = run.begin("deleting", state)
            run.end(operation, remove=[name])
    elif kind == "delete" and not run.dependents(name):
        operation = run.begin("deleting", state)
        run.end(operation, remove=[name])
    elif kind == "fail":
        operation = run.begin("updating", state)
        run.end(operation)
    else:
        run.begin("updating", state)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_prefix_recovers(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("journal")
    count = data.draw(st.integers(0, 4))
    resources = [BASE_PROVIDER, *(resource(f"old{i}") for i in range(count))]
    base, deployment = checkpoint(resources)
    path = folder / "dev.journal"
    live = {f"b{index}": one for index, one in enumerate(resources)}
    with Journal(path, base) as log:
        run = Run(path, base, deployment, live, log)
        for _ in range(data.draw(st.integers(1, 8))):
            play(run, data)
    content = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for cut in sorted({*ends, *(data.draw(st.integers(0, len(content))) for _ in range(8))}):
        whole = sum(end <= cut for end in ends)  # records, the header among them
        told = replay(content[:cut], base, deployment)
        assert told.records == whole
        assert told.damaged == cut - (ends[whole - 1] if whole else 0)
        if whole <= 1:
            assert told.deployment is None  # nothing happened yet: the checkpoint is the state
            continue
        assert told.deployment is not None
        expected = run.after[whole - 1]
        found = told.deployment["resources"]
        integrity.check(found)
        key = lambda one: json.dumps(one, sort_keys=True)  # noqa: E731
        assert sorted(map(key, found)) == sorted(map(key, expected.values()))
        assert {one.operation: one.type for one in told.begun} == run.open[whole - 1]


# ---------------------------------------------------------------- what else it must do


@pytest.fixture
def base() -> tuple[bytes, dict]:
    return checkpoint([BASE_PROVIDER, resource("a")])


def test_a_flipped_bit_ends_what_is_believed(tmp_path: Path, base: tuple[bytes, dict]) -> None:
    path = tmp_path / "journal"
    with Journal(path, base[0]) as log:
        log.end("1", put={"n1": resource("b")})
        log.end("2", put={"n2": resource("c")})
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    told = replay(bytes(content), *base)
    assert told.records == 2
    assert told.damaged > 0
    assert [one["urn"] for one in told.deployment["resources"]] == [PROVIDER, urn("a"), urn("b")]


def test_a_journal_of_another_checkpoint_is_not_replayed(tmp_path: Path, base: tuple[bytes, dict]) -> None:
    path = tmp_path / "journal"
    with Journal(path, base[0]) as log:
        log.end("1", put={"n1": resource("b")})
    told = replay(path.read_bytes(), base[0] + b" ", base[1])
    assert told.foreign
    assert told.deployment is None
    assert told.touched == (urn("b"),)


def test_a_saved_journal_is_not_replayed_again(tmp_path: Path, base: tuple[bytes, dict]) -> None:
    path = tmp_path / "journal"
    new, after = checkpoint([BASE_PROVIDER])
    with Journal(path, base[0]) as log:
        log.end("1", remove=["b1"])
        log.saved(new)
    told = replay(path.read_bytes(), new, after)
    assert (told.deployment, told.foreign) == (None, False)
    # Cut off before the rename: the old checkpoint is still there, and the record applies.
    again = replay(path.read_bytes(), *base)
    assert [one["urn"] for one in again.deployment["resources"]] == [PROVIDER]


def test_ids_of_uncertain_operations_are_carried_on(tmp_path: Path, base: tuple[bytes, dict]) -> None:
    path = tmp_path / "journal"
    begun = Begun("the-id", "creating", resource("b"))
    with Journal(path, base[0], [begun]):
        pass
    told = replay(path.read_bytes(), *base)
    assert told.deployment is None
    assert [(one.operation, one.carried) for one in told.begun] == [("the-id", True)]
    # If the state was changed by someone else in between, such a journal holds no news: it is no conflict.
    assert not replay(path.read_bytes(), base[0] + b" ", base[1]).foreign


def test_notes_change_the_deployment(tmp_path: Path, base: tuple[bytes, dict]) -> None:
    path = tmp_path / "journal"
    with Journal(path, base[0]) as log:
        log.note(secrets_providers={"type": "passphrase"}, manifest=None)
    deployment = replay(path.read_bytes(), *base).deployment
    assert deployment["secrets_providers"] == {"type": "passphrase"}
    assert "manifest" not in deployment


def test_a_newer_journal_is_refused(base: tuple[bytes, dict]) -> None:
    record = {"kind": "journal", "version": journal.VERSION + 1, "base": journal.digest(base[0])}
    with pytest.raises(EngineError, match="go on with the newer engine"):
        replay(journal._encode(record), *base)


def test_waiters_share_a_sync(
    tmp_path: Path, base: tuple[bytes, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (syncs.append(fd), real(fd))[1])

    async def many() -> None:
        with Journal(tmp_path / "journal", base[0]) as log:

            async def one(index: int) -> None:
                log.begin(str(index), "creating", resource(index))
                await log.durable()

            await asyncio.gather(*(one(index) for index in range(200)))

    asyncio.run(many())
    assert 1 <= len(syncs) <= 3


def test_a_full_disk_is_said_and_leaves_whole_records(
    tmp_path: Path, base: tuple[bytes, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    real, full = os.write, False

    def write(fd: int, content: bytes) -> int:
        if not full:
            return real(fd, content)
        if len(content) > 10 and write.first:  # half of it fits
            write.first = False
            return real(fd, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    write.first = True
    with Journal(path, base[0]) as log:
        monkeypatch.setattr(os, "write", write)
        log.end("1", put={"n1": resource("b")})
        full = True
        with pytest.raises(EngineError, match="No space left on device, free some space"):
            log.end("2", put={"n2": resource("c")})
    told = replay(path.read_bytes(), *base)
    assert (told.records, told.damaged) == (2, 0)
