"""Files that are whole or absent, and locks between processes."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import FileLock

_POLL = 0.02
"""Seconds between two tries of a lock that somebody else holds."""


def private_folder(path: Path) -> Path:
    """Make a folder and the missing ones above it, all with mode 0700 (mkdir's mode is the last one's)."""
    missing = [path, *path.parents]
    for folder in reversed(missing[: next(i for i, one in enumerate(missing) if one.exists())]):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def write_whole(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Write a file all at once: a reader, also one after a crash of this process, never sees half of it.

    Args:
        path: its folder is made with mode 0700 when missing.
        content: text (UTF-8) or bytes.
        mode: the file's mode from the moment on that it is there.

    Raises:
        OSError: it cannot be written; a file that was there is untouched.
    """
    private_folder(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def hold_lock(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock between processes and threads; the kernel drops it when its holder dies.

    Args:
        path: the lock's file; its folder is made with mode 0700 when missing.
        on_wait: called once if somebody else holds the lock.
    """
    from filelock import Timeout  # noqa: PLC0415 (as in _lock)

    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if on_wait is not None:
            on_wait()
        lock.acquire(poll_interval=_POLL)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def try_lock(path: Path, note: str = "") -> Iterator[bool]:
    """Hold a lock if nobody else does; yield whether it is held.

    Args:
        path: the lock's file; its folder is made with mode 0700 when missing.
        note: text about the holder, which others can read in the file.
    """
    from filelock import Timeout  # noqa: PLC0415 (as in _lock)

    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        if note:
            path.write_text(note)
        yield True
    finally:
        lock.release()


def _lock(path: Path) -> FileLock:
    from filelock import FileLock  # noqa: PLC0415 (takes as long to import as the inventory takes to answer)

    private_folder(path.parent)
    return FileLock(path, mode=0o600, thread_local=False)
