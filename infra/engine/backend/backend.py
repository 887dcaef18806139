"""The CLI's backend in a folder: checkpoints, their backups, locks, history, journals.

Below the folder of `file://FOLDER`, as the CLI lays it out (version 1, with projects):

    .pulumi/meta.yaml                                         version: 1
    .pulumi/stacks/PROJECT/STACK.json                         the checkpoint; STACK.json.bak the one before
    .pulumi/locks/organization/PROJECT/STACK/UUID.json        who works on it
    .pulumi/history/PROJECT/STACK/STACK-TIME.history.json     what was done, and .checkpoint.json what it left
    .pulumi/backups/PROJECT/STACK/STACK.TIME.json             the checkpoint after each operation

and, which the CLI does not know, `.pulumi/journals/PROJECT/STACK.journal` while an operation runs. Meanwhile
the checkpoint is refreshed now and then; STACK.json.bak is the one before the operation.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from infra.engine.backend import files, journal, locks
from infra.engine.backend.checkpoint import (
    Checkpoint,
    empty_manifest,
    encode_checkpoint,
    parse_checkpoint,
    update_time,
)
from infra.engine.backend.replay import Recovery, replay, settle
from infra.engine.backend.stack_files import StackFiles, UpdateInfo
from infra.engine.errors import EngineError
from infra.engine.resource import integrity
from infra.engine.resource.renaming import with_stack_renamed
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.urn import STACK_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from infra.engine.backend.locks import Lock

LAYOUT_VERSION: Final = 1
_CHECKPOINT: Final = re.compile(r"\.json(\.gz|\.zst)?$")


@dataclass(frozen=True, slots=True)
class StackSummary:
    """One line of `stack ls`."""

    ref: StackRef
    updated: datetime | None
    resource_count: int
    locked: bool


class FileBackend:
    """The stacks below one folder.

    Args:
        url: `file://FOLDER`, `file://~` or `file://~/FOLDER`.

    Raises:
        EngineError: another kind of backend, or a layout that this engine does not know.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.root = _folder_of(url) / ".pulumi"
        self._check_layout()

    def files(self, ref: StackRef) -> StackFiles:
        """The files of a stack."""
        return StackFiles(self.root, ref)

    def _check_layout(self) -> None:
        meta = files.read(self.root / "meta.yaml")
        if meta is None:
            if any(self.root.glob("stacks/*.json")):
                raise EngineError(
                    f"{self.root} has the old layout without projects", hint="run `pulumi state upgrade` once"
                )
            return
        found = re.search(rb"^version:\s*(\d+)\s*$", meta, re.MULTILINE)
        if not found or int(found[1]) != LAYOUT_VERSION:
            said = f"version {int(found[1])}" if found else "no version"
            raise EngineError(
                f"{self.root / 'meta.yaml'} says {said}, and this engine knows version {LAYOUT_VERSION}",
                hint="use the Pulumi CLI that made it (`--engine pulumi`)",
            )

    # Stacks

    def stacks(self, project: str | None = None) -> list[StackSummary]:
        """All stacks, or those of a project, by name."""
        found = []
        for folder in files.list_entries(self.root / "stacks"):
            if folder.is_dir() and project in (None, folder.name):
                names = {
                    _CHECKPOINT.sub("", f.name)
                    for f in files.list_entries(folder)
                    if _CHECKPOINT.search(f.name)
                }
                found += [self._summary(StackRef(folder.name, name)) for name in sorted(names)]
        return found

    def _summary(self, ref: StackRef) -> StackSummary:
        checkpoint = self.read(ref)
        updated = update_time((checkpoint.deployment.get("manifest") or {}).get("time") or "")
        return StackSummary(ref, updated, len(checkpoint.resources), bool(self.locks(ref)))

    def exists(self, ref: StackRef) -> bool:
        """Whether there is such a stack."""
        return self.files(ref).exists()

    def init(self, ref: StackRef) -> None:
        """Make an empty stack.

        Raises:
            EngineError: there is one of that name.
        """
        with self.locked(ref):
            if self.exists(ref):
                raise EngineError(f"the stack {ref} exists already")
            self._put(ref, encode_checkpoint(ref, {"manifest": empty_manifest(), "metadata": {}}))

    def remove(self, ref: StackRef, *, force: bool = False, backups: bool = False) -> None:
        """Remove a stack with its history; its last states stay as backups, unless those shall go as well.

        Raises:
            EngineError: it still has resources (unless forced), is locked or not there.
        """
        with self.locked(ref):
            resources = self.read(ref).resources
            if not force and any(record["type"] != STACK_TYPE for record in resources):
                raise EngineError(
                    f"the stack {ref} still has {len(resources)} resources",
                    hint="destroy them, or use --force",
                )
            self.files(ref).remove(backups=backups)

    def rename(self, old: StackRef, new: StackRef) -> None:
        """Give a stack another name; its resources' URNs and its history follow.

        Raises:
            EngineError: not found, or one of the new name; or one of the two is locked.
        """
        with self.locked(old), self.locked(new):
            if self.exists(new):
                raise EngineError(f"the stack {new} exists already")
            self.recover(old)
            self.write(new, with_stack_renamed(self.read(old).deployment, old, new))
            self.files(old).rename_history(self.files(new))
            self.files(old).remove(backups=False)

    # Checkpoints

    def read(self, ref: StackRef) -> Checkpoint:
        """The checkpoint of a stack.

        Raises:
            EngineError: no such stack, or its checkpoint is damaged or newer; names the backups there are.
        """
        own = self.files(ref)
        content = own.read()
        if content is None:
            raise EngineError(f"there is no stack {ref} in {self.url}", hint="make it with `stack init`")
        return parse_checkpoint(content, own.checkpoint, own.rescue)

    def write(self, ref: StackRef, deployment: Mapping[str, Any]) -> bytes:
        """Put a new checkpoint into place; the old one stays as the backup.

        Args:
            ref: the stack.
            deployment: as `Checkpoint.deployment`.

        Returns:
            the checkpoint.

        Raises:
            EngineError: it cannot be written; the old one is untouched.
            integrity.IntegrityError: the resources contradict each other; nothing was written.
        """
        integrity.check(deployment.get("resources") or (), f"the new state of {ref}")
        content = encode_checkpoint(ref, deployment)
        self._put(ref, content)
        return content

    def _put(self, ref: StackRef, content: bytes, *, keep_backup: bool = False) -> None:
        self._ensure_layout()
        self.files(ref).put(content, keep_backup=keep_backup)

    def _ensure_layout(self) -> None:
        meta = self.root / "meta.yaml"
        if not meta.exists():
            files.write(meta, b"version: %d\n" % LAYOUT_VERSION)

    # Locks, journals

    @contextmanager
    def locked(self, ref: StackRef) -> Iterator[Lock]:
        """Hold the stack's lock.

        Raises:
            LockedError: someone else does; says who and since when.
        """
        with locks.hold_lock(self.files(ref).locks, str(ref)) as lock:
            self.files(ref).remove_unfinished()
            yield lock

    def locks(self, ref: StackRef) -> list[Lock]:
        """Who holds or held the stack."""
        return locks.read_locks(self.files(ref).locks)

    def cancel(self, ref: StackRef, *, force: bool = False) -> tuple[list[Lock], Recovery | None]:
        """Clear the locks of processes that are gone, and put what they had recorded into the checkpoint.

        Args:
            ref: the stack.
            force: clear locks of another machine too, whose process cannot be looked at from here.

        Returns:
            the cleared locks, and what their journal told.

        Raises:
            LockedError: a process still holds the stack.
        """
        found = self.locks(ref)
        if any(lock.alive or (lock.alive is None and not force) for lock in found):
            raise locks.LockedError(str(ref), found)
        for lock in found:
            locks.release(lock)
        with self.locked(ref):
            return found, self.recover(ref)

    def recover(self, ref: StackRef) -> Recovery | None:
        """Put what a cut-off operation recorded into the checkpoint; hold the lock for it.

        The ids of operations whose outcome is not known stay in a fresh journal, so that trying one again
        is the same operation for its provider. A journal about a state that someone else has changed since
        is set aside, never dropped.

        Returns:
            what the journal told; None if there is none.
        """
        path = self.files(ref).journal
        content = files.read(path)
        if content is None:
            return None
        checkpoint = self.read(ref)
        told = replay(
            content, checkpoint.content, checkpoint.deployment, lambda base: self._backup(ref, base)
        )
        if told.foreign:
            aside = path.with_name(f"{path.name}.{time.time_ns()}.aside")
            path.rename(aside)
            raise EngineError(
                f"the state of {ref} was changed after an operation on it was cut off; what that operation "
                f"did to {', '.join(told.touched[:5])}{' …' if len(told.touched) > 5 else ''} is not in it",
                hint=f"its journal is now {aside}; run `refresh`, then the operation again",
            )
        if told.deployment is not None:
            self._settle(ref, path, told)
        if not told.begun:
            path.unlink(missing_ok=True)
        return told

    def _settle(self, ref: StackRef, path: Path, told: Recovery) -> None:
        """Write the recovered state, with what is uncertain as pending operations."""
        new = encode_checkpoint(ref, settle(told.deployment or {}, told.begun))
        # After a crash between any two of these, doing it again comes to the same end.
        journal.mark_saved(path, new)
        self._put(ref, new, keep_backup=told.refreshed)
        journal.Journal(path, new, told.begun).close()

    def _backup(self, ref: StackRef, wanted: str) -> dict[str, Any] | None:
        """The deployment of the backup, if it is the checkpoint with this digest."""
        own = self.files(ref)
        content = own.find_backup(lambda content: journal.digest(content) == wanted)
        return None if content is None else parse_checkpoint(content, own.backup, own.rescue).deployment

    def finish(self, ref: StackRef, running: journal.Journal, deployment: Mapping[str, Any]) -> None:
        """Put the last state of an operation into place, and end its journal.

        Operations that are still pending in it keep their ids, in a fresh journal, for when they are tried
        again.

        Raises:
            EngineError: it cannot be written; the journal stays and has all of it.
        """
        content = encode_checkpoint(ref, deployment)
        running.saved(content)
        self._put(ref, content, keep_backup=running.is_refreshed)
        pending = {
            (one["type"], one["resource"]["urn"]) for one in deployment.get("pending_operations") or ()
        }
        begun = [
            one for one in running.open_operations.values() if (one.type, one.resource["urn"]) in pending
        ]
        if begun:
            running.close()
            journal.Journal(running.path, content, begun).close()
        else:
            running.discard()

    # History

    def add_history(self, ref: StackRef, info: UpdateInfo) -> None:
        """Keep what was done, and the state that it left; also as a backup."""
        self.files(ref).remember(info)

    def history(self, ref: StackRef) -> list[dict[str, Any]]:
        """Return the updates of a stack, newest first."""
        return list(self.files(ref).entries())


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise EngineError(
            f"the embedded engine keeps state in folders (file://), not in {_without_password(url)}",
            hint="use the Pulumi CLI for this backend: `--engine pulumi`",
        )
    path = unquote(url.removeprefix("file://").split("?")[0]) or "."
    return Path(path).expanduser().absolute()


def _without_password(url: str) -> str:
    return re.sub(r"://[^/@]*@", "://…@", url)
