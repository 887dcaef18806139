"""How a decision ends a run."""

from __future__ import annotations


class BailError(Exception):
    """The run cannot go on; people have been told why."""
