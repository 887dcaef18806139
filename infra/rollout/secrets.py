"""Secrets that a site's machines share: made once, kept in local state, never in inventory or logs."""

from __future__ import annotations

import hashlib
import os
import secrets as random
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTHS: Mapping[str, int] = {"munge.key": 128}
"""Bytes of each secret; munge(7) recommends 128 for its key."""


def secret(site: str, name: str) -> bytes:
    """A secret of a site, made at its first use.

    Args:
        site: name of the site.
        name: one of `LENGTHS`.

    Raises:
        UserError: there is no such secret.
    """
    if name not in LENGTHS:
        raise UserError(f"no secret is named {name!r}", hint=f"known are {', '.join(sorted(LENGTHS))}")
    folder = paths.state(site) / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    if not file.exists():
        # Forks of Ansible may come here at the same time: a link made once decides whose secret it is.
        draft = folder / f".{name}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_bytes(random.token_bytes(LENGTHS[name]))
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_bytes()


def digest(site: str, *, make: bool = True) -> str:
    """Hash of all secrets of a site, by which two controllers know that theirs are the same.

    Args:
        site: name of the site.
        make: make those that are missing; else they count as empty.
    """
    folder, found = paths.state(site) / "secrets", hashlib.sha256()
    for name in sorted(LENGTHS):
        found.update(secret(site, name) if make or (folder / name).exists() else b"")
    return found.hexdigest()
