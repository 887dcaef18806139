"""One controller of a site's rollouts at a time: a lock that ends with its process, with owner and age."""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.files import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def hold_lock(site: str, what: str) -> Iterator[None]:
    """Hold the lock of a site's rollouts.

    Args:
        site: name of the site.
        what: what it is held for; others are told.

    Raises:
        UserError: another process holds it; says who, since when, for what.
    """
    file = paths.state(site) / "rollout.lock"
    note = {
        "user": getpass.getuser(), "machine": socket.gethostname(), "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"), "what": what,
    }  # fmt: skip
    with try_lock(file, json.dumps(note)) as held:
        if not held:
            raise UserError(
                f"the rollouts of {site} are held by {_owner(file.read_bytes())}",
                hint="wait for its end, or `gigasite rollout abort`",
            )
        yield


def _owner(text: bytes) -> str:
    try:
        note = json.loads(text)
        age = datetime.now(UTC) - datetime.fromisoformat(note["since"])
        return (
            f"{note['user']} on {note['machine']} (process {note['process']}, "
            f"for {age.total_seconds() / 60:.0f} min: {note['what']})"
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "another process"
