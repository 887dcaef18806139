"""The files of one stack in a folder, as the CLI lays them out, and what stands in them.

Checkpoints may be packed by gzip (PULUMI_DIY_BACKEND_GZIP, as for the CLI); they are read either way.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from infra.engine.backend import files
from infra.engine.backend.checkpoint import PACKED_BADLY, is_sound, unpack
from infra.engine.errors import EngineError
from infra.engine.resource.stack_ref import ORGANIZATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from infra.engine.resource.stack_ref import StackRef

GZIP: Final = ".gz"
ZSTD: Final = ".zst"
_GZIP_VARIABLES: Final = ("PULUMI_DIY_BACKEND_GZIP", "PULUMI_SELF_MANAGED_STATE_GZIP")


@dataclass(frozen=True, slots=True)
class UpdateInfo:
    """One entry of a stack's history; `kind` and `result` are the CLI's words, times are UNIX seconds."""

    kind: str
    start_time: int
    end_time: int
    result: str
    changes: Mapping[str, int]
    config: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The CLI's form."""
        return {
            "kind": self.kind, "startTime": self.start_time, "message": self.message,
            "environment": dict(self.environment), "config": dict(self.config), "version": 0,
            "result": self.result, "endTime": self.end_time,
            "resourceChanges": {str(op): count for op, count in self.changes.items() if count},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class StackFiles:
    """Where they are, and what is done with them.

    Attributes:
        root: the backend's `.pulumi`.
        ref: whose they are.
    """

    root: Path
    ref: StackRef

    # Names

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file that is there, the newest of its forms; else as it would be written."""
        there = [path for path in self._forms() if path.exists()]
        return max(there, key=lambda path: path.stat().st_mtime_ns) if there else self._target()

    @property
    def backup(self) -> Path:
        """The checkpoint before the present one."""
        path = self.checkpoint
        return path.with_name(f"{path.name}.bak")

    @property
    def journal(self) -> Path:
        """The journal of the operation that runs, or that was cut off."""
        return self._in("journals") / f"{self.ref.stack}.journal"

    @property
    def locks(self) -> Path:
        """The folder of lock files."""
        return self.root / "locks" / ORGANIZATION / self.ref.project / self.ref.stack

    @property
    def history(self) -> Path:
        """The folder of what was done."""
        return self._in("history") / self.ref.stack

    @property
    def backups(self) -> Path:
        """The folder of the checkpoints after each operation."""
        return self._in("backups") / self.ref.stack

    def _in(self, kind: str) -> Path:
        return self.root / kind / self.ref.project

    def _forms(self) -> tuple[Path, Path, Path]:
        plain = self._in("stacks") / f"{self.ref.stack}.json"
        return plain, plain.with_name(plain.name + GZIP), plain.with_name(plain.name + ZSTD)

    def _target(self) -> Path:
        wanted = any(os.environ.get(name, "").lower() in ("1", "true") for name in _GZIP_VARIABLES)
        return self._forms()[wanted]

    # Checkpoints

    def remove_unfinished(self) -> None:
        """Remove what a killed writer of checkpoints left (see `files.write`); hold the lock for it."""
        forms = [path.name for path in self._forms()]
        ours = {f"{name}{ending}" for name in forms for ending in ("", ".bak", ".attrs", ".bak.attrs")}
        files.remove_unfinished(self._in("stacks"), ours)

    def exists(self) -> bool:
        """Whether there is such a stack."""
        return self.checkpoint.exists()

    def read(self) -> bytes | None:
        """The checkpoint, unpacked; None if there is none.

        Raises:
            EngineError: it cannot be read.
        """
        path = self.checkpoint
        if path.suffix == ZSTD and path.exists():
            raise EngineError(
                f"{path} is packed by zstd, which this engine cannot read",
                hint="let the CLI write it anew: `pulumi stack export` and `import` without "
                "PULUMI_DIY_BACKEND_ZSTD",
            )
        content = files.read(path)
        if content is None:
            return None
        try:
            return unpack(content)
        except PACKED_BADLY as error:
            raise EngineError(f"the checkpoint {path} is damaged ({error})", hint=self.rescue()) from error

    def put(self, content: bytes, *, keep_backup: bool = False) -> None:
        """Put a checkpoint into place; the one before stays as the backup.

        Args:
            content: the checkpoint.
            keep_backup: leave the backup as it is: what is replaced was written in the same operation.
        """
        old, path = self.checkpoint, self._target()
        before = None if keep_backup else files.read(old)
        if before is not None:
            _write(old.with_name(f"{old.name}.bak"), before)
        _write(path, gzip.compress(content, mtime=0) if path.suffix == GZIP else content)
        if old != path:
            _unlink(old)

    def find_backup(self, wanted: Callable[[bytes], bool]) -> bytes | None:
        """Return the backup of a checkpoint that is wanted, unpacked; None if there is none."""
        for form in self._forms():
            content = files.read(form.with_name(f"{form.name}.bak"))
            with contextlib.suppress(*PACKED_BADLY):
                if content is not None and wanted(unpacked := unpack(content)):
                    return unpacked
        return None

    def rescue(self) -> str:
        """Return the hint for a damaged checkpoint: which file has the state before."""
        kept = [path for path in files.list_entries(self.backups) if path.suffix != ".attrs"]
        for path in (self.backup, *reversed(kept)):
            content = files.read(path)
            if content and is_sound(content):
                return f"the last good state is in {path}: copy it over the damaged file"
        return "there is no backup of it"

    # History

    def remember(self, info: UpdateInfo) -> None:
        """Keep what was done, and the state that it left; also as a backup."""
        now, path = time.time_ns(), self.checkpoint
        content = files.read(path) or b""
        form = path.name.removeprefix(self.ref.stack)
        entry = json.dumps(info.to_json(), separators=(",", ":")).encode()
        files.write(self.history / f"{self.ref.stack}-{now}.history.json", entry)
        files.write(self.history / f"{self.ref.stack}-{now}.checkpoint{form}", content)
        files.write(self.backups / f"{self.ref.stack}.{now}{form}", content)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Return the updates of a stack, newest first.

        Raises:
            EngineError: an entry is damaged.
        """
        for path in reversed(list(files.list_entries(self.history))):
            if path.name.endswith((".history.json", f".history.json{GZIP}")):
                yield _entry(path)

    # All of them

    def remove(self, *, backups: bool) -> None:
        """Remove the stack and its history; its last state stays as a backup, unless those go as well."""
        path = self.checkpoint
        before = files.read(path)
        if before is not None and not backups:
            _write(path.with_name(f"{path.name}.bak"), before)
        for form in self._forms():
            _unlink(form)
            if backups:
                _unlink(form.with_name(f"{form.name}.bak"))
        _unlink(self._forms()[0].with_suffix(".pulumi-tags"))
        _unlink(self.journal)
        for folder in (self.history, *([self.backups] if backups else ())):
            for kept in files.list_entries(folder):
                kept.unlink()
            if folder.is_dir():
                folder.rmdir()

    def rename_history(self, other: StackFiles) -> None:
        """Hand the history over to another stack."""
        for path in files.list_entries(self.history):
            files.make_folder(other.history)
            path.rename(other.history / (other.ref.stack + path.name.removeprefix(self.ref.stack)))


def _write(path: Path, content: bytes) -> None:
    files.write(path, content)
    attributes = _attributes_of(path)
    if attributes.exists():
        # The CLI's storage library keeps a digest beside each file that it wrote; keep it true.
        files.write(attributes, _attributes(content))


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    _attributes_of(path).unlink(missing_ok=True)


def _attributes_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.attrs")


def _attributes(content: bytes) -> bytes:
    names = ("cache_control", "content_disposition", "content_encoding", "content_language")
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    record = {f"user.{name}": "" for name in names}
    packed = unpack(content) is not content
    record |= {"user.content_type": "application/x-gzip" if packed else "text/plain; charset=utf-8"}
    return json.dumps(record | {"user.metadata": None, "md5": digest}, separators=(",", ":")).encode()


_ENTRY: Final = {
    "kind": str, "result": str, "startTime": int, "endTime": int, "resourceChanges": dict, "config": dict,
}  # fmt: skip
"""Types of an entry's fields; the last two may be missing or null."""


def _entry(path: Path) -> dict[str, Any]:
    content, hint = files.read(path) or b"", "it is a record that nothing depends on: move the file away"
    try:
        found = json.loads(unpack(content))
    except (*PACKED_BADLY, ValueError, RecursionError) as error:
        raise EngineError(f"the history entry {path} is damaged ({error})", hint=hint) from error
    if not isinstance(found, dict):
        raise EngineError(f"the history entry {path} is damaged (it is no object)", hint=hint)
    for name, kind in _ENTRY.items():
        value = found.get(name)
        if not isinstance(value, kind) and (value is not None or kind is not dict):
            raise EngineError(f"the history entry {path} is damaged (`{name}` is wrong)", hint=hint)
    return found
