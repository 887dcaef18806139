"""Runs the program: in a process of its own, talking to the monitor over gRPC."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.engine.errors import EngineError
from infra.engine.finder import python_of
from infra.engine.garbage import THRESHOLDS
from infra.engine.process import Process
from infra.engine.registration import Finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.events import Severity
    from infra.engine.monitor import Monitor
    from infra.engine.project import Project

_ACTIONABLE: Final = 32  # as in program_runner.py
_RUNNER: Final = Path(__file__).with_name("program_runner.py")
_MEASURES: Final = Path(__file__).with_name("sdk_measures.py")
# Not as a script: that would put this folder on the program's module path.
_BOOT: Final = "import runpy, sys; del sys.path[0]; runpy.run_path(sys.argv[1], run_name='__main__')"


def interpreter(project: Project, fallback: str) -> str:
    """The Python that a project's program runs with.

    Raises:
        EngineError: the project is written in another language, or its virtual environment is not there.
    """
    if project.runtime != "python":
        raise EngineError(
            f"the program is written for the runtime {project.runtime!r}; this engine runs Python",
            hint="use the Pulumi CLI (`--engine pulumi`)",
        )
    return python_of(project.folder, project.runtime_options, fallback)


class ProgramProcess:
    """A program that runs.

    Args:
        monitor: what it talks to; told when it ends.
        engine_address: where it logs.
        python: what runs it.
        on_line: told every line it prints.
    """

    def __init__(
        self,
        monitor: Monitor,
        engine_address: str,
        python: str,
        on_line: Callable[[str, Severity], None],
    ) -> None:
        self._monitor, self._engine_address, self._on_line = monitor, engine_address, on_line
        self._python = python
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, program: Path) -> None:
        """Start it."""
        self._watch = asyncio.ensure_future(self._run(program))

    async def _run(self, program: Path) -> None:
        info = self._monitor.info
        settings = {
            "program": str(program),
            "pwd": str(info.program_dir),
            "root": str(info.project_dir),
            "project": info.project,
            "stack": info.stack,
            "organization": info.organization,
            "config": info.config,
            "secret_keys": info.secret_keys,
            "parallel": info.parallel,
            "preview": info.preview,
            "monitor": self._monitor.address,
            "engine": self._engine_address,
            "measures": str(_MEASURES),
            "thresholds": THRESHOLDS,
        }
        push = self._monitor.deployment.push
        try:
            self._process = await Process.start(
                (self._python, "-u", "-c", _BOOT, str(_RUNNER)),
                cwd=info.program_dir,
                environment={},
                stdin=json.dumps(settings).encode(),
            )
            self._process.follow(self._on_line)
            code = await self._process.wait()
        except EngineError as error:
            push(Finished(str(error)))
            return
        if self._stopping or (self._monitor.signalled and code == 0):
            return
        if code == 0:
            push(Finished())
        elif code == _ACTIONABLE:
            push(Finished(""))
        else:
            push(Finished(f"an unhandled error occurred: program exited with non-zero exit code: {code}"))

    async def finish(self, *, wait: float) -> None:
        """Let it end by itself for some seconds, then end it."""
        if self._watch is None:
            return
        self._stopping = True
        if wait:
            await asyncio.wait([self._watch], timeout=wait)
        if self._process is not None:
            await self._process.stop()
        self._watch.cancel()
