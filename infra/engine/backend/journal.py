"""The journal: what an operation has done since the checkpoint, made durable while it runs.

An append-only file of records, one a line: the CRC-32 of the rest in hexadecimal, a blank, JSON. The first
record names the checkpoint that the others build on by its SHA-256. Then:

- `begin`: an operation on a resource starts; without its `end` its outcome is not known.
- `end`: it is over; which resource states left the snapshot and which came or changed, in one record, so that
  every prefix of the journal tells of a consistent state.
- `note`: other fields of the deployment.
- `saved`: all of it is in the checkpoint with this SHA-256, which is about to be put into place.

A resource state is called `b0`, `b1`, ... if it stood at that place of the base checkpoint, otherwise by the
name that its first `end` gave it. Records become durable in groups: whoever waits while a sync runs shares
the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from infra.engine.backend import files
from infra.engine.errors import EngineError
from infra.engine.resource import integrity, json_text
from infra.engine.resource.renaming import followed_aliases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.engine.resource.integrity import Record

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Begun:
    """An operation that was begun and whose end is not recorded.

    Attributes:
        operation: its id, the same when it is tried again, so that a provider can tell.
        type: `creating`, `updating`, `deleting`, `reading`, `importing`.
        resource: the resource as wanted (create) or as it was.
        carried: it is one of an earlier run, and stands in the checkpoint's pending operations already.
    """

    operation: str
    type: str
    resource: Record
    carried: bool = False


@dataclass(slots=True)
class Recovery:
    """What a journal tells.

    Attributes:
        deployment: the base with all that ended, sorted; None if the journal is not about this checkpoint, or
            the checkpoint holds all of it already.
        begun: operations whose outcome is not known.
        records: how many records were read.
        damaged: bytes at the end that are no whole record (a write that a crash cut off).
        foreign: the checkpoint was changed by someone else after the journal's operation was cut off.
        touched: URNs that the journal speaks of, for the message when it is foreign.
    """

    deployment: dict[str, Any] | None = None
    begun: tuple[Begun, ...] = ()
    records: int = 0
    damaged: int = 0
    foreign: bool = False
    touched: tuple[str, ...] = ()


def digest(checkpoint: bytes) -> str:
    """How a journal names a checkpoint file."""
    return hashlib.sha256(checkpoint).hexdigest()


def _encode(record: Mapping[str, Any]) -> bytes:
    body = json_text.write(record, ascii_only=True).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The whole records from the start, and how many bytes after them are none."""
    records = []
    rest = content
    while rest:
        line, newline, after = rest.partition(b"\n")
        checksum, _, body = line.partition(b" ")
        if not newline or checksum != b"%08x" % zlib.crc32(body):
            break
        records.append(json_text.parse(body))
        rest = after
    return records, len(rest)


class Journal:
    """A journal being written.

    Args:
        path: the file; made anew, with a header.
        base: the checkpoint file that the operation starts from.
        begun: operations of an earlier run whose outcome is still not known; kept under their ids.

    Raises:
        EngineError: it cannot be written.
    """

    def __init__(self, path: Path, base: bytes, begun: Iterable[Begun] = ()) -> None:
        self.path = path
        self.open_operations: dict[str, Begun] = {one.operation: one for one in begun}
        header = _encode({"kind": "journal", "version": VERSION, "base": digest(base)})
        carried = [
            _begin_record(one.operation, one.type, one.resource) | {"carried": True}
            for one in self.open_operations.values()
        ]
        files.write(path, header + b"".join(map(_encode, carried)))
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise files.refused("open", path, error) from error
        self._length = os.fstat(self._file).st_size
        self._written = self._synced = 0  # records
        self._syncing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, operation: str, type_: str, resource: Record) -> None:
        """Record that an operation starts; await `durable` before doing it."""
        self.open_operations[operation] = Begun(operation, type_, resource)
        self._append(_begin_record(operation, type_, resource))

    def end(
        self, operation: str, *, remove: Iterable[str] = (), put: Mapping[str, Record] | None = None
    ) -> None:
        """Record that an operation is over and what became of the snapshot by it.

        Args:
            operation: its id; one that was never begun is fine (a step without effect outside).
            remove: names of the states that left.
            put: states that came or changed, by name.
        """
        self.open_operations.pop(operation, None)
        record: dict[str, Any] = {"kind": "end", "operation": operation}
        if removed := list(remove):
            record["remove"] = removed
        if put:
            record["put"] = dict(put)
        self._append(record)

    def note(self, **fields: Any) -> None:
        """Record fields of the deployment beside its resources; None removes one."""
        self._append({"kind": "note", "fields": fields})

    async def durable(self) -> None:
        """Wait until all that was recorded so far survives a loss of power.

        Raises:
            EngineError: the disk refuses.
        """
        target = self._written
        while self._synced < target:
            if self._syncing is None:
                self._syncing = asyncio.ensure_future(self._sync())
            await asyncio.shield(self._syncing)

    async def _sync(self) -> None:
        try:
            reached = self._written
            await asyncio.get_running_loop().run_in_executor(None, self._fsync)
            self._synced = max(self._synced, reached)
        finally:
            self._syncing = None

    def sync(self) -> None:
        """The same as `durable`, blocking."""
        if self._synced < self._written:
            reached = self._written
            self._fsync()
            self._synced = max(self._synced, reached)

    def saved(self, checkpoint: bytes) -> None:
        """Record that this checkpoint, about to be written, holds everything; then it is durable."""
        self._append({"kind": "saved", "checkpoint": digest(checkpoint)})
        self.sync()

    def close(self) -> None:
        """Stop writing; the file stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Remove the file: the checkpoint holds all of it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _append(self, record: Mapping[str, Any]) -> None:
        line = _encode(record)
        try:
            written = os.write(self._file, line)
            if written < len(line):
                # A short write means a full disk; the next one says so. Take the part back first.
                os.ftruncate(self._file, self._length)
                os.write(self._file, line)
        except OSError as error:
            raise files.refused("write the journal", self.path, error) from error
        self._length += len(line)
        self._written += 1

    def _fsync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise files.refused("write the journal", self.path, error) from error


def _begin_record(operation: str, type_: str, resource: Record) -> dict[str, Any]:
    return {"kind": "begin", "operation": operation, "type": type_, "resource": resource}


def mark_saved(path: Path, checkpoint: bytes) -> None:
    """Append to a journal that was cut off: this checkpoint, about to be written, holds all of it.

    Raises:
        EngineError: it cannot be written.
    """
    content = files.read(path) or b""
    _, damaged = _decode(content)
    whole = content[: len(content) - damaged]
    files.write(path, whole + _encode({"kind": "saved", "checkpoint": digest(checkpoint)}))


# ---------------------------------------------------------------- replay


@dataclass(slots=True)
class _Replay:
    """The snapshot as the records change it."""

    fields: dict[str, Any]
    resources: dict[str, Record]
    begun: dict[str, Begun] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)

    def apply(self, record: Mapping[str, Any]) -> None:
        match record["kind"]:
            case "begin":
                carried = record.get("carried", False)
                one = Begun(record["operation"], record["type"], record["resource"], carried)
                self.begun[one.operation] = one
                self.touched[one.resource["urn"]] = None
            case "end":
                self.begun.pop(record["operation"], None)
                for name in record.get("remove", ()):
                    gone = self.resources.pop(name, None)
                    self.touched |= {gone["urn"]: None} if gone else {}
                self.resources |= record.get("put", {})
                self.touched |= dict.fromkeys(state["urn"] for state in record.get("put", {}).values())
            case "note":
                self.fields |= record["fields"]

    def deployment(self) -> dict[str, Any]:
        ordered, _ = integrity.repair(followed_aliases(list(self.resources.values())))
        fields = {key: value for key, value in self.fields.items() if value is not None}
        return fields | ({"resources": ordered} if ordered else {})


def base_names(count: int) -> Iterator[str]:
    """What the resources of a base checkpoint are called, in its order."""
    return (f"b{index}" for index in range(count))


def replay(content: bytes, checkpoint: bytes, deployment: Mapping[str, Any]) -> Recovery:
    """Put a journal's records on top of the checkpoint that they build on.

    Args:
        content: the journal file, perhaps cut off anywhere.
        checkpoint: the checkpoint file as it is now.
        deployment: what stands in it (`latest`).

    Returns:
        what the journal tells; a deployment only if there is more in it than in the checkpoint.

    Raises:
        EngineError: the journal is of a newer version.
    """
    records, damaged = _decode(content)
    if not records or records[0].get("kind") != "journal":
        return Recovery(damaged=damaged)
    if records[0]["version"] > VERSION:
        raise EngineError(
            f"the journal is of version {records[0]['version']}, and this engine reads {VERSION}",
            hint="go on with the newer engine that wrote it",
        )
    now = digest(checkpoint)
    resources: Sequence[Record] = deployment.get("resources") or ()
    state = _Replay(
        {key: value for key, value in deployment.items() if key != "resources"},
        dict(zip(base_names(len(resources)), resources, strict=True)),
    )
    for record in records[1:]:
        state.apply(record)
    begun, touched = tuple(state.begun.values()), tuple(state.touched)
    if any(record["kind"] == "saved" and record["checkpoint"] == now for record in records):
        return Recovery(None, begun, len(records), damaged)
    news = not all(record.get("carried") for record in records[1:])
    if records[0]["base"] != now:
        return Recovery(None, (), len(records), damaged, foreign=news, touched=touched)
    if not news:
        return Recovery(None, begun, len(records), damaged)
    return Recovery(state.deployment(), begun, len(records), damaged)
