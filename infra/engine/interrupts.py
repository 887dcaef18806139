"""What Ctrl-C does to a run."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Interrupts:
    """Once: finish what is in flight and save; twice: stop now.

    Args:
        first: called at the first.

    Attributes:
        count: how many there were.
    """

    def __init__(self, first: Callable[[], None]) -> None:
        self._first = first
        self.count = 0
        self._stop = asyncio.Event()

    def watch(self, resources: AsyncExitStack) -> None:
        """Take the signals, until the resources are closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread
                loop.add_signal_handler(number, self._came)
                resources.callback(loop.remove_signal_handler, number)

    def _came(self) -> None:
        self.count += 1
        if self.count == 1:
            self._first()
        else:
            self._stop.set()

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
