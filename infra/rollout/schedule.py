"""Which machines change when: canaries, waves, and batches within the budgets of failure domains."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Role
from infra.rollout.inventory.roster import DOMAINS
from infra.rollout.policy import amount_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from infra.rollout.inventory.roster import Roster
    from infra.rollout.policy import Policy, Waves

REDUNDANT = (f"role_{Role.SWITCH}", f"role_{Role.MANAGEMENT}", f"role_{Role.STORAGE}")
"""Machines of these roles stand in for one another within their scalable unit, pod or site: one at a time."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Machines that change before the gates are asked again.

    Attributes:
        number: from 1.
        canary: whether it is the canaries'.
        rows: of the roster.
    """

    number: int
    canary: bool
    rows: tuple[int, ...]


def waves_of(roster: Roster, rows: Sequence[int], policy: Policy) -> tuple[Wave, ...]:
    """All chosen machines in waves, canaries first; none is left out and none is in two."""
    if not rows:
        return ()
    canaries = _canaries(roster, rows, policy.canaries)
    found = [Wave(1, canary=True, rows=tuple(canaries))] if canaries else []
    chosen = set(canaries)
    rest = [row for row in _spread(roster, rows) if row not in chosen]
    sizes = _sizes(policy.waves)
    while rest:
        size = next(sizes)
        found.append(Wave(len(found) + 1, canary=False, rows=tuple(rest[:size])))
        rest = rest[size:]
    return tuple(found)


def _canaries(roster: Roster, rows: Sequence[int], most: int) -> list[int]:
    """Up to `most` machines, no two in one failure domain, of as many roles and platforms as there are.

    A domain that all of the chosen machines share (their pod, when one pod changes) is touched by the first
    canary, so a second one may be in it: what is kept apart is what can be.
    """
    shared = _shared_domains(roster, rows)
    taken: set[str] = set()
    kinds: set[str | None] = set()
    found: list[int] = []
    if not most or len(rows) < 2:
        return found
    for fresh_kind in (True, False):
        for row in rows:
            if len(found) >= min(most, len(rows) - 1):
                return found
            domains = set(roster.domains_of(row)) - shared
            kind = roster.columns["platform"][row]
            if row in found or domains & taken or (fresh_kind and kind in kinds):
                continue
            found.append(row)
            taken |= domains
            kinds.add(kind)
    return found


def _shared_domains(roster: Roster, rows: Sequence[int]) -> set[str]:
    """Failure domains that every one of these machines is in."""
    found = set(roster.domains_of(rows[0]))
    for row in rows:
        if not found:
            break
        found &= set(roster.domains_of(row))
    return found


def _spread(roster: Roster, rows: Sequence[int]) -> list[int]:
    """Rows in turns over the racks, so that a wave takes few machines of each."""
    racks = roster.columns.get("rack")
    seen: Counter[str | None] = Counter()
    keyed = []
    for row in rows:
        rack = racks[row] if racks else None
        keyed.append((seen[rack], row))
        seen[rack] += 1
    return [row for _, row in sorted(keyed)]


def _sizes(waves: Waves) -> Iterator[int]:
    """Sizes of the waves, for ever."""
    size, number = waves.size, 1
    while True:
        yield min(size, waves.most)
        number += 1
        grown = {"fixed": waves.size, "linear": waves.size * number, "exponential": size * waves.factor}
        size = min(grown[waves.shape], waves.most)


class Budgets:
    """How many machines of each failure domain may be out of service at once.

    Args:
        roster: names and groups.
        policy: the limits.
        out: rows of machines that are out of service already, whoever took them out.
    """

    def __init__(self, roster: Roster, policy: Policy, out: Iterable[int] = ()) -> None:
        self.roster, self.limits = roster, policy.budget
        self.base: Counter[str] = Counter()
        self._most: dict[str, int] = {}
        self._count(self.base, out)

    def batches(self, rows: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Split rows into batches, each within all budgets; a machine that never fits comes alone, last."""
        left = list(rows)
        keys_of = {row: dict(self._keys(row)) for row in left}
        while left:
            used = dict(self.base)
            batch, rest = [], []
            for row in left:
                keys = keys_of[row]
                if all(used.get(key, 0) < most for key, most in keys.items()):
                    batch.append(row)
                    for key in keys:
                        used[key] = used.get(key, 0) + 1
                else:
                    rest.append(row)
            if not batch:  # what others took out uses up the budget: one at a time is the least there is
                batch, rest = [left[0]], left[1:]
            yield tuple(batch)
            left = rest

    def limits_of(self, row: int) -> Mapping[str, int]:
        """Most machines at once in each domain of a machine."""
        return dict(self._keys(row))

    def _count(self, counter: Counter[str], rows: Iterable[int]) -> None:
        for row in rows:
            counter.update(key for key, _ in self._keys(row))

    def _keys(self, row: int) -> Iterator[tuple[str, int]]:
        """Each budgeted domain of a machine, with the most machines of it at once."""
        columns = self.roster.columns
        for budget in self.limits:
            column = columns.get(budget.domain)
            name = column[row] if column else None
            if name is not None and budget.domain in DOMAINS:
                if name not in self._most:
                    self._most[name] = amount_of(budget.most, len(self.roster.members(name)))
                yield name, self._most[name]
        role = columns["role"][row]
        if role in REDUNDANT:
            place = next(
                (name for kind in ("su", "pod") if kind in columns and (name := columns[kind][row])), ""
            )
            yield f"{role} {place}", 1
