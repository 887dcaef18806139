"""Cables as they are seen against cables as they are planned: right, missing, wrong, swapped, too slow."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from infra.errors import Problem, Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan import Plan


class End(NamedTuple):
    """One end of a cable: a device and its port."""

    device: str
    port: str

    def __str__(self) -> str:
        return f"{self.device} {self.port}"


class Seen(NamedTuple):
    """A cable that was seen at one end.

    Speed in Gbit/s and the own end's MTU in bytes where they are known; line of its source.
    """

    own: End
    other: End
    gbit: float | None = None
    line: int = 0
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Fault of one cable, or of two that are swapped.

    Attributes:
        kind: `missing`, `wrong-port`, `wrong-device`, `swapped`, `unplanned`, `speed` or `mtu`.
        message: with both ends.
        links: planned cables that it concerns.
    """

    kind: str
    message: str
    links: int


@dataclass(frozen=True, slots=True)
class Cabling:
    """Outcome of a comparison.

    Attributes:
        planned: cables that were looked for.
        right: those that were found as planned.
        faults: all others, in the plan's order.
    """

    planned: int
    right: int
    faults: tuple[Fault, ...] = field(default=())

    def count(self, *kinds: str) -> int:
        """Planned cables with faults of these kinds."""
        return sum(fault.links for fault in self.faults if fault.kind in kinds)

    @property
    def missing(self) -> int:
        """Planned cables that neither end sees."""
        return self.count("missing")

    @property
    def wrong(self) -> int:
        """Planned cables that go elsewhere, and cables that nobody planned."""
        return self.count("wrong-port", "wrong-device", "swapped") + sum(
            fault.kind == "unplanned" for fault in self.faults
        )

    def text(self) -> str:
        """Print for a person: how many are right, then each fault."""
        lines = [f"  {fault.kind}: {fault.message}" for fault in self.faults]
        return "\n".join([f"{self.right:,} of {self.planned:,} cables as planned", *lines])


def plan_cables(plan: Plan) -> Iterator[tuple[End, End, float]]:
    """Cables of a scope with their speed in Gbit/s."""
    columns = ("a", "a_port", "z", "z_port", "gbit")
    for a, a_port, z, z_port, gbit in plan.links.select(columns).iter_rows():
        yield End(a, a_port), End(z, z_port), gbit


def compare(planned: Iterable[tuple[End, End, float | None]], seen: Iterable[Seen]) -> Cabling:
    """Compare cables.

    Args:
        planned: both ends and Gbit/s of each; without a speed, any is right.
        seen: what devices see, from one end or from both; what is seen only from one end counts for both.
    """
    cables = list(planned)
    there: dict[End, End] = {}
    speeds: dict[End, float | None] = {}
    entries = list(seen)
    for entry in entries:
        there[entry.own] = entry.other
        there.setdefault(entry.other, entry.own)
        speeds[entry.own] = entry.gbit
        speeds.setdefault(entry.other, entry.gbit)
    mtus = {entry.own: entry.mtu for entry in entries if entry.mtu is not None}
    wanted = {end: other for a, z, _ in cables for end, other in ((a, z), (z, a))}
    faults: list[Fault] = []
    told: set[End] = set()
    right = 0
    for a, z, gbit in cables:
        if there.get(a) == z:
            slow = next((speeds[end] for end in (a, z) if speeds.get(end) not in {None, gbit}), None)
            if a in mtus and mtus.get(z, mtus[a]) != mtus[a]:
                text = f"{a} – {z} has an MTU of {mtus[a]} bytes at {a.device} and {mtus[z]} at {z.device}"
                faults.append(Fault("mtu", text, 1))
            elif gbit is None or slow is None:
                right += 1
            else:
                faults.append(Fault("speed", f"{a} – {z} runs at {slow:g} Gbit/s, planned {gbit:g}", 1))
        elif a not in there and z not in there:
            faults.append(Fault("missing", f"{a} – {z} is missing", 1))
        elif a not in told and z not in told:
            fault = _wrong(a, z, there, wanted, told)
            faults.append(fault)
    for own, other in there.items():
        if own not in wanted and other not in wanted and own < other:
            faults.append(Fault("unplanned", f"{own} – {other} is not planned", 0))
    # A swap tells of two cables; each other of a told pair is told with it.
    return Cabling(len(cables), right, tuple(faults))


def _wrong(a: End, z: End, there: dict[End, End], wanted: dict[End, End], told: set[End]) -> Fault:
    found, back = there.get(a), there.get(z)
    if found is not None and wanted.get(found) is not None:
        twin = wanted[found]  # what should be where this cable went
        if there.get(twin) == z:
            told.update((a, z, twin, found))
            text = f"{a} – {z} and {twin} – {found} are swapped: {a} is in {found}, {twin} in {z}"
            return Fault("swapped", text, 2)
    told.update((a, z))
    if found is not None:
        kind = "wrong-port" if found.device == z.device else "wrong-device"
        return Fault(kind, f"{a} is in {found}, planned in {z}", 1)
    assert back is not None
    kind = "wrong-port" if back.device == a.device else "wrong-device"
    return Fault(kind, f"{z} has {back} in it, planned {a}", 1)


HEADER = ("device", "port", "neighbor", "neighbor_port")


def read_table(text: str, name: str) -> list[Seen]:
    """Neighbours as a table: `device,port,neighbor,neighbor_port[,gbit]`, one a line, with that header.

    Raises:
        Problems: with all lines that are wrong; `name` stands for the file.
    """
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0][:4]) != HEADER:
        hint = f"the first line is {','.join(HEADER)} or {','.join(HEADER)},gbit"
        raise Problems([Problem(name, 1, "$", "is not a table of neighbours", hint)])
    problems: list[Problem] = []
    result: list[Seen] = []
    counts = Counter((row[0], row[1]) for row in rows[1:] if len(row) >= 4)
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) not in {4, 5} or not all(row[:4]):
            problems.append(Problem(name, number, "$", f"has {len(row)} fields", "four or five, none empty"))
            continue
        if counts[row[0], row[1]] > 1:
            hint = "a port has one neighbour"
            problems.append(Problem(name, number, "$", f"{row[0]} {row[1]} is there more than once", hint))
            continue
        try:
            gbit = float(row[4]) if len(row) == 5 and row[4] else None
        except ValueError:
            hint = "write Gbit/s as a number"
            problems.append(Problem(name, number, "$.gbit", f"{row[4]!r} is no speed", hint))
            continue
        result.append(Seen(End(row[0], row[1]), End(row[2], row[3]), gbit, number))
    if problems:
        raise Problems(problems)
    return result
