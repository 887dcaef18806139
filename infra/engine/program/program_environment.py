"""Environment of a program in the engine's process: folder, arguments, variables, output, modules."""

from __future__ import annotations

import contextvars
import io
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from infra.engine.events import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

IN_PROGRAM: contextvars.ContextVar[bool] = contextvars.ContextVar("in_program", default=False)
"""Whether the code that asks runs for the program, and not for the engine."""


@contextmanager
def program_environment(
    program: Path,
    folder: Path,
    on_line: Callable[[str, Severity], None],
    changed: Mapping[str, str | None] | None = None,
) -> Iterator[None]:
    """Give a program its own folder, arguments, environment, output and modules, as a process would.

    Args:
        program: its folder or file.
        folder: where it runs.
        on_line: told every line that it prints.
        changed: variables that are set or, by None, unset for it.
    """
    before = (Path.cwd(), sys.argv, list(sys.path), sys.stdout, sys.stderr)
    environment, really_exit, itself = dict(os.environ), os._exit, os.getpid()
    modules = set(sys.modules)

    def end(code: int) -> NoReturn:
        """End the program alone; its children by `fork` really end."""
        if IN_PROGRAM.get() and os.getpid() == itself:
            raise SystemExit(code)
        really_exit(code)

    for name, value in (changed or {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os._exit = end  # type: ignore[assignment]
    os.chdir(folder)
    sys.argv = [str(program)]
    sys.stdout = _Lines(sys.stdout, on_line, Severity.INFO)
    sys.stderr = _Lines(sys.stderr, on_line, Severity.INFO_ERR)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Lines):
                stream.finish()
        os._exit = really_exit
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        os.chdir(before[0])
        sys.argv, sys.path[:], sys.stdout, sys.stderr = before[1], before[2], before[3], before[4]
        _forget(modules, folder)


def _forget(kept: set[str], folder: Path) -> None:
    """Forget the modules that the program brought from its folder: the next run executes them again.

    Those of an installed package keep their place even if they lie there: a provider in this process, or the
    engine's caller, can hold on to them.
    """
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if name in kept or not origin:
            continue
        place = folder.joinpath(*name.split("."))
        if Path(origin).with_suffix("") in (place, place / "__init__"):
            del sys.modules[name]


class _Lines(io.TextIOBase):
    """Output that is the program's, line by line, or the engine's, as it is; by who writes."""

    def __init__(self, original: Any, on_line: Callable[[str, Severity], None], severity: Severity) -> None:
        self._original, self._on_line, self._severity = original, on_line, severity
        self._rest = ""

    def write(self, text: str) -> int:
        if not IN_PROGRAM.get():
            return int(self._original.write(text))
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line, self._severity)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the original: rich finds the terminal behind its proxy so."""
        if name.startswith("_") or IN_PROGRAM.get():
            raise AttributeError(name)
        return getattr(self._original, name)

    @property
    def buffer(self) -> Any:
        """Where bytes are written."""
        return _Bytes(self) if IN_PROGRAM.get() else self._original.buffer

    def finish(self) -> None:
        """Pass on a last line without an end."""
        if self._rest:
            self._on_line(self._rest, self._severity)
            self._rest = ""

    def flush(self) -> None:
        self._original.flush()

    def isatty(self) -> bool:
        return False if IN_PROGRAM.get() else bool(self._original.isatty())

    def fileno(self) -> int:
        return int(self._original.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The original's."""
        return str(self._original.encoding)


class _Bytes(io.RawIOBase):
    """The bytes of what is written as text."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._lines.write(bytes(data).decode(errors="replace"))
        return len(data)
