"""Files that are whole or not there: written beside, synced, then renamed into place."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

PRIVATE = 0o600  # what lies in the state may be anyone's secret
PRIVATE_FOLDER = 0o700

_HINTS = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some of your disk quota, then run the same command again",
    errno.EACCES: "give your user the right to write there",
    errno.EPERM: "give your user the right to write there",
    errno.EROFS: "the file system is read-only: mount it for writing",
}


def file_error(what: str, path: Path, error: OSError) -> EngineError:
    """The error that tells the user why a file could not be read or written."""
    hint = _HINTS.get(error.errno or 0)
    return EngineError(f"cannot {what} {path}: {error.strerror or error}", hint=hint)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, for our user alone.

    Raises:
        EngineError: it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        for one in reversed(missing):  # `parents=True` would give the mode to the last one only
            one.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise file_error("make the folder", folder, error) from error


UNFINISHED = ".tmp"
"""Ending of a file that `write` has not put into place yet."""


def remove_unfinished(folder: Path, names: Container[str]) -> None:
    """Remove what killed writers of some files of a folder left; for who alone may write them.

    Raises:
        EngineError: one cannot be removed.
    """
    for path in list_entries(folder):
        name, _, pid = path.name.removesuffix(UNFINISHED).rpartition(".")
        if path.suffix == UNFINISHED and pid.isdecimal() and name.removeprefix(".") in names:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise file_error("remove", path, error) from error


def write(path: Path, content: bytes) -> None:
    """Put a file into place at once: after a crash it is the old one or the new one, never a part.

    Raises:
        EngineError: it cannot be written; the old file is untouched.
    """
    make_folder(path.parent)
    fresh = path.parent / f".{path.name}.{os.getpid()}{UNFINISHED}"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise file_error("write", path, error) from error


def sync_folder(folder: Path) -> None:
    """Make renames and removals inside the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes | None:
    """The content of a file; None if there is none.

    Raises:
        EngineError: it is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error("read", path, error) from error


def list_entries(folder: Path) -> Iterator[Path]:
    """The entries of a folder by name; none if there is no such folder."""
    return iter(sorted(folder.iterdir())) if folder.is_dir() else iter(())
