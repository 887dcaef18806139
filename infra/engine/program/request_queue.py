"""Queue between the engine and a program in its process: each message waits for what those before it lead to.

Otherwise what the program asks for next could overtake what follows from its last request, depending on how
busy the machine is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE: Final = 1000  # looks; a program may do something over and over until the answer is there


class RequestQueue:
    """Messages between program and engine, one after the other."""

    def __init__(self) -> None:
        self._messages: deque[Callable[[], object]] = deque()
        self._looked = 0

    def pass_on(self, message: Callable[[], object]) -> None:
        """Let a message arrive: after those before it, and once nothing else is ready to be done."""
        self._messages.append(message)
        if len(self._messages) == 1:
            asyncio.get_running_loop().call_soon(self._arrive)

    async def wait(self) -> None:
        """Wait until the messages before this call have arrived."""
        arrived = asyncio.Event()
        self.pass_on(arrived.set)
        await arrived.wait()

    def _arrive(self) -> None:
        loop = asyncio.get_running_loop()
        if loop._ready and self._looked < _PATIENCE:  # type: ignore[attr-defined] # noqa: SLF001 (as the SDK)
            self._looked += 1
            loop.call_soon(self._arrive)
            return
        self._looked = 0
        message = self._messages.popleft()
        if self._messages:
            loop.call_soon(self._arrive)
        message()
