"""Headers of a tar file as Go's archive/tar writes them, byte for byte: an archive's hash is over them.

USTAR where the name fits (split at a slash if it is long), else a PAX record of the name before a header with
what of it is ASCII.
"""

from __future__ import annotations

import posixpath
from typing import Final

BLOCK: Final = 512
_NAME, _PREFIX = 100, 155


def header(name: bytes, size: int) -> bytes:
    """The header blocks of a file of mode 0600.

    Raises:
        ValueError: no header can hold the name.
    """
    if b"\0" in name:
        raise ValueError("archive/tar: cannot encode header: a NUL in its name")
    kind = b"5" if name.endswith(b"/") else b"0"
    split = _split_name(name)
    if split is not None:
        return _block(split[1], size, kind, prefix=split[0])
    if name.isascii() and len(name) <= _NAME:
        return _block(name, size, kind)
    record = _pax_record(b"path", name)
    folder, _, file = name.rpartition(b"/")
    pax = posixpath.normpath(
        posixpath.join(folder or (b"/" if name.startswith(b"/") else b""), b"PaxHeaders.0", file)
    )
    before = _block(_ascii(pax)[:_NAME].rstrip(b"/"), len(record), b"x", mode=0, devices=False)
    return before + pad_block(record) + _block(_ascii(name), size, kind)


def pad_block(content: bytes) -> bytes:
    """Content up to a whole block."""
    return content + bytes(-len(content) % BLOCK)


def _split_name(name: bytes) -> tuple[bytes, bytes] | None:
    """A long name as USTAR's prefix and name; None if it is short or cannot be split."""
    length = len(name)
    if length <= _NAME or not name.isascii():
        return None
    if length > _PREFIX + 1:
        length = _PREFIX + 1
    elif name.endswith(b"/"):
        length -= 1
    cut = name.rfind(b"/", 0, length)
    rest = len(name) - cut - 1
    if cut <= 0 or not 0 < rest <= _NAME or cut > _PREFIX:
        return None
    return name[:cut], name[cut + 1 :]


def _ascii(name: bytes) -> bytes:
    return bytes(byte for byte in name if byte < 0x80)


def _pax_record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3  # a blank, an equals sign, the end of the line
    size += len(str(size))
    record = b"%d %s=%s\n" % (size, key, value)
    return record if len(record) == size else b"%d %s=%s\n" % (len(record), key, value)


def _block(
    name: bytes, size: int, kind: bytes, *, prefix: bytes = b"", mode: int = 0o600, devices: bool = True
) -> bytes:
    if len(name) > _NAME:  # of a PAX header; no reader shall take its cut name for a folder's
        cut = len(name[: _NAME - 1].rstrip(b"/"))
        name = name[:cut] + b"\0" + name[cut + 1 : _NAME] if name[_NAME - 1] == 0x2F else name[:_NAME]
    device = b"0000000\0" if devices else bytes(8)
    fields = [
        name.ljust(_NAME, b"\0"),
        b"%07o\0" % mode, b"0000000\0", b"0000000\0",
        b"%011o\0" % size, b"00000000000\0",
        b" " * 8,
        kind, bytes(100), b"ustar\x0000", bytes(32), bytes(32),
        device, device,
        prefix.ljust(_PREFIX, b"\0"),
    ]  # fmt: skip
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
