"""The CLI's backend in a folder: checkpoints, their backups, locks, history, journals.

Below the folder of `file://FOLDER`, as the CLI lays it out (version 1, with projects):

    .pulumi/meta.yaml                                         version: 1
    .pulumi/stacks/PROJECT/STACK.json                         the checkpoint; STACK.json.bak the one before
    .pulumi/locks/organization/PROJECT/STACK/UUID.json        who works on it
    .pulumi/history/PROJECT/STACK/STACK-TIME.history.json     what was done, and .checkpoint.json what it left
    .pulumi/backups/PROJECT/STACK/STACK.TIME.json             the checkpoint after each operation

and, which the CLI does not know, `.pulumi/journals/PROJECT/STACK.journal` while an operation runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from infra.engine import files, integrity, journal, locks
from infra.engine.errors import EngineError
from infra.engine.urn import STACK_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.engine.locks import Lock

ORGANIZATION: Final = "organization"
VERSIONS: Final = (3, 4)
"""Versions of a checkpoint; 4 is 3 with a list of features that its reader must know."""
LAYOUT_VERSION: Final = 1
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class StackRef(NamedTuple):
    """A stack's full name."""

    project: str
    stack: str

    def __str__(self) -> str:
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    @classmethod
    def parse(cls, text: str, project: str = "") -> StackRef:
        """Understand `STACK`, `organization/STACK` or `organization/PROJECT/STACK`.

        Raises:
            EngineError: it is no such name.
        """
        parts = text.split("/")
        if len(parts) > 1 and parts[0] != ORGANIZATION:
            raise EngineError(f"organization name must be '{ORGANIZATION}'")
        if len(parts) > 3:
            raise EngineError(
                f"{text!r} is not a stack's name", hint=f"write STACK or {ORGANIZATION}/PROJECT/STACK"
            )
        ref = cls(parts[1] if len(parts) == 3 else project, parts[-1])
        for word, name in zip(("project", "stack"), ref, strict=True):
            if not _NAME.fullmatch(name) or name in (".", ".."):
                hint = "use up to 100 letters, digits, hyphens, underscores and periods"
                raise EngineError(f"{name!r} is not a {word}'s name", hint=hint)
        return ref


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file as read.

    Attributes:
        content: the file's bytes; empty if the stack has none yet.
        deployment: `latest`: manifest, secrets_providers, resources, pending_operations, metadata.
        version: of its format.
        features: what the file asks of its reader.
    """

    content: bytes
    deployment: dict[str, Any]
    version: int = 3
    features: tuple[str, ...] = ()

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resources, in order."""
        return self.deployment.get("resources") or []


@dataclass(frozen=True, slots=True)
class StackSummary:
    """One line of `stack ls`."""

    ref: StackRef
    updated: datetime | None
    resource_count: int
    locked: bool


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

    # Names of files

    def checkpoint_path(self, ref: StackRef) -> Path:
        """The checkpoint file."""
        return self.root / "stacks" / ref.project / f"{ref.stack}.json"

    def backup_path(self, ref: StackRef) -> Path:
        """The checkpoint before the present one."""
        return self.root / "stacks" / ref.project / f"{ref.stack}.json.bak"

    def journal_path(self, ref: StackRef) -> Path:
        """The journal of the operation that runs, or that was cut off."""
        return self.root / "journals" / ref.project / f"{ref.stack}.journal"

    def _locks(self, ref: StackRef) -> Path:
        return self.root / "locks" / ORGANIZATION / ref.project / ref.stack

    def _history(self, ref: StackRef) -> Path:
        return self.root / "history" / ref.project / ref.stack

    def _backups(self, ref: StackRef) -> Path:
        return self.root / "backups" / ref.project / ref.stack

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
        for folder in files.listed(self.root / "stacks"):
            if folder.is_dir() and project in (None, folder.name):
                refs = [StackRef(folder.name, f.stem) for f in files.listed(folder) if f.suffix == ".json"]
                found += [self._summary(ref) for ref in refs]
        return found

    def _summary(self, ref: StackRef) -> StackSummary:
        checkpoint = self.read(ref)
        updated = None
        if when := checkpoint.deployment.get("manifest", {}).get("time"):
            updated = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", when))
            # Go's zero time means that nothing was ever done to it.
            updated = updated if updated.year > 1 else None
        return StackSummary(ref, updated, len(checkpoint.resources), bool(self.locks(ref)))

    def exists(self, ref: StackRef) -> bool:
        """Whether there is such a stack."""
        return self._present_path(ref) is not None

    def init(self, ref: StackRef) -> None:
        """Make an empty stack.

        Raises:
            EngineError: there is one of that name.
        """
        with self.locked(ref):
            if self.exists(ref):
                raise EngineError(f"the stack {ref} exists already")
            self._write_checkpoint(ref, {"manifest": empty_manifest(), "metadata": {}})

    def remove(self, ref: StackRef, *, force: bool = False) -> None:
        """Remove a stack with its history and backups.

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
            for path in (
                self.checkpoint_path(ref), self.backup_path(ref), self.journal_path(ref),
                self.checkpoint_path(ref).with_suffix(".pulumi-tags"),
                *files.listed(self._history(ref)), *files.listed(self._backups(ref)),
            ):  # fmt: skip
                path.unlink(missing_ok=True)
                path.with_name(path.name + ".attrs").unlink(missing_ok=True)
            for folder in (self._history(ref), self._backups(ref)):
                if folder.is_dir():
                    folder.rmdir()

    # Checkpoints

    def _present_path(self, ref: StackRef) -> Path | None:
        path = self.checkpoint_path(ref)
        if path.exists():
            return path
        for packed in (path.with_name(path.name + ".gz"), path.with_name(path.name + ".zst")):
            if packed.exists():
                raise EngineError(
                    f"{packed} is compressed",
                    hint="run `pulumi stack export` and `import` with PULUMI_DIY_BACKEND_GZIP unset",
                )
        return None

    def read(self, ref: StackRef) -> Checkpoint:
        """The checkpoint of a stack.

        Raises:
            EngineError: no such stack, or its checkpoint is damaged or newer; names the backups there are.
        """
        path = self._present_path(ref)
        content = files.read(path) if path else None
        if path is None or content is None:
            raise EngineError(f"there is no stack {ref} in {self.url}", hint="make it with `stack init`")
        return parse_checkpoint(content, path, self._rescue(ref))

    def _rescue(self, ref: StackRef) -> str:
        """What to do about a damaged checkpoint: which file has the state before."""
        good = [self.backup_path(ref), *reversed(list(files.listed(self._backups(ref))))]
        for path in good:
            content = files.read(path)
            if content and path.suffix != ".attrs" and _is_sound(content):
                return f"the last good state is in {path}: copy it over the damaged file"
        return "there is no backup of it"

    def write(self, ref: StackRef, deployment: Mapping[str, Any]) -> bytes:
        """Put a new checkpoint into place; the old one stays as the backup.

        Args:
            ref: the stack.
            deployment: as `Checkpoint.deployment`.

        Returns:
            the file's new content.

        Raises:
            EngineError: it cannot be written; the old one is untouched.
            integrity.IntegrityError: the resources contradict each other; nothing was written.
        """
        integrity.check(deployment.get("resources") or (), f"the new state of {ref}")
        content = encode_checkpoint(ref, deployment)
        self._put(ref, content)
        return content

    def _write_checkpoint(self, ref: StackRef, deployment: Mapping[str, Any]) -> None:
        self._ensure_layout()
        files.write(self.checkpoint_path(ref), encode_checkpoint(ref, deployment))

    def _put(self, ref: StackRef, content: bytes) -> None:
        self._ensure_layout()
        path = self.checkpoint_path(ref)
        old = files.read(path)
        if old is not None:
            files.write(self.backup_path(ref), old)
        files.write(path, content)
        attributes = path.with_name(path.name + ".attrs")
        if attributes.exists():
            # The CLI's storage library keeps a digest beside each file that it wrote; keep it true.
            files.write(attributes, _attributes(content))

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
        with locks.acquired(self._locks(ref), str(ref)) as lock:
            yield lock

    def locks(self, ref: StackRef) -> list[Lock]:
        """Who holds or held the stack."""
        return locks.held(self._locks(ref))

    def cancel(self, ref: StackRef, *, force: bool = False) -> tuple[list[Lock], journal.Recovery | None]:
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

    def recover(self, ref: StackRef) -> journal.Recovery | None:
        """Put what a cut-off operation recorded into the checkpoint; hold the lock for it.

        The ids of operations whose outcome is not known stay in a fresh journal, so that trying one again
        is the same operation for its provider. A journal about a state that someone else has changed since
        is set aside, never dropped.

        Returns:
            what the journal told; None if there is none.
        """
        path = self.journal_path(ref)
        content = files.read(path)
        if content is None:
            return None
        checkpoint = self.read(ref)
        told = journal.replay(content, checkpoint.content, checkpoint.deployment)
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

    def _settle(self, ref: StackRef, path: Path, told: journal.Recovery) -> None:
        """Write the recovered state, with what is uncertain as pending operations."""
        deployment = dict(told.deployment or {})
        pending = [{"resource": one.resource, "type": one.type} for one in told.begun if not one.carried]
        if pending:
            deployment["pending_operations"] = (deployment.get("pending_operations") or []) + pending
        new = encode_checkpoint(ref, deployment)
        # After a crash between any two of these, doing it again comes to the same end.
        journal.mark_saved(path, new)
        self._put(ref, new)
        journal.Journal(path, new, told.begun).close()

    def finish(self, ref: StackRef, running: journal.Journal, deployment: Mapping[str, Any]) -> None:
        """Put the last state of an operation into place, and end its journal.

        Operations that are still pending in it keep their ids, in a fresh journal, for when they are tried
        again.

        Raises:
            EngineError: it cannot be written; the journal stays and has all of it.
        """
        content = encode_checkpoint(ref, deployment)
        running.saved(content)
        self._put(ref, content)
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
        content = files.read(self.checkpoint_path(ref)) or b""
        now = time.time_ns()
        prefix = f"{ref.stack}-{now}"
        entry = json.dumps(info.to_json(), separators=(",", ":")).encode()
        files.write(self._history(ref) / f"{prefix}.history.json", entry)
        files.write(self._history(ref) / f"{prefix}.checkpoint.json", content)
        files.write(self._backups(ref) / f"{ref.stack}.{now}.json", content)

    def history(self, ref: StackRef) -> list[dict[str, Any]]:
        """What was done, the latest first."""
        entries = [f for f in files.listed(self._history(ref)) if f.name.endswith(".history.json")]
        return [json.loads(path.read_bytes()) for path in reversed(entries)]


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise EngineError(
            f"the embedded engine keeps state in folders (file://), not in {url}",
            hint="use the Pulumi CLI for this backend: `--engine pulumi`",
        )
    path = unquote(url.removeprefix("file://").split("?")[0]) or "."
    return Path(path).expanduser().absolute()


def empty_manifest() -> dict[str, str]:
    """The manifest of a stack that nothing was done to."""
    return {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}


# What a resource makes its checkpoint ask of a reader.
_FEATURES: Final = {
    "refreshBeforeUpdate": "refreshBeforeUpdate",
    "viewOf": "views",
    "resourceHooks": "hooks",
    "taint": "taint",
    "replaceWith": "replaceWith",
}


def features_of(deployment: Mapping[str, Any]) -> list[str]:
    """What a reader of this deployment must know, by name."""
    resources = deployment.get("resources") or ()
    return sorted({word for one in resources for key, word in _FEATURES.items() if one.get(key)})


def versioned(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The version of a deployment's format, and the features it needs."""
    features = features_of(deployment)
    return {"version": 4, "features": features} if features else {"version": 3}


def encode_checkpoint(ref: StackRef, deployment: Mapping[str, Any]) -> bytes:
    """A checkpoint file's content."""
    whole = versioned(deployment) | {"checkpoint": {"stack": str(ref), "latest": deployment}}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def parse_checkpoint(content: bytes, path: Path, rescue: str = "") -> Checkpoint:
    """Read a checkpoint file's content.

    Args:
        content: the file's bytes.
        path: its name, for messages.
        rescue: what to do if it is damaged.

    Raises:
        EngineError: it is damaged, of a newer version, or asks for features that this engine lacks.
    """
    try:
        whole = json.loads(content)
        version, checkpoint = int(whole["version"]), whole.get("checkpoint") or {}
        deployment = checkpoint.get("latest") or {}
        features = tuple(whole.get("features") or ())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"the checkpoint {path} is damaged ({error})", hint=rescue) from error
    if version not in VERSIONS:
        age = "newer" if version > VERSIONS[-1] else "older"
        raise EngineError(
            f"the checkpoint {path} is of the {age} version {version}; this engine knows {VERSIONS[-1]}",
            hint="use the Pulumi CLI that wrote it (`--engine pulumi`)",
        )
    if unknown := [feature for feature in features if feature not in _FEATURES.values()]:
        raise EngineError(
            f"the checkpoint {path} needs {', '.join(unknown)}, which this engine lacks",
            hint="use the Pulumi CLI (`--engine pulumi`)",
        )
    manifest = deployment.get("manifest") or {}
    if manifest.get("version"):
        magic = hashlib.sha256(manifest["version"].encode()).hexdigest()
        if manifest.get("magic") != magic:
            raise EngineError(f"the checkpoint {path} is damaged (its magic number is wrong)", hint=rescue)
    if problems := integrity.deployment_problems(deployment):
        raise integrity.IntegrityError(problems, f"the checkpoint {path}")
    return Checkpoint(content, deployment, version, features)


def _is_sound(content: bytes) -> bool:
    try:
        parse_checkpoint(content, Path())
    except EngineError:
        return False
    return True


def _attributes(content: bytes) -> bytes:
    names = ("cache_control", "content_disposition", "content_encoding", "content_language")
    digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    record = {f"user.{name}": "" for name in names}
    record |= {"user.content_type": "text/plain; charset=utf-8"}
    return json.dumps(record | {"user.metadata": None, "md5": digest}, separators=(",", ":")).encode()
