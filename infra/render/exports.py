"""Folders that machines export, and systemd's names of the units that mount them."""

from __future__ import annotations

import string
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.spec.services import Quota as DeclaredQuota
    from infra.spec.services import StorageTier

IMAGES = "/var/lib/gigasite/exports"
"""Folder of the file systems of exports, on the machines that export them."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of what somebody may hold of an export.

    Attributes:
        kind: `user`, `group` or `project`, as setquota(8) has them; a folder's is a project's.
        who: name of the user or group, or the project's number.
        folder: the project's folder on the server; None for the others.
        soft: KiB from which on it is taken for a while only; 0 for no such limit.
        limit: KiB.
        files: most files and folders; 0 for no limit.
    """

    kind: str
    who: str
    folder: str | None
    soft: int
    limit: int
    files: int


@dataclass(frozen=True, slots=True)
class Export:
    """A folder that a machine exports, in a file system of its own that ends where the declared size does.

    Attributes:
        path: of the folder.
        image: file that holds the file system.
        unit: systemd's name of the unit that mounts it.
        size: bytes.
        quotas: limits within it.
    """

    path: str
    image: str
    unit: str
    size: int
    quotas: tuple[Quota, ...] = ()


def export_of(path: str, size: int, quotas: Sequence[Quota] = ()) -> Export:
    """Return an export of so many bytes, with the places that follow from its path."""
    image = f"{IMAGES}/{path.strip('/').replace('/', '+')}.ext4"
    return Export(path, image, mount_unit(path), size, tuple(quotas))


def exports_of(tier: StorageTier) -> tuple[Export, ...]:
    """Return what a tier exports, with the quotas in it; nothing of a tier that is not served by NFS."""
    if tier.kind != "nfs":
        return ()
    return tuple(
        export_of(one.path, int(one.size), [quota_of(one.path, quota) for quota in one.quotas])
        for one in tier.exports
    )


def quota_of(path: str, declared: DeclaredQuota) -> Quota:
    """Return a quota of an export as the kernel keeps it; a folder's number follows from its name."""
    folder = None
    kind, who = ("user", declared.user) if declared.user else ("group", declared.group)
    if declared.folder:
        folder = f"{path}/{declared.folder}"
        kind, who = "project", str(zlib.crc32(declared.folder.encode()) % 0x7FFFFFFF + 1)
    assert who is not None
    soft, limit = (-(-int(size or 0) // 1024) for size in (declared.soft, declared.limit))
    return Quota(kind, who, folder, soft, limit, declared.files or 0)


def mount_unit(path: str) -> str:
    r"""Name of the systemd unit that mounts a path (systemd-escape(1)): `/a-b/c` → `a\x2db-c.mount`."""
    plain = frozenset(f"{string.ascii_letters}{string.digits}_.:".encode())
    words = [
        "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in part.encode())
        for part in path.strip("/").split("/")
    ]
    return "-".join(words) + ".mount"
