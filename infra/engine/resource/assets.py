"""Hashes: an asset's is of its bytes, an archive's of the tar of its files by name."""

from __future__ import annotations

import hashlib
import tarfile
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Final

from infra.engine.errors import EngineError
from infra.engine.resource import values
from infra.engine.resource.values import Archive, Asset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.engine.resource.values import Value

_BLOCK: Final = 512
_PACKED: Final = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")


def with_hashes(value: Value, folder: Path) -> Value:
    """Fill in the hashes of all assets and archives in a value, in place; relative paths start at the folder.

    Raises:
        EngineError: a file cannot be read.
    """
    _fill(value, "", folder)
    return value


def _fill(value: Value, key: str, folder: Path) -> None:
    """Fill in hashes below a property; `key` is the nearest property's name, for messages."""
    if isinstance(value, dict):
        for name in sorted(value):  # so that the first that cannot be read is always the same
            _fill(value[name], name, folder)
    elif isinstance(value, list):
        for item in value:
            _fill(item, key, folder)
    elif isinstance(value, values.Secret | values.OutputValue):
        _fill(value.value, key, folder)
    elif isinstance(value, Asset | Archive):
        value.hash = value.hash or _hash(value, key, folder)
        if isinstance(value, Archive):
            _fill(value.assets or {}, key, folder)


def _hash(value: Asset | Archive, key: str, folder: Path) -> str:
    try:
        return _asset_hash(value, folder) if isinstance(value, Asset) else _archive_hash(value, folder)
    except OSError as error:
        kind = type(value).__name__.lower()
        raise EngineError(f'failed to compute {kind} hash for "{key}": {_reason(error)}') from error


def _reason(error: OSError) -> str:
    """Why a file could not be read, in the CLI's words."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"failed to open asset file '{error.filename}': open {error.filename}: {error.strerror.lower()}"


def _content(asset: Asset, folder: Path) -> bytes:
    if asset.text is not None:
        return asset.text.encode()
    if asset.path is not None:
        return (folder / asset.path).read_bytes()
    return _fetched(asset.uri or "")


def _fetched(uri: str) -> bytes:
    if not uri.startswith(("file://", "http://", "https://")):
        raise EngineError(f"unrecognized URI of an asset: {uri!r}")
    with urllib.request.urlopen(uri, timeout=60) as answer:  # noqa: S310 (the program names it)
        return bytes(answer.read())


def _asset_hash(asset: Asset, folder: Path) -> str:
    return hashlib.sha256(_content(asset, folder)).hexdigest()


def _archive_hash(archive: Archive, folder: Path) -> str:
    packed = _packed_file(archive, folder)
    if packed is not None:
        return hashlib.sha256(packed).hexdigest()
    digest = hashlib.sha256()
    seen = set()
    for name, content in _files(archive, folder, ""):
        if name not in seen:
            seen.add(name)
            digest.update(_header(name, len(content)) + content + bytes(-len(content) % _BLOCK))
    digest.update(bytes(2 * _BLOCK))
    return digest.hexdigest()


def _packed_file(archive: Archive, folder: Path) -> bytes | None:
    """The bytes of an archive that is one file already."""
    if archive.path is not None and archive.path.endswith(_PACKED):
        return (folder / archive.path).read_bytes()
    if archive.uri is not None:
        return _fetched(archive.uri)
    return None


def _files(  # noqa: C901, PLR0912 (one case per kind of archive)
    archive: Archive, folder: Path, prefix: str
) -> Iterator[tuple[str, bytes]]:
    """The files of an archive by name, in the order of the tar."""
    if archive.assets is not None:
        for name in sorted(archive.assets):
            item = archive.assets[name]
            inner = f"{prefix}{name}".rstrip("/")
            if isinstance(item, Asset):
                yield inner, _content(item, folder)
            else:
                yield from _files(item, folder, f"{inner}/")
    elif archive.path is not None and archive.path.endswith((".zip", ".jar")):
        with zipfile.ZipFile(folder / archive.path) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    yield prefix + info.filename, packed.read(info)
    elif archive.path is not None and archive.path.endswith(_PACKED):
        with tarfile.open(folder / archive.path) as packed_tar:
            for member in packed_tar:
                content = packed_tar.extractfile(member)
                if content is not None:
                    yield prefix + member.name, content.read()
    elif archive.path is not None:
        root = folder / archive.path
        for path in sorted(root.rglob("*"), key=lambda found: found.relative_to(root).parts):
            if path.is_file():
                yield prefix + path.relative_to(root).as_posix(), path.read_bytes()


def _header(name: str, size: int) -> bytes:
    """A USTAR header as Go's writer makes it (device numbers in digits), which Python's does not."""
    encoded = name.encode()
    prefix = b""
    if len(encoded) > 100:
        cut = encoded.rfind(b"/", 0, 156)
        if cut < 0 or len(encoded) - cut - 1 > 100:
            info = tarfile.TarInfo(name)
            info.size, info.mode = size, 0o600
            return info.tobuf(tarfile.PAX_FORMAT)
        prefix, encoded = encoded[:cut], encoded[cut + 1 :]
    fields = [
        encoded.ljust(100, b"\0"),
        b"0000600\0", b"0000000\0", b"0000000\0",
        b"%011o\0" % size, b"00000000000\0",
        b" " * 8,
        b"0", bytes(100), b"ustar\x0000", bytes(32), bytes(32),
        b"0000000\0", b"0000000\0",
        prefix.ljust(155, b"\0"),
    ]  # fmt: skip
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
