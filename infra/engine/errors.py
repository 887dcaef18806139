"""The engine's own error: what is wrong and one thing to do about it."""

from __future__ import annotations


class EngineError(Exception):
    """Something the user of the engine can put right; shown without a traceback.

    Args:
        message: what is wrong, one sentence without a final full stop.
        hint: one thing to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}, {self.hint}" if self.hint else self.message
