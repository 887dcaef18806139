"""Folders that machines export, and systemd's names of the units that mount them."""

from __future__ import annotations

import string
from dataclasses import dataclass

IMAGES = "/var/lib/gigasite/exports"
"""Folder of the file systems of exports, on the machines that export them."""


@dataclass(frozen=True, slots=True)
class Export:
    """A folder that a machine exports, in a file system of its own that ends where the declared size does.

    Attributes:
        path: of the folder.
        image: file that holds the file system.
        unit: systemd's name of the unit that mounts it.
        size: bytes.
    """

    path: str
    image: str
    unit: str
    size: int


def export_of(path: str, size: int) -> Export:
    """Return an export of so many bytes, with the places that follow from its path."""
    return Export(path, f"{IMAGES}/{path.strip('/').replace('/', '+')}.ext4", mount_unit(path), size)


def mount_unit(path: str) -> str:
    r"""Name of the systemd unit that mounts a path (systemd-escape(1)): `/a-b/c` → `a\x2db-c.mount`."""
    plain = frozenset(f"{string.ascii_letters}{string.digits}_.:".encode())
    words = [
        "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in part.encode())
        for part in path.strip("/").split("/")
    ]
    return "-".join(words) + ".mount"
