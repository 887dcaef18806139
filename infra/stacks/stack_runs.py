"""How a run on a stack is shown, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class EngineName(StrEnum):
    """Engines that run the Pulumi program."""

    EMBEDDED = "embedded"
    PULUMI = "pulumi"


@dataclass(frozen=True, slots=True)
class Shown:
    """How a run is shown.

    Attributes:
        as_json: JSON on standard output instead of text.
        differences: property differences (`--diff`).
        same: unchanged resources too.
        event_log: a file for the event stream, or None.
        quiet: nothing at all (the caller shows its own progress).
    """

    as_json: bool = False
    differences: bool = False
    same: bool = False
    event_log: Path | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StackRun:
    """Result of one operation on one stack.

    Attributes:
        stack: its name.
        engine: what ran the program, in words.
        succeeded: whether it did all it was asked.
        exit_code: the CLI's: 0, 1, 7 (changes where none were expected), 130.
        changes: steps by operation.
        outputs: the stack's outputs after it, secrets as `[secret]`.
        messages: errors, one each.
        document: a preview's digest, if JSON was asked for.
    """

    stack: str
    engine: str
    exit_code: int
    changes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    document: dict[str, Any] | None = None

    @property
    def succeeded(self) -> bool:
        """Whether all went well."""
        return self.exit_code == 0
