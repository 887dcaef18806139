"""Processes that the engine starts and ends: the program and plugins."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import deque
from typing import TYPE_CHECKING, Final

from infra.engine.errors import EngineError
from infra.engine.events import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STOP_LIMIT: Final = 2.0
"""Seconds between asking a process to end and ending it."""


class Process:
    """A program that the engine started and ends: a plugin or the program itself.

    It dies with the engine where the system can do that (Linux with util-linux), and is in a session of its
    own, so that an interrupt from the keyboard reaches only the engine.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.tail: deque[str] = deque(maxlen=20)
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        words: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str | None],
        stdin: bytes | None = None,
    ) -> Process:
        """Start a program with its output in pipes.

        Args:
            words: the program and its arguments.
            cwd: its folder.
            environment: what is added to ours; None takes a variable away.
            stdin: what it reads.

        Raises:
            EngineError: it cannot be started.
        """
        keeper = shutil.which("setpriv")
        prefix = [keeper, "--pdeathsig", "TERM", "--"] if keeper else []
        try:
            process = await asyncio.create_subprocess_exec(
                *prefix,
                *words,
                cwd=cwd,
                env={
                    name: value for name, value in {**os.environ, **environment}.items() if value is not None
                },
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=1 << 24,
            )
        except OSError as error:
            raise EngineError(f"cannot start {words[0]}: {error.strerror}") from error
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return cls(process)

    @property
    def stdout(self) -> asyncio.StreamReader:
        """Its output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def returncode(self) -> int | None:
        """How it ended, if it did."""
        return self._process.returncode

    def follow(
        self, on_line: Callable[[str, Severity], None], *, stdout: bool = True, stderr: bool = True
    ) -> None:
        """Pass its lines on as they come, and keep the last ones."""
        assert self._process.stderr is not None
        streams = [(self._process.stderr, Severity.INFO_ERR)] if stderr else []
        if stdout:
            streams.append((self.stdout, Severity.INFO))
        self._readers += [asyncio.ensure_future(self._read(*stream, on_line)) for stream in streams]

    async def _read(
        self, stream: asyncio.StreamReader, severity: Severity, on_line: Callable[[str, Severity], None]
    ) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than any line may be: it is dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\r\n")
            self.tail.append(text)
            on_line(text, severity)

    async def wait(self) -> int:
        """Wait for its end and for its last lines."""
        code = await self._process.wait()
        if self._readers:
            # A grandchild may hold the pipes open for longer.
            await asyncio.wait(self._readers, timeout=STOP_LIMIT)
        return code

    async def stop(self) -> None:
        """End it: ask first."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_LIMIT)
            except TimeoutError:
                self._signal(signal.SIGKILL)
                await self._process.wait()
        for reader in self._readers:
            reader.cancel()
        # A grandchild may hold the pipes open, which would outlive the event loop.
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001

    def _signal(self, number: signal.Signals) -> None:
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return
