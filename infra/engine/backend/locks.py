"""The CLI's lock files: who works on a stack, and whether that process still lives."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infra.engine.backend import files
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LockedError(EngineError):
    """Someone else works on the stack, or died at it. `locks` says who."""

    def __init__(self, stack: str, locks: list[Lock]) -> None:
        self.locks = tuple(locks)
        lines = "".join(f"\n  {lock}" for lock in locks)
        if any(lock.alive is not False for lock in locks):
            hint = "\nwait for it to end; if you know that it is gone, clear the lock with `cancel`"
        else:
            hint = "\nclear the lock with `cancel`: what that process had begun is taken from its journal"
        super().__init__(f"the stack {stack} is locked:{lines}{hint}")


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file.

    Attributes:
        path: the file.
        pid: the process that made it, on `hostname`.
        username: who ran it.
        hostname: where.
        since: when it was made.
    """

    path: Path
    pid: int
    username: str
    hostname: str
    since: datetime

    @property
    def alive(self) -> bool | None:
        """Whether its process still runs; None if that cannot be told from here."""
        if self.hostname != socket.gethostname():
            return None
        started = _start_time(self.pid)
        # A process that began after the lock was made only has the same number. (Allow a second.)
        return started is not None and started <= self.since + timedelta(seconds=1)

    def __str__(self) -> str:
        state = {True: "still running", False: "no longer running", None: "on another machine"}[self.alive]
        since = self.since.astimezone().isoformat(timespec="seconds")
        return f"by {self.username}@{self.hostname}, process {self.pid} ({state}), since {since}"


def _start_time(pid: int) -> datetime | None:
    """Return when a process of this machine started; None if it does not run."""
    import psutil  # type: ignore[import-untyped] # noqa: PLC0415 (only where a lock is in the way)

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return datetime.fromtimestamp(process.create_time(), UTC)
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        return None


def read_locks(folder: Path) -> list[Lock]:
    """The locks in a stack's folder of locks. One that cannot be read counts, as being of nobody."""
    return [_parse(path) for path in files.list_entries(folder) if path.suffix == ".json"]


def _parse(path: Path) -> Lock:
    try:
        content = json.loads(path.read_bytes())
        since = datetime.fromisoformat(_whole_microseconds(content["timestamp"]))
        return Lock(path, content["pid"], content["username"], content["hostname"], since)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Lock(path, 0, "unknown", "unknown", datetime.fromtimestamp(0, UTC))


def _whole_microseconds(timestamp: str) -> str:
    """Go writes nanoseconds, of which Python reads six digits."""
    head, dot, tail = timestamp.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[: min(digits, 6)].ljust(6, '0')}{tail[digits:]}" if dot else timestamp


@contextlib.contextmanager
def hold_lock(folder: Path, stack: str) -> Iterator[Lock]:
    """Hold the lock of a stack.

    Args:
        folder: where the stack's locks are.
        stack: its name, for the message.

    Raises:
        LockedError: someone else holds it; says who and since when.
    """
    if others := read_locks(folder):
        raise LockedError(stack, others)
    path = folder / f"{uuid.uuid4()}.json"
    since = datetime.now().astimezone()
    mine = Lock(path, os.getpid(), _username(), socket.gethostname(), since)
    content = {
        "pid": mine.pid, "username": mine.username, "hostname": mine.hostname, "timestamp": since.isoformat(),
    }  # fmt: skip
    files.write(path, json.dumps(content, separators=(",", ":")).encode())
    try:
        # Two that looked at the same time both wrote: as in the CLI, whoever sees another's file gives way.
        if others := [lock for lock in read_locks(folder) if lock.path != path]:
            raise LockedError(stack, others)
        yield mine
    finally:
        release(mine)


def release(lock: Lock) -> None:
    """Remove a lock file, and its folder if that was the last one."""
    lock.path.unlink(missing_ok=True)
    lock.path.with_name(lock.path.name + ".attrs").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        lock.path.parent.rmdir()


def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
