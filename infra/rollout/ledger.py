"""Ledger of what was done to which machine: SQLite in WAL mode, a row for each machine and step.

A step is written as running before it begins and as ended after it: a controller that is killed in between
leaves a step in doubt, which is settled by asking the machine (see `controller`). Each controller that takes
a rollout raises its epoch; one that is of an earlier epoch can write no more.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.state_files import damage_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.rollout.blueprint import Blueprint

SCHEMA = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists hosts (name text primary key, wave integer not null, place integer not null);
create table if not exists steps (
    host text not null, step text not null, state text not null, content text not null default '',
    started real, ended real, reason text not null default '', epoch integer not null,
    primary key (host, step)) without rowid;
create table if not exists gates (
    wave integer not null, gate text not null, held integer not null, saw text not null, at real not null);
create table if not exists events (at real not null, kind text not null, text text not null);
create index if not exists ended on steps (state);
create index if not exists waves on hosts (wave, place);
"""


class Step(StrEnum):
    """Steps of a machine, in order."""

    DRAIN = "drain"
    APPLY = "apply"
    REBOOT = "reboot"
    PROVE = "prove"
    RESUME = "resume"


class State(StrEnum):
    """How far a step is."""

    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of one machine; times are seconds since 1970."""

    host: str
    step: Step
    state: State
    content: str
    started: float | None
    ended: float | None
    reason: str


class Fenced(UserError):  # noqa: N818 (the field's word)
    """Another controller has taken the rollout."""


class Ledger:
    """The ledger of one rollout.

    Args:
        path: the database file.
        epoch: of this controller; 0 only reads.
    """

    def __init__(self, path: Path, epoch: int = 0) -> None:
        self.path, self.epoch = path, epoch
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = full")
        except sqlite3.DatabaseError as error:
            raise damage_error(path, str(error), "remove the rollout's folder, and begin it again") from error

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    @classmethod
    def create(cls, path: Path, blueprint: Blueprint) -> Ledger:
        """Make a rollout's ledger; nothing is done yet."""
        return cls._create(
            path,
            [(host, wave.number, place) for wave in blueprint.waves for place, host in enumerate(wave.hosts)],
        )

    @classmethod
    def create_empty(cls, path: Path) -> None:
        """Make a ledger that knows of no waves: a shard's."""
        cls._create(path, []).close()

    @classmethod
    def _create(cls, path: Path, hosts: Sequence[tuple[str, int, int]]) -> Ledger:
        path.touch(mode=0o600)
        ledger = Ledger(path)
        with ledger._base:
            ledger._base.executescript(SCHEMA)
            ledger._base.execute("begin immediate")
            ledger._base.executemany(
                "insert or ignore into facts values (?, ?)", [("state", "ready"), ("epoch", "0")]
            )
            ledger._base.executemany("insert or ignore into hosts values (?, ?, ?)", hosts)
            ledger._base.execute("commit")
        return ledger

    def damage(self) -> str | None:
        """Describe the damage of the file; None if it is whole."""
        try:
            (answer,) = self._base.execute("pragma quick_check(1)").fetchone()
            for table in ("facts", "hosts", "steps", "gates", "events"):
                self._base.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 (names from here)
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if answer == "ok" else str(answer)

    def take(self, epoch: int | None = None) -> None:
        """Become the rollout's controller: from now on, earlier ones can write nothing.

        Args:
            epoch: to take, where it is given out elsewhere; the next one without.
        """
        with self._write(fenced=False):
            self.epoch = int(self.fact("epoch") or 0) + 1 if epoch is None else epoch
            self._base.execute("insert or replace into facts values ('epoch', ?)", (str(self.epoch),))

    @contextmanager
    def _write(self, *, fenced: bool = True) -> Iterator[None]:
        self._base.execute("begin immediate")
        try:
            if fenced:
                self._check_epoch()
            yield
        except BaseException:
            self._base.execute("rollback")
            raise
        self._base.execute("commit")

    def _check_epoch(self) -> None:
        if self.fact("epoch") != str(self.epoch):
            raise Fenced("another controller has taken this rollout", hint="see `gigasite rollout status`")

    def fact(self, name: str) -> str | None:
        """A fact of the whole rollout: `state`, `reason`, `epoch`, `wave`."""
        row = self._base.execute("select value from facts where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set(self, **facts: str) -> None:
        """Note facts of the whole rollout."""
        with self._write():
            self._base.executemany("insert or replace into facts values (?, ?)", list(facts.items()))

    def begin(self, hosts: Iterable[str], step: Step, content: Mapping[str, str] | None = None) -> None:
        """Note that a step begins on some machines, with what it will apply."""
        now = _now()
        with self._write():
            self._base.executemany(
                "insert or replace into steps values (?, ?, 'running', ?, ?, null, '', ?)",
                [(host, step, (content or {}).get(host, ""), now, self.epoch) for host in hosts],
            )

    def end(self, outcomes: Mapping[str, str | None], step: Step, skipped: bool = False) -> None:  # noqa: FBT001, FBT002
        """Note that a step ended: None where it went well, else the reason of its failure."""
        now = _now()
        good = State.SKIPPED if skipped else State.OK
        with self._write():
            self._base.executemany(
                "insert into steps values (?, ?, ?, '', ?, ?, ?, ?) on conflict (host, step) do update set "
                "state = excluded.state, ended = excluded.ended, reason = excluded.reason, "
                "epoch = excluded.epoch",
                [
                    (host, step, good if reason is None else State.FAILED, now, now, reason or "", self.epoch)
                    for host, reason in outcomes.items()
                ],
            )

    def forget(self, hosts: Iterable[str]) -> None:
        """Let some machines begin anew."""
        with self._write():
            self._base.executemany("delete from steps where host = ?", [(host,) for host in hosts])

    def gate(self, wave: int, gate: str, held: bool, saw: str) -> None:  # noqa: FBT001
        """Note what a gate saw."""
        with self._write():
            self._base.execute("insert into gates values (?, ?, ?, ?, ?)", (wave, gate, held, saw, _now()))

    def note(self, kind: str, text: str) -> None:
        """Note an event."""
        with self._write():
            self._base.execute("insert into events values (?, ?, ?)", (_now(), kind, text))

    def states(self, hosts: Sequence[str] | None = None) -> dict[str, dict[Step, State]]:
        """State of every step that was begun, by machine."""
        found: dict[str, dict[Step, State]] = {}
        # A list as JSON: SQLite takes a limited number of parameters.
        where = "" if hosts is None else " where host in (select value from json_each(?))"
        query = f"select host, step, state from steps{where}"  # noqa: S608 (from here)
        for host, step, state in self._base.execute(
            query, () if hosts is None else (json.dumps(list(hosts)),)
        ):
            found.setdefault(host, {})[Step(step)] = State(state)
        return found

    def tried(self) -> int:
        """How many machines were begun."""
        (found,) = self._base.execute("select count(distinct host) from steps").fetchone()
        return int(found)

    def rows(
        self, host: str | None = None, state: State | None = None, hosts: Sequence[str] | None = None
    ) -> list[StepRow]:
        """Steps, in the order they began; of one machine, in one state, of some machines."""
        where = [
            ("host = ?", host),
            ("state = ?", state),
            ("host in (select value from json_each(?))", None if hosts is None else json.dumps(list(hosts))),
        ]
        given = [(text, value) for text, value in where if value is not None]
        text = " where " + " and ".join(text for text, _ in given) if given else ""
        columns = "host, step, state, content, started, ended, reason"
        query = f"select {columns} from steps{text} order by started, host"  # noqa: S608 (from here)
        return [
            StepRow(row[0], Step(row[1]), State(row[2]), *row[3:])
            for row in self._base.execute(query, [value for _, value in given])
        ]

    def absorb(self, rows: Iterable[StepRow]) -> None:
        """Take over steps as another ledger has them."""
        with self._write():
            self._base.executemany(
                "insert or replace into steps values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        row.host,
                        row.step,
                        row.state,
                        row.content,
                        row.started,
                        row.ended,
                        row.reason,
                        self.epoch,
                    )
                    for row in rows
                ],
            )

    def wave_of(self, host: str) -> int | None:
        """Number of a machine's wave."""
        row = self._base.execute("select wave from hosts where name = ?", (host,)).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[int, dict[str, int]]:
        """Machines of each wave by how they are: done, failed, running, pending."""
        query = """
            select wave, sum(bad), sum(done and not bad), sum(running and not bad and not done), count(*)
            from (
              select h.wave, max(coalesce(s.state = 'failed', 0)) bad,
                     max(coalesce(s.step = 'resume' and s.state in ('ok', 'skipped'), 0)) done,
                     max(s.state is not null) running
              from hosts h left join steps s on s.host = h.name group by h.name)
            group by wave order by wave"""
        return {
            wave: {"done": done, "failed": bad, "running": running, "pending": total - done - bad - running}
            for wave, bad, done, running, total in self._base.execute(query)
        }

    def gates(self, wave: int | None = None) -> list[tuple[int, str, bool, str, float]]:
        """Return the results of gates: wave, gate, whether it held, what it saw, when."""
        text = "" if wave is None else " where wave = ?"
        rows = self._base.execute(
            f"select wave, gate, held, saw, at from gates{text} order by at",  # noqa: S608 (from here)
            () if wave is None else (wave,),
        )
        return [(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows]

    def span(self) -> float:
        """Seconds from the first step's begin to the last one's end."""
        (found,) = self._base.execute("select max(ended) - min(started) from steps").fetchone()
        return float(found or 0.0)

    def last_end(self) -> float | None:
        """When the step that ended last did; None if none has."""
        (found,) = self._base.execute("select max(ended) from steps").fetchone()
        return None if found is None else float(found)

    def events(self) -> list[tuple[float, str, str]]:
        """Time, kind and text of each event."""
        return list(self._base.execute("select at, kind, text from events order by at"))


def set_aside(path: Path) -> Path:
    """Move a damaged ledger away, with what belongs to it; returns where it is."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    path.replace(aside)
    for tail in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + tail).replace(aside.with_name(aside.name + tail))
    return aside


def _now() -> float:
    return datetime.now(UTC).timestamp()
