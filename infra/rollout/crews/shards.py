"""One shard on a worker: some machines of a batch, with a ledger of their own that outlives the worker.

A shard may be started more than once: its worker dies and the scheduler gives it to another, or a coordinator
that was killed is started again. Who holds the shard's lease works on it; each start takes the next turn, and
one whose turn is over begins no further step. A worker that finds no ledger of an earlier turn (it runs on
another machine) asks the shard's machines what they were given.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from infra.files import hold_lock
from infra.rollout.crews.local import LocalCrew, settle
from infra.rollout.ledger import Fenced, Ledger, State, Step, StepRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.rollout.nodes import Nodes, Service
    from infra.rollout.policy import Policy

    World = Callable[[Sequence[str]], tuple[Nodes, Service, Callable[[str], str]]]


@dataclass(frozen=True, slots=True)
class Shard:
    """Machines that one worker takes through all steps.

    Attributes:
        name: the same each time that the rollout is gone on with.
        hosts: names.
    """

    name: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """Job of a worker, beside its shard.

    Attributes:
        rollout: its name.
        folder: returns that of the rollout on the worker, whose checkout may lie elsewhere.
        policy: limits, care of jobs, reboots.
        attempt: raised when failed machines are to begin anew.
        world: makes the machines, their scheduler and the hash of what a machine is given, on the worker.
    """

    rollout: str
    folder: Callable[[], Path]
    policy: Policy
    attempt: int
    world: World


class Turns(Protocol):
    """The order in which a shard's starts take place, kept where all workers see it."""

    def lease(self, name: str) -> Any:
        """Context in which no other worker has the shard; it ends some seconds after its worker died."""
        ...

    def take(self, name: str, least: int) -> int:
        """Take the next turn, which is above `least` and above every earlier one."""
        ...

    def current(self, name: str) -> int:
        """The turn that was taken last."""
        ...


class ShardLedger(Ledger):
    """A ledger that tells another one what it writes, and writes no step whose turn is over."""

    def __init__(self, path: Path, turn: int, check: Callable[[], None], send: Callable[[Any], None]) -> None:
        super().__init__(path, turn)
        self._check_turn, self._send = check, send

    def begin(self, hosts: Iterable[str], step: Step, content: Mapping[str, str] | None = None) -> None:
        """See `Ledger`."""
        self._check_turn()
        hosts = list(hosts)
        super().begin(hosts, step, content)
        self._forward(hosts, step)

    def end(self, outcomes: Mapping[str, str | None], step: Step, skipped: bool = False) -> None:  # noqa: FBT001, FBT002
        """See `Ledger`."""
        super().end(outcomes, step, skipped)
        self._forward(list(outcomes), step)

    def _forward(self, hosts: Sequence[str], step: Step) -> None:
        if hosts:
            self._send([astuple(row) for row in self.rows(hosts=hosts) if row.step is step])


def ledger_of(job: Job, shard: str) -> Path:
    """Where a shard's ledger lies, on the worker."""
    return job.folder() / "shards" / f"{shard}.sqlite"


def work(
    job: Job,
    shard: Shard,
    turns: Turns,
    send: Callable[[str, Any], None],
) -> list[StepRow]:
    """Take a shard's machines through all steps.

    Args:
        job: what all shards share.
        shard: the machines.
        turns: of all workers.
        send: called with `rows` and rows of the ledger as they are written, and with `step` and a step with
            its outcomes; all of it can be written as JSON.

    Returns:
        all rows of the shard's machines.

    Raises:
        Fenced: the shard was started anew elsewhere.
    """
    key = f"{job.rollout} {shard.name}"
    path = ledger_of(job, shard.name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with turns.lease(key), _alone(path):
        fresh = not path.exists()
        epoch = 0 if fresh else _epoch(path)
        turn = turns.take(key, epoch)

        def check() -> None:
            if turns.current(key) != turn:
                raise Fenced(f"shard {shard.name} was started anew elsewhere")

        if fresh:
            Ledger.create_empty(path)
        ledger = ShardLedger(path, turn, check, lambda rows: send("rows", rows))
        try:
            ledger.take(turn)
            nodes, service, content = job.world(shard.hosts)
            if int(ledger.fact("attempt") or 0) < job.attempt:
                ledger.forget({row.host for row in ledger.rows(state=State.FAILED)})
                ledger.set(attempt=str(job.attempt))
            if fresh and turn > 1:
                settle(ledger, nodes, shard.hosts, content)
            crew = LocalCrew(job.rollout, ledger, nodes, service, job.policy, content)
            crew.run(shard.hosts, lambda step, outcomes: send("step", [step, dict(outcomes)]))
            return ledger.rows(hosts=shard.hosts)
        finally:
            ledger.close()


def cut(places: Mapping[str, str], waves: Iterable[Sequence[str]], most: int) -> dict[str, str]:
    """Shard of each machine: up to `most` of one wave that share a place (their pod).

    It follows from the whole rollout, not from what is left of it, so that a machine stays in its shard.
    """
    found: dict[str, str] = {}
    for number, hosts in enumerate(waves, 1):
        counts: dict[str, int] = {}
        for host in hosts:
            place = places.get(host, "site")
            found[host] = f"{number}-{place}-{counts.get(place, 0) // most + 1}"
            counts[place] = counts.get(place, 0) + 1
    return found


def _epoch(path: Path) -> int:
    ledger = Ledger(path)
    try:
        return int(ledger.fact("epoch") or 0)
    finally:
        ledger.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no process of this machine works on the shard, also one that lost its scheduler."""
    with hold_lock(path.with_suffix(".lock")):
        yield
