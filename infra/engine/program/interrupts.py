"""Handling of Ctrl-C during a run."""

from __future__ import annotations

import asyncio
import contextvars
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, NoReturn, TypeVar

from infra.engine.program.program_environment import IN_PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class InterruptedProgram(BaseException):
    """Ends a program in this process that would keep the loop from hearing of a signal."""


class Interrupts:
    """Once: finish what is in flight and save; twice: stop now.

    Args:
        first: called at the first.
        last: called when a program in this process has caught two and gone on; does not return.

    Attributes:
        count: how many there were.
    """

    def __init__(self, first: Callable[[], None], last: Callable[[], NoReturn]) -> None:
        self._first, self._last = first, last
        self._outside = contextvars.copy_context()
        self._caught = 0
        self.count = 0
        self._stop = asyncio.Event()

    def watch(self, resources: AsyncExitStack) -> None:
        """Take the signals, until the resources are closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread
                loop.add_signal_handler(number, self._came)
                signal.signal(number, self._interrupt_program)  # the loop still hears of it
                resources.callback(loop.remove_signal_handler, number)

    def _came(self) -> None:
        self.count += 1
        if self.count == 1:
            self._first()
        else:
            self._stop.set()

    def _interrupt_program(self, *_: object) -> None:
        # A task that waits inside of a callback has left it: then the loop runs.
        if not IN_PROGRAM.get() or asyncio.current_task() is None:
            return
        self._caught += 1
        if self._caught > 2:
            self._outside.run(self._last)
        raise InterruptedProgram

    @property
    def stopped(self) -> bool:
        """Whether people want it to stop at once."""
        return self._stop.is_set()

    async def stoppable(self, work: Coroutine[None, None, T]) -> T | None:
        """The result of work; None if people wanted it to stop at once."""
        task = asyncio.ensure_future(work)
        stopper = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([task, stopper], return_when=asyncio.FIRST_COMPLETED)
        stopper.cancel()
        if task.done():
            return task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return None
