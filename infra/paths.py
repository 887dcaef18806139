"""Where things lie: the checkout, what it generates, and the cache that checkouts share."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout; Pulumi.yaml lies here."""


def inventory(site: str) -> Path:
    """The folder of a site's declaration: `inventories/SITE`."""
    return ROOT / "inventories" / site


def state(site: str = "") -> Path:
    """Local state that must outlive a command: keys, passwords, disks, Pulumi's backend; mode 0700."""
    root = ROOT / ".gigasite"
    root.mkdir(exist_ok=True, mode=0o700)  # mkdir's own parents get the usual mode
    if root.stat().st_mode & 0o077:
        root.chmod(0o700)  # git made it: Pulumi looks for its backend there in a fresh clone
    folder = root / site
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def out(site: str) -> Path:
    """Return the folder for people: `out/SITE` with the report and logs."""
    folder = ROOT / "out" / site
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache() -> Path:
    """Expensive files named by the hash of their inputs (images), shared by all checkouts of a user."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "gigasite"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
