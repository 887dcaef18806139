"""Simulated machines that remember and count what is done to them, in a database that outlives a controller.

They stand in for a fleet: they have latency, some fail, and each count is raised in the same transaction as
its effect, so that a machine that was given something twice shows it.
"""

from __future__ import annotations

import random
import sqlite3
import time
from typing import TYPE_CHECKING

from infra.rollout.nodes import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.rollout.nodes import Outcome

SCHEMA = """
create table if not exists machines (
    name text primary key, applied text not null default '', boot integer not null default 1,
    applies integer not null default 0, reboots integer not null default 0, drains integer not null default 0,
    needs integer not null default 0, out text not null default '', breaks text not null default '')
    without rowid;
"""
CHUNK = 200
"""Machines whose outcomes are written together: what is killed in between is in doubt."""


class SimulatedFleet:
    """Nodes and Service at once.

    Args:
        path: database of the machines.
        latency: seconds that one machine takes for a step.
        at_once: machines that are worked on at the same time.
        failing: share of the machines that fail to apply, drawn by `seed` and name.
        seed: of the draw.
        reboots: whether what is applied needs a reboot.
    """

    def __init__(
        self,
        path: Path,
        *,
        latency: float = 0.0,
        at_once: int = 50,
        failing: float = 0.0,
        seed: int = 0,
        reboots: bool = False,
    ) -> None:
        self.latency, self.at_once, self.failing, self.seed, self.reboots = (
            latency,
            at_once,
            failing,
            seed,
            reboots,
        )
        self._base = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        self._base.execute("pragma journal_mode = wal")
        self._base.executescript(SCHEMA)

    def add(self, names: Iterable[str]) -> None:
        """Have machines; those that are there stay as they are."""
        self._base.execute("begin immediate")
        self._base.executemany(
            "insert or ignore into machines (name) values (?)", ((name,) for name in names)
        )
        self._base.execute("commit")

    def break_(self, name: str, step: str) -> None:
        """Let a machine fail at a step: `drain`, `apply`, `reboot`, `prove` or `known`; nothing mends it."""
        self._base.execute("update machines set breaks = ? where name = ?", (step, name))

    def rows(self) -> dict[str, dict[str, object]]:
        """Everything, by machine."""
        cursor = self._base.execute("select * from machines")
        columns = [column[0] for column in cursor.description]
        return {row[0]: dict(zip(columns, row, strict=True)) for row in cursor}

    def known(self, hosts: Sequence[str]) -> Mapping[str, Known]:
        """See `Nodes`."""
        found = {}
        for chunk in _chunks(hosts):
            for name, applied, boot, needs, breaks in self._read("name, applied, boot, needs, breaks", chunk):
                if breaks != "known":
                    found[name] = Known(applied, str(boot), bool(needs))
        return found

    def apply(self, content: Mapping[str, str]) -> Iterator[Outcome]:
        """See `Nodes`."""
        change = "applied = ?, applies = applies + 1" + (", needs = 1" if self.reboots else "")
        for chunk in _chunks(list(content)):
            self._work(len(chunk))
            bad = self._broken(chunk, "apply")
            bad |= {name for name in chunk if self._draw(name) < self.failing}
            good = [name for name in chunk if name not in bad]
            self._write(
                f"update machines set {change} where name = ?",  # noqa: S608 (from here)
                [(content[name], name) for name in good],
            )
            self._work(len(chunk))
            yield from ((name, "simulated failure" if name in bad else None) for name in chunk)

    def reboot(self, hosts: Sequence[str]) -> Iterator[Outcome]:
        """See `Nodes`."""
        yield from self._step(hosts, "reboot", "boot = boot + 1, reboots = reboots + 1, needs = 0")

    def prove(
        self, hosts: Sequence[str], command: str, limit: float
    ) -> Iterator[tuple[str, str | None, str]]:
        """See `Nodes`."""
        del command, limit
        for name, reason in self._step(hosts, "prove", ""):
            yield name, reason, "simulated"

    def drain(self, hosts: Sequence[str], reason: str, limit: float, jobs: str) -> Iterator[Outcome]:
        """See `Service`."""
        del limit, jobs
        safe = reason.replace("'", "")
        yield from self._step(hosts, "drain", f"drains = drains + (out = ''), out = '{safe}'")

    def hold(self, reasons: Mapping[str, str]) -> None:
        """See `Service`."""
        self._write(
            "update machines set out = ? where name = ?", [(text, name) for name, text in reasons.items()]
        )

    def resume(self, hosts: Iterable[str]) -> Iterator[Outcome]:
        """See `Service`."""
        yield from self._step(list(hosts), "resume", "out = ''")

    def out(self) -> Mapping[str, str]:
        """See `Service`."""
        return dict(self._base.execute("select name, out from machines where out != ''"))

    def _step(self, hosts: Sequence[str], step: str, change: str) -> Iterator[Outcome]:
        for chunk in _chunks(hosts):
            self._work(len(chunk))
            bad = self._broken(chunk, step)
            if change:
                good = [(name,) for name in chunk if name not in bad]
                self._write(f"update machines set {change} where name = ?", good)  # noqa: S608 (from here)
            self._work(len(chunk))
            yield from ((name, f"simulated failure at {step}" if name in bad else None) for name in chunk)

    def _broken(self, hosts: Sequence[str], step: str) -> set[str]:
        return {name for name, breaks in self._read("name, breaks", hosts) if breaks == step}

    def _draw(self, name: str) -> float:
        return random.Random(f"{self.seed} {name}").random()  # noqa: S311 (the same for each run, not a secret)

    def _work(self, machines: int) -> None:
        """Pass half of the time: a step's effect is in its middle, its answer at its end."""
        if self.latency:
            time.sleep(self.latency / 2 * -(-machines // self.at_once))

    def _read(self, columns: str, hosts: Sequence[str]) -> list[tuple[str, ...]]:
        marks = ",".join("?" * len(hosts))
        query = f"select {columns} from machines where name in ({marks})"  # noqa: S608 (columns from here)
        return list(self._base.execute(query, list(hosts)))

    def _write(self, query: str, rows: Sequence[tuple[str, ...]]) -> None:
        self._base.execute("begin immediate")
        self._base.executemany(query, rows)
        self._base.execute("commit")


def _chunks(hosts: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(hosts), CHUNK):
        yield list(hosts[first : first + CHUNK])
