"""The single error boundary: whatever a verb raises becomes a message on stderr and an exit code."""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, NoReturn

from infra.errors import Problems, UserError

if TYPE_CHECKING:
    from pathlib import Path

USER, BUG, INTERRUPTED = 1, 3, 130

_PATHS = ("self", "draft", "fresh", "target", "file", "path", "folder")
"""What paths are called here, `self` within pathlib."""
# What the system refuses because of the user's machine, not because of a mistake in this program.
_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, then run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space, then run the same command again",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "give your user the right to use it",
    errno.EPERM: "give your user the right to use it",
    errno.EMFILE: "too many open files: raise the limit with `ulimit -n`",
    errno.ENOMEM: "there is not enough memory",
}


def run_guarded(argv: list[str]) -> int:
    """Run the command line and return its exit code; nothing but SystemExit's code leaves here."""
    from infra.cli.app import application  # noqa: PLC0415 (typer is slow: errors need none of it)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        application().main(args=argv, prog_name="gigasite")
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 (this is the boundary)
        return report(error)
    else:
        code = 0
    if code == INTERRUPTED:
        _print(f"interrupted. What was done is kept; `gigasite {shlex.join(argv)}` goes on from there.")
    return code


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """Let a SIGTERM do what Ctrl-C does: end what was started, keep what was done."""
    raise KeyboardInterrupt


def report(error: Exception) -> int:
    """Say what went wrong, and return the exit code for it."""
    if isinstance(error, Problems):
        # Each line begins with file:line, which editors and terminals make into links: no prefix before it.
        print(error, file=sys.stderr)
        return USER
    if isinstance(error, UserError) or _is_engine_error(error):
        _print(str(error), prefix="error: ")
        return error.exit_code if isinstance(error, UserError) else USER
    if isinstance(error, BrokenPipeError):
        # The reader of our output went away (`| head`): not worth a word, nor one from Python at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USER
    if isinstance(error, OSError) and error.errno in _HINTS:
        named = error.filename or find_file_being_written(error)
        _print(f"{f'{named}: ' if named else ''}{error.strerror}, {_HINTS[error.errno]}", prefix="error: ")
        return USER
    if type(error).__module__ == "sqlite3" and "disk is full" in str(error):
        named = find_file_being_written(error)
        _print(f"{f'{named}: ' if named else ''}{error}, {_HINTS[errno.ENOSPC]}", prefix="error: ")
        return USER
    return _bug(error)


def find_file_being_written(error: Exception) -> str | None:
    """The file that was being written when an error came up that does not name it.

    Opening a file names it, writing to one does not, however many places write: so the innermost frame that
    holds an open file, or one of the usual names of its path, tells.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        values = frame.f_locals
        for value in values.values():
            name = getattr(value, "name", None)
            if isinstance(value, io.IOBase) and isinstance(name, str):
                return name
        for name in _PATHS:
            if isinstance(values.get(name), PurePath):
                return str(values[name])
    return None


def _is_engine_error(error: Exception) -> bool:
    # By name: importing the engine here would slow each command down, and the engine does not know UserError.
    return any(
        kind.__name__ == "EngineError" and kind.__module__.startswith("infra.engine")
        for kind in type(error).__mro__
    )


def _bug(error: Exception) -> int:
    text = "".join(traceback.format_exception(error))
    where = _save(text)
    summary = traceback.format_exception_only(error)[-1].strip()
    _print(f"this is a bug in gigasite: {summary}", prefix="error: ")
    if where:
        print(f"The traceback is in {where}; please report it with the command you ran.", file=sys.stderr)
    else:
        print(text, file=sys.stderr)
    return BUG


def _save(text: str) -> Path | None:
    from infra import paths  # noqa: PLC0415 (needed only here)

    name = f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    try:
        folder = paths.ROOT / "out"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"{sys.argv}\n{sys.version}\n{text}", encoding="utf-8")
    except OSError:
        return None
    return folder / name


def _print(text: str, *, prefix: str = "") -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    head = f"\x1b[31m{prefix}\x1b[0m" if colour and prefix else prefix
    print(f"{head}{text}", file=sys.stderr)
