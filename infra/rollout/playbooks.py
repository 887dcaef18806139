"""Find playbooks and checks: a site's own, beside its declaration, and those of the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def find_playbook(site: str, name: str) -> Path:
    """Return the playbook of a name: the site's own before the product's.

    A site's own `site.yml` takes the place of the product's, which it can import.

    Args:
        site: name of the site.
        name: below `inventories/SITE/playbooks` or `playbooks`, or an absolute path.

    Raises:
        UserError: there is no such playbook.
    """
    places = (paths.inventory(site) / "playbooks", paths.ROOT / "playbooks")
    found = next((place / name for place in places if (place / name).is_file()), None)
    if found is None:
        known = sorted({path.name for place in places for path in place.glob("*.yml")})
        raise UserError(
            f"there is no playbook {name!r}", where="playbooks", hint=f"use one of {', '.join(known)}"
        )
    return found


def check_folders(site: str) -> list[Path]:
    """Return the folders with checks: the product's, and the site's own."""
    own = paths.inventory(site) / "verify"
    return [paths.ROOT / "tests" / "verify", *([own] if own.is_dir() else [])]
