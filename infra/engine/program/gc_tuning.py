"""Fewer passes of the garbage collector: most of what a run makes lives to its end.

Measured at 3,000 resources in one process: a fifth less processor time, no more memory.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLDS: Final = (50_000, 20, 50)
"""New objects until a pass over the new ones; such passes until one over the younger, and over all."""


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect seldom inside, and as before afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
