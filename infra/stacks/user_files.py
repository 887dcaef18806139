"""Files that the user names on the command line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def user_file(file: Path, verb: str) -> Iterator[None]:
    """Reading or writing a file that the user named, whose faults are not ours.

    Raises:
        UserError: it cannot be done.
    """
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"cannot {verb} {file}: {reason}") from error
