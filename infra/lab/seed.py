"""The seed disk: what makes a copy of the image one certain machine."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.lab.spec import Cable

SIZE = 64 * 1024
"""Bytes; the guest reads it with one direct read (overlay/usr/local/lib/gigasite/seed)."""
MANAGEMENT_SLOT = 0x03
FIRST_DATA_SLOT = 0x08
"""PCI slots of the interfaces: the guest finds them by slot, since restored devices carry foreign MACs."""
MANAGEMENT_MAC = "52:54:00:00:00:01"
"""The same in every machine: each has a user network of its own."""


def seed(
    *, kind: str, hostname: str, machine_id: str, nics: Sequence[Cable], files: Mapping[str, bytes]
) -> bytes:
    """The seed disk's content: a tar archive padded with zeros to 64 KiB.

    Args:
        kind: `machine` or `template`.
        hostname: the machine's name.
        machine_id: 32 hexadecimal digits.
        nics: data interfaces in order of their PCI slots.
        files: further files by name: ssh host key, authorized keys.
    """
    lines = [f"{MANAGEMENT_SLOT:02x} mgmt0 {MANAGEMENT_MAC}"]
    lines += [f"{FIRST_DATA_SLOT + place:02x} {nic.name} {nic.mac}" for place, nic in enumerate(nics)]
    content = {
        "kind": f"{kind}\n".encode(),
        "hostname": f"{hostname}\n".encode(),
        "machine-id": f"{machine_id}\n".encode(),
        "nics": "".join(f"{line}\n" for line in lines).encode(),
        **files,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(content.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    if len(buffer.getvalue()) > SIZE:
        raise ValueError(f"the seed of {hostname} is larger than {SIZE} bytes")
    return buffer.getvalue().ljust(SIZE, b"\0")
