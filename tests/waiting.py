"""Waiting in tests: by what is asked, not by the clock of a machine that may be busy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], object], limit: float = 60.0) -> None:
    """Wait until a condition holds; the test fails if it does not within so many seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {limit:g} s"
        time.sleep(0.02)
