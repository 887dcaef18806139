"""libvirt's file format for a saved domain: a header, the domain's XML, then QEMU's migration stream.

libvirt lets nobody change the name and UUID in such a file, since it takes them for the same machine. A copy
of a template is another machine on purpose, so the header is written here.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

# libvirt's src/qemu/qemu_saveimage.h, unchanged since 2010 but for what its spare words mean: magic, version,
# length of the XML (and what follows it up to the stream), whether the domain ran, compression, offset of
# a cookie (0: none), 14 spare words; little-endian here since both sides are this computer.
_HEADER = struct.Struct("=16s5I14I")
_MAGIC = b"LibvirtQemudSave"
_VERSION = 2
_XML_ROOM = 64 * 1024
_CHUNK = 1 << 24


def extract_stream(saved: Path, stream: Path) -> None:
    """Copy the migration stream out of a file that libvirt saved.

    Raises:
        UserError: this libvirt writes another format; then only real boots are possible.
    """
    with saved.open("rb") as source, stream.open("wb") as target:
        magic, version, length, _, compressed, *_ = _HEADER.unpack(source.read(_HEADER.size))
        if magic != _MAGIC or version != _VERSION or compressed:
            raise UserError(
                f"this libvirt saves machines in a form that is not known here (version {version})",
                hint="set `start: boot` under stand_ins in site.yaml",
            )
        source.seek(length, os.SEEK_CUR)
        _copy(source.fileno(), source.tell(), target.fileno())


def write_save_image(path: Path, xml: str, stream: Path) -> None:
    """Write a saved domain that libvirt starts instead of booting it; whole or not at all.

    Args:
        path: where libvirt looks for it.
        xml: the domain as it shall run.
        stream: QEMU's migration stream of a machine with the same devices.
    """
    text = xml.encode()
    # Room for what libvirt itself may write back into the file.
    length = -(-(len(text) + 1) // _XML_ROOM) * _XML_ROOM
    header = _HEADER.pack(_MAGIC, _VERSION, length, 1, 0, 0, *([0] * 14))
    fresh = unfinished_name(path)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            target.write(header + text.ljust(length, b"\0"))
            target.flush()
            with stream.open("rb") as source:
                _copy(source.fileno(), 0, target.fileno())
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def unfinished_name(path: Path) -> Path:
    """The name that a save image has while it is written."""
    return path.with_name(f".{path.name}.part")


def _copy(source: int, offset: int, target: int) -> None:
    end = os.fstat(source).st_size
    while offset < end:
        sent = os.sendfile(target, source, offset, min(_CHUNK, end - offset))
        if not sent:
            raise OSError("the file ended early")
        offset += sent
