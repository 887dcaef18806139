"""`gigasite export`: a stack's deployment as JSON (short for `gigasite stack export`)."""

from __future__ import annotations

from infra.cli.stacks.stack import export as command

__all__ = ["command"]
