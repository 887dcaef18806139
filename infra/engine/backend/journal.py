"""The journal: what an operation has done since the checkpoint, made durable while it runs.

An append-only file of records, one a line: the CRC-32 of the rest in hexadecimal, a blank, JSON. The first
record names the checkpoint that the others build on by its SHA-256. Then:

- `begin`: an operation on a resource starts; without its `end` its outcome is not known.
- `end`: it is over; which resource states left the snapshot and which came or changed, in one record, so that
  every prefix of the journal tells of a consistent state.
- `note`: other fields of the deployment.
- `refreshed`: the first so many records are in the checkpoint with this SHA-256, which is about to be put
  into place while the operation goes on. All still build on the first checkpoint, which is the backup then.
- `saved`: all of it is in the checkpoint with this SHA-256, which is about to be put into place.

A resource state is called `b0`, `b1`, ... if it stood at that place of the base checkpoint, otherwise by the
name that its first `end` gave it. Records become durable in groups: whoever waits while a sync runs shares
the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from infra.engine.backend import files
from infra.engine.resource import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from infra.engine.resource.integrity import Record

VERSION: Final = 2
"""2 has `refreshed` records."""
REFRESHED: Final = "refreshed"
SAVED: Final = "saved"


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


def digest(checkpoint: bytes) -> str:
    """How a journal names a checkpoint file."""
    return hashlib.sha256(checkpoint).hexdigest()


def _encode(record: Mapping[str, Any]) -> bytes:
    body = json_text.write(record, ascii_only=True).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the whole records from the start, and how many bytes after them are none."""
    records: list[dict[str, Any]] = []
    whole = 0
    while (end := content.find(b"\n", whole)) >= 0:
        checksum, _, body = content[whole:end].partition(b" ")
        if checksum != b"%08x" % zlib.crc32(body):
            break
        records.append(json_text.parse(body))
        whole = end + 1
    return records, len(content) - whole


class Journal:
    """A journal being written.

    Args:
        path: the file; made anew, with a header.
        base: the checkpoint file that the operation starts from.
        begun: operations of an earlier run whose outcome is still not known; kept under their ids.

    Attributes:
        is_refreshed: the checkpoint in place is no longer the base, which is the backup now.

    Raises:
        EngineError: it cannot be written.
    """

    def __init__(self, path: Path, base: bytes, begun: Iterable[Begun] = ()) -> None:
        self.path, self.is_refreshed = path, False
        self._writing = threading.Lock()  # the refresher's thread writes too
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
            raise files.file_error("open", path, error) from error
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

    def refreshed(self, checkpoint: bytes, holds: int) -> None:
        """Record that this checkpoint, about to be written, holds the first records; then it is durable.

        Called from the refresher's thread.

        Args:
            checkpoint: the file's content.
            holds: how many records, the header not among them.
        """
        self._append({"kind": REFRESHED, "checkpoint": digest(checkpoint), "holds": holds})
        self._fsync()

    def saved(self, checkpoint: bytes) -> None:
        """Record that this checkpoint, about to be written, holds everything; then it is durable."""
        self._append({"kind": SAVED, "checkpoint": digest(checkpoint)})
        self._fsync()

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
        with self._writing:
            try:
                written = os.write(self._file, line)
                if written < len(line):
                    # A short write means a full disk; the next one says so. Take the part back first.
                    os.ftruncate(self._file, self._length)
                    os.write(self._file, line)
            except OSError as error:
                raise files.file_error("write the journal", self.path, error) from error
            self._length += len(line)
            self._written += 1

    def _fsync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise files.file_error("write the journal", self.path, error) from error


def _begin_record(operation: str, type_: str, resource: Record) -> dict[str, Any]:
    return {"kind": "begin", "operation": operation, "type": type_, "resource": resource}


def mark_saved(path: Path, checkpoint: bytes) -> None:
    """Append to a journal that was cut off: this checkpoint, about to be written, holds all of it.

    Raises:
        EngineError: it cannot be written.
    """
    content = files.read(path) or b""
    _, damaged = decode(content)
    whole = content[: len(content) - damaged]
    files.write(path, whole + _encode({"kind": SAVED, "checkpoint": digest(checkpoint)}))
