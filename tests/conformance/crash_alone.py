"""Recovery as the CLI does it, without a journal: from the checkpoint alone, in a copy of what a kill left.

The CLI itself is not needed: the state is read as the CLI reads it (version, magic number, integrity, secrets
under the salt in it), lock and journal are taken away, and the operation is done again from the checkpoint.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.engine.backend.journal import REFRESHED, decode, digest
from infra.engine.backend.replay import Replay, settle
from infra.engine.backend.secrets import crypter_for
from infra.engine.errors import EngineError
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.state import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from crash import World

REF = StackRef("suite", "dev")


@dataclass
class Alone:
    """A checkpoint without its journal.

    Attributes:
        refreshed: it was written while the operation ran.
        finished: changes of resources that the journal has.
        lost: URNs of resources whose changes the checkpoint has not.
        pending: URNs of resources whose operations are pending in it.
        problems: contradictions, in words.
    """

    refreshed: bool = False
    finished: int = 0
    lost: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_alone(world: World) -> Alone:
    """Read what a kill left without its journal, then compare it with the journal."""
    backend, alone = world.backend(), Alone()
    try:
        checkpoint = backend.read(REF)
        deployment = checkpoint.deployment
        Snapshot.from_json(deployment, crypter_for(deployment.get("secrets_providers")))
    except EngineError as error:
        alone.problems.append(f"the checkpoint cannot be read without the journal: {error}")
        return alone
    alone.pending = [one["resource"]["urn"] for one in deployment.get("pending_operations") or ()]
    journal = backend.files(REF).journal
    records = decode(journal.read_bytes())[0] if journal.exists() else []
    now, held = digest(checkpoint.content), 0
    for record in records:
        if record["kind"] == REFRESHED and record["checkpoint"] == now:
            alone.refreshed, held = True, record["holds"]
    if alone.refreshed:
        base = backend._backup(REF, records[0]["base"])
        if base is None:
            alone.problems.append("the checkpoint before the operation is gone")
        elif plain(deployment) != plain(remake(base, records[1 : 1 + held])):
            alone.problems.append("the checkpoint is not what its records make of the one before")
    ended = [urns_of(record) for record in records if record["kind"] == "end"]
    late = [urns_of(record) for record in records[1 + held :] if record["kind"] == "end"]
    alone.finished = sum(map(len, ended))
    alone.lost = [urn for urns in late for urn in urns]
    return alone


def urns_of(record: dict[str, Any]) -> list[str]:
    """The resources that a record changed; one that left has only its name in it."""
    return [one["urn"] for one in record.get("put", {}).values()] or list(record.get("remove", ()))


def remake(base: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
    """What records make of a deployment."""
    replay = Replay.of(base)
    for record in records:
        replay.apply(record)
    return settle(replay.deployment(), replay.begun.values())


def plain(deployment: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in deployment.items() if key != "manifest"}


def go_on_alone(world: World, phase: str, alone: Alone, wanted: dict[str, Any], folder: Path) -> list[str]:
    """Do the operation again without the journal, in a copy; what is wrong with the end.

    Args:
        world: as the kill left it.
        phase: the operation.
        alone: what the checkpoint had.
        wanted: the state of a run without a kill.
        folder: for the copy.
    """
    copy = world.copy(folder)
    own = copy.backend().files(REF)
    own.journal.unlink(missing_ok=True)
    shutil.rmtree(own.locks, ignore_errors=True)
    before = copy.objects().keys()
    copy.run(phase)
    problems = []
    if urns(copy.state()) != urns(wanted):
        problems.append("without the journal other resources come out")
    recorded = {one["id"] for one in copy.state()["resources"] if one.get("id")}
    orphans = {identity for identity in before & copy.objects().keys() if identity not in recorded}
    told = {urn.rpartition("::")[2] for urn in (*alone.lost, *alone.pending)}
    unknown = sorted(identity for identity in orphans if identity.rpartition("-")[0] not in told)
    if unknown:
        problems.append(f"without the journal {', '.join(unknown)} are lost, which had been finished before")
    shutil.rmtree(folder)
    return problems


def urns(state: dict[str, Any]) -> list[str]:
    return sorted(one["urn"] for one in state["resources"] if not one.get("delete"))
