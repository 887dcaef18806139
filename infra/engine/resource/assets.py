"""Hashes: an asset's is of its bytes, an archive's of the tar of its files by name."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import posixpath
import tarfile
import urllib.request
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from infra.engine.errors import EngineError
from infra.engine.resource import tar_header, values
from infra.engine.resource.values import Archive, Asset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.engine.resource.values import Value

_PACKED: Final = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_BOOKKEEPING: Final = ".pulumi"
"""A name that no archive of a folder takes in."""


def with_hashes(value: Value, folder: Path) -> Value:
    """Fill in the hashes of all assets and archives in a value, in place; relative paths start at the folder.

    Raises:
        EngineError: a file cannot be read.
    """
    _fill(value, "", folder)
    return value


async def hash_assets(value: Value, folder: Path) -> Value:
    """As `with_hashes`, without holding the event loop while a file or a server is waited for.

    Raises:
        EngineError: a file cannot be read.
    """
    if _waits(value):
        return await asyncio.to_thread(with_hashes, value, folder)
    return with_hashes(value, folder)


def _waits(value: Value) -> bool:
    """Whether anything in a value is read from a file or a server."""
    if isinstance(value, dict):
        return any(map(_waits, value.values()))
    if isinstance(value, list):
        return any(map(_waits, value))
    if isinstance(value, values.Secret | values.OutputValue):
        return _waits(value.value)
    if isinstance(value, Asset | Archive):
        inside = isinstance(value, Archive) and _waits(value.assets or {})
        return bool(value.path or value.uri) or inside
    return False


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
    except (OSError, EngineError) as error:
        kind = type(value).__name__.lower()
        reason = _reason(error) if isinstance(error, OSError) else str(error)
        raise EngineError(f'failed to compute {kind} hash for "{key}": {reason}') from error


def _reason(error: OSError) -> str:
    """Why a file could not be read, in the CLI's words."""
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"failed to open asset file '{error.filename}': open {error.filename}: {error.strerror.lower()}"


def _content(asset: Asset, folder: Path) -> bytes:
    if asset.path:
        path = folder / asset.path
        if path.is_dir():
            raise EngineError(f"asset path '{path}' is a directory; try using an archive")
        return path.read_bytes()
    return _fetch(asset.uri) if asset.uri else (asset.text or "").encode()


def _fetch(uri: str) -> bytes:
    if not uri.startswith(("file://", "http://", "https://")):
        raise EngineError(f"unrecognized URI of an asset: {uri!r}")
    with urllib.request.urlopen(uri, timeout=60) as answer:  # noqa: S310 (the program names it)
        return bytes(answer.read())


def _asset_hash(asset: Asset, folder: Path) -> str:
    return hashlib.sha256(_content(asset, folder)).hexdigest()


def _archive_hash(archive: Archive, folder: Path) -> str:
    packed = _read_packed(archive, folder)
    if packed is not None:
        return hashlib.sha256(packed[1]).hexdigest()
    digest = hashlib.sha256()
    seen = set()
    for name, content in _files(archive, folder):
        if name in seen:
            continue
        seen.add(name)
        if name.endswith("/") and content:
            raise EngineError(
                f"incorrect blob size for {name}: expected {len(content)}, got 0: archive/tar: write too long"
            )
        try:
            head = tar_header.header(os.fsencode(name), len(content))
        except ValueError as error:
            raise EngineError(str(error)) from error
        digest.update(head + tar_header.pad_block(content))
    digest.update(bytes(2 * tar_header.BLOCK))
    return digest.hexdigest()


def _read_packed(archive: Archive, folder: Path) -> tuple[str, bytes] | None:
    """The format and the bytes of an archive that is one file already."""
    if archive.path:
        form = _format(archive.path)
        return (form, (folder / archive.path).read_bytes()) if form else None
    if archive.uri:
        form = _format(urlsplit(archive.uri).path)
        if not form:
            raise EngineError(f"file at URL '{archive.uri}' is not a recognized archive format")
        return form, _fetch(archive.uri)
    return None


def _format(path: str) -> str:
    return next((form for form in _PACKED if path.endswith(form)), "")


def _files(archive: Archive, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive by name, in the order of the tar."""
    packed = _read_packed(archive, folder)
    if packed is not None:
        yield from _unpack(*packed)
    elif archive.path:
        yield from _folder_files(folder / archive.path)
    else:
        for name, item in sorted((archive.assets or {}).items()):
            if isinstance(item, Asset):
                with _expanding("archive asset", name):
                    content = _content(item, folder)
                yield name, content
            else:
                with _expanding("sub-archive", name):
                    inside = list(_files(item, folder))
                for inner, content in inside:
                    yield _clean(f"{name}/{inner}" if name else inner), content


@contextmanager
def _expanding(kind: str, name: str) -> Iterator[None]:
    """Say in which part of an archive an error is."""
    try:
        yield
    except (OSError, EngineError) as error:
        reason = _reason(error) if isinstance(error, OSError) else str(error)
        raise EngineError(f"failed to expand {kind} '{name}': {reason}") from error


def _clean(name: str) -> str:
    """A name as Go's path.Clean has it."""
    cleaned = posixpath.normpath(name)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _folder_files(root: Path) -> Iterator[tuple[str, bytes]]:
    """The files below a folder; links to files are followed, those to folders left out, as the CLI does."""
    if not root.exists():
        raise EngineError(f"couldn't read archive path '{root}': stat {root}: no such file or directory")
    if not root.is_dir():
        raise EngineError(f"'{root}' is neither a recognized archive type nor a directory")
    for path in _walk(root):
        yield path.relative_to(root).as_posix(), path.read_bytes()


def _walk(path: Path) -> Iterator[Path]:
    if path.name == _BOOKKEEPING:
        return
    if path.is_symlink():
        if not path.exists():
            raise EngineError(f"stat {path}: no such file or directory")
        if not path.is_dir():
            yield path
    elif path.is_dir():
        for inner in sorted(path.iterdir(), key=lambda found: os.fsencode(found.name)):
            yield from _walk(inner)
    else:
        yield path


def _unpack(form: str, packed: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in an archive file.

    Raises:
        EngineError: it is damaged, or holds what is neither a file nor a folder.
    """
    try:
        if form in (".zip", ".jar"):
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        yield _clean(info.filename), archive.read(info)
            return
        data = packed if form == ".tar" else gzip.decompress(packed)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield _clean(member.name), content.read()
                elif not member.isdir():
                    raise EngineError(f"{member.name} in an archive is neither a file nor a folder")
            if 0 < len(data) - tar.offset < tar_header.BLOCK:
                raise EngineError("an archive cannot be read: unexpected EOF")
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EngineError(f"an archive cannot be read: {error}") from error
