"""Files that must be whole or absent, and locks between processes."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make a folder and the missing ones above it, all with mode 0700 (mkdir's mode is the last one's)."""
    missing = [path, *path.parents]
    for folder in reversed(missing[: next(i for i, one in enumerate(missing) if one.exists())]):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Write a file that only its owner may read, all at once: a reader never sees half of it.

    Args:
        path: its folder is made with mode 0700 when missing.
        content: text (UTF-8) or bytes.
        mode: the file's mode from its first moment on.
    """
    private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    fresh.rename(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes and threads; the kernel drops it when its holder dies."""
    private_folder(path.parent)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def if_unlocked(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; says whether it is held."""
    private_folder(path.parent)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
