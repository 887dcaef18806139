"""Runs the program in a process of its own, which calls the monitor over gRPC."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.deploy.provider_request import Parameterization, ProviderRequest
from infra.engine.deploy.source_events import ProgramEndEvent
from infra.engine.errors import EngineError
from infra.engine.plugin.finder import is_ours
from infra.engine.plugin.plugins import CHANNEL_OPTIONS
from infra.engine.plugin.process import Process
from infra.engine.program import required_packages, sdk_patches
from infra.engine.program.gc_tuning import THRESHOLDS
from infra.engine.workspace.toolchain import interpreter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.events import Severity
    from infra.engine.program.monitor import Monitor
    from infra.engine.workspace.project import Project
    from infra.engine.workspace.toolchain import Interpreter

_ACTIONABLE: Final = 32  # as in program_runner.py
_RUNNER: Final = Path(__file__).with_name("program_runner.py")
# Not as a script: that would put this folder on the program's module path.
_BOOT: Final = "import runpy, sys; del sys.path[0]; runpy.run_path(sys.argv[1], run_name='__main__')"


def interpreter(project: Project, fallback: Interpreter) -> Interpreter:
    """The Python that a project's program runs with.

    Raises:
        EngineError: the project is written in another language, or its virtual environment is not there.
    """
    if project.runtime != "python":
        raise EngineError(
            f"the program is written for the runtime {project.runtime!r}; this engine runs Python",
            hint="use the Pulumi CLI (`--engine pulumi`)",
        )
    return interpreter_of(project.folder, project.program_folder, project.runtime_options, fallback)


def find_required_providers(python: Interpreter) -> tuple[ProviderRequest, ...]:
    """The providers that the packages of a program's environment need. Starts its Python: not on a loop.

    Raises:
        EngineError: it cannot look at its packages.
    """
    found = _ours() if is_ours(python.path) else _theirs(python)
    requests = []
    for one in found:
        if one.get("extensionParameterization"):
            continue  # it goes with the provider of another package
        given = one.get("parameterization")
        becomes = None
        if given:
            value = base64.b64decode(given.get("value") or "")
            becomes = Parameterization(given["name"], given["version"], value)
        requests.append(ProviderRequest(one["name"], one["version"], one.get("server") or "", becomes))
    return tuple(requests)


@cache
def _ours() -> list[dict[str, Any]]:
    return required_packages.find()


def _theirs(python: Interpreter) -> list[dict[str, Any]]:
    script = required_packages.__file__
    done = subprocess.run([python.path, script], capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout))
    except ValueError:
        raise EngineError(f"{python.path} cannot list its packages: {done.stderr.strip()}") from None


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
        python: Interpreter,
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
            "channel_options": CHANNEL_OPTIONS,
            "patches": sdk_patches.__file__,
            "thresholds": THRESHOLDS,
        }
        push = self._monitor.deployment.push
        try:
            self._process = await Process.start(
                (self._python.path, "-u", "-c", _BOOT, str(_RUNNER)),
                cwd=info.program_dir,
                environment=self._python.environment,
                stdin=json.dumps(settings).encode(),
            )
            self._process.follow(self._on_line)
            code = await self._process.wait()
        except EngineError as error:
            push(ProgramEndEvent(str(error)))
            return
        if self._stopping or (self._monitor.signalled and code == 0):
            return
        if code == 0:
            push(ProgramEndEvent())
        elif code == _ACTIONABLE:
            push(ProgramEndEvent(""))
        else:
            push(
                ProgramEndEvent(
                    f"an unhandled error occurred: program exited with non-zero exit code: {code}"
                )
            )

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
