"""Replay of a journal over the checkpoint that it builds on: after a crash, and while it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from infra.engine.backend.journal import REFRESHED, SAVED, VERSION, Begun, decode, digest
from infra.engine.errors import EngineError
from infra.engine.resource import integrity
from infra.engine.resource.renaming import follow_aliases
from infra.engine.resource.state import new_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from infra.engine.resource.integrity import Record


@dataclass(slots=True)
class Recovery:
    """State and pending operations recovered from a journal.

    Attributes:
        deployment: the base with all that ended, sorted; None if the journal is not about this checkpoint, or
            the checkpoint holds all of it already.
        begun: operations whose outcome is not known.
        records: how many records were read.
        damaged: bytes at the end that are no whole record (a write that a crash cut off).
        foreign: the checkpoint was changed by someone else after the journal's operation was cut off.
        touched: URNs that the journal speaks of, but for what the checkpoint held before someone else changed
            it; for the message when it is foreign.
        refreshed: the checkpoint was written while the operation ran; the one before it is its backup.
    """

    deployment: dict[str, Any] | None = None
    begun: tuple[Begun, ...] = ()
    records: int = 0
    damaged: int = 0
    foreign: bool = False
    touched: tuple[str, ...] = ()
    refreshed: bool = False


@dataclass(slots=True)
class Replay:
    """A deployment as a journal's records change it.

    Attributes:
        fields: of the deployment, beside its resources.
        resources: by the journal's names.
        begun: operations without an end, by their id.
        touched: URNs that were spoken of, with the number of the last record that did.
        count: records applied, the header not among them.
    """

    fields: dict[str, Any]
    resources: dict[str, Record]
    begun: dict[str, Begun] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def of(cls, base: Mapping[str, Any]) -> Self:
        """Start from a checkpoint's deployment."""
        fields = {key: value for key, value in base.items() if key != "resources"}
        resources: Iterable[Record] = base.get("resources") or ()
        return cls(fields, {f"b{index}": one for index, one in enumerate(resources)})

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take the next record in."""
        self.count += 1
        match record["kind"]:
            case "begin":
                carried = record.get("carried", False)
                one = Begun(record["operation"], record["type"], record["resource"], carried)
                self.begun[one.operation] = one
                self.touched[one.resource["urn"]] = self.count
            case "end":
                self.begun.pop(record["operation"], None)
                for name in record.get("remove", ()):
                    if gone := self.resources.pop(name, None):
                        self.touched[gone["urn"]] = self.count
                for name, state in record.get("put", {}).items():
                    self.resources[name] = state
                    self.touched[state["urn"]] = self.count
            case "note":
                self.fields |= record["fields"]

    def deployment(self) -> dict[str, Any]:
        """Return the deployment as it is now, sorted; operations that are under way are not in it."""
        ordered, _ = integrity.repair(follow_aliases(list(self.resources.values())))
        fields = {key: value for key, value in self.fields.items() if value is not None}
        return fields | ({"resources": ordered} if ordered else {})


def settle(deployment: Mapping[str, Any], begun: Iterable[Begun]) -> dict[str, Any]:
    """Return a deployment as it goes into the checkpoint: what is under way stands in it as pending.

    Args:
        deployment: as replayed.
        begun: operations without an end; carried ones stand in the deployment already.
    """
    settled = dict(deployment)
    manifest = settled.get("manifest") or {}
    settled["manifest"] = new_manifest(manifest.get("plugins") or ())
    pending = [{"resource": one.resource, "type": one.type} for one in begun if not one.carried]
    if pending:
        settled["pending_operations"] = (settled.get("pending_operations") or []) + pending
    return settled


def replay(
    content: bytes,
    checkpoint: bytes,
    deployment: Mapping[str, Any],
    find_base: Callable[[str], Mapping[str, Any] | None] = lambda _digest: None,
) -> Recovery:
    """Put a journal's records on top of the checkpoint that they build on.

    All of them, also where the checkpoint in place was written meanwhile and holds the first of them: it goes
    one way, whatever the moment of the crash.

    Args:
        content: the journal file, perhaps cut off anywhere.
        checkpoint: the checkpoint file as it is now.
        deployment: what stands in it (`latest`).
        find_base: the deployment of the checkpoint with a digest; asked if the one in place was written while
            the operation ran.

    Returns:
        what the journal tells; a deployment only if there is more in it than in the checkpoint.

    Raises:
        EngineError: the journal is of a newer version.
    """
    records, damaged = decode(content)
    if not records or records[0].get("kind") != "journal":
        return Recovery(damaged=damaged)
    if records[0]["version"] > VERSION:
        raise EngineError(
            f"the journal is of version {records[0]['version']}, and this engine reads {VERSION}",
            hint="go on with the newer engine that wrote it",
        )
    now = digest(checkpoint)
    written = [record for record in records[1:] if record["kind"] == REFRESHED]
    refreshed = any(record["checkpoint"] == now for record in written)
    base = find_base(records[0]["base"]) if refreshed else deployment
    state = Replay.of(deployment if base is None else base)
    for record in records[1:]:
        state.apply(record)
    begun = tuple(state.begun.values())
    if any(record["kind"] == SAVED and record["checkpoint"] == now for record in records):
        return Recovery(None, begun, len(records), damaged)
    if base is None or (records[0]["base"] != now and not refreshed):
        # The last one may not have come into place; the one before it did, and someone went on from there.
        held = written[-2]["holds"] if len(written) > 1 else 0
        touched = tuple(urn for urn, number in state.touched.items() if number > held)
        news = any(_tells(record) for record in records[1 + held :])
        return Recovery(None, (), len(records), damaged, foreign=news, touched=touched)
    if not any(map(_tells, records[1:])):
        return Recovery(None, begun, len(records), damaged)
    return Recovery(state.deployment(), begun, len(records), damaged, refreshed=refreshed)


def _tells(record: Mapping[str, Any]) -> bool:
    """Return whether a record tells of something that happened in its run."""
    return not record.get("carried") and record["kind"] != REFRESHED
