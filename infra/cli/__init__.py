"""The command line: verbs that are loaded when they are called (`verbs`), and the one error boundary."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, dispatch, and turn every outcome into an exit code.

    Returns:
        0 done; 1 something the user can put right; 2 wrong usage; 3 a bug; 7 changes found where none were
        expected; 130 interrupted.
    """
    from infra.cli.boundary import run_guarded  # noqa: PLC0415 (each verb's module imports this one)

    return run_guarded(list(sys.argv[1:] if argv is None else argv))


def run() -> None:
    """The installed `gigasite` command."""
    sys.exit(main())
