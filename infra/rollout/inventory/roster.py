"""Names and groups of all machines of a site: what patterns are worked out on, without any plan at hand.

A group is a failure domain or a kind of machine. Nothing here makes an object for a machine: a site has
140,000 of them. A roster is kept in the site's state, named by the hash of what it follows from, because
making it takes as long as Ansible takes to start.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOMAINS = ("rack", "su", "leaf_pair", "feed", "cdu", "nvlink", "pod", "hall", "building")
"""Kinds of groups that fail together, the smallest first."""


@dataclass(frozen=True)
class Column:
    """One kind of group by row.

    Attributes:
        labels: names of the groups.
        numbers: for each row the number of its label as int32 in the machine's order, -1 for none.
    """

    labels: tuple[str, ...]
    numbers: bytes

    @cached_property
    def codes(self) -> Sequence[int]:
        """Numbers by row."""
        return memoryview(self.numbers).cast("i")

    @cached_property
    def members(self) -> Sequence[Sequence[int]]:
        """Rows by label number, ascending."""
        found = [array("i") for _ in self.labels]  # of lists of numbers a big site's take 140 MB
        for row, number in enumerate(self.codes):
            if number >= 0:
                found[number].append(row)
        return found

    def __getitem__(self, row: int) -> str | None:
        number = self.codes[row]
        return self.labels[number] if number >= 0 else None


@dataclass(frozen=True)
class Roster:
    """Machines of a plan's scope: servers and switches of the site, then pod by pod switches and trays.

    Attributes:
        site: name of the site.
        names: by row.
        pods: name of the pod by row, None at site level.
        columns: kind of group → name of the group by row.
    """

    site: str
    names: tuple[str, ...]
    pods: Column
    columns: Mapping[str, Column]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row by name."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def groups(self) -> dict[str, tuple[str, int]]:
        """Group → its kind and number."""
        return {
            label: (kind, number)
            for kind, column in self.columns.items()
            for number, label in enumerate(column.labels)
        }

    def members(self, group: str) -> Sequence[int]:
        """Rows of a group, ascending.

        Raises:
            KeyError: there is no such group.
        """
        kind, number = self.groups[group]
        return self.columns[kind].members[number]

    def groups_of(self, row: int) -> tuple[str, ...]:
        """Names of the groups that a machine is in."""
        return tuple(name for column in self.columns.values() if (name := column[row]))

    def domains_of(self, row: int) -> tuple[str, ...]:
        """Names of its failure domains, the smallest first."""
        return tuple(name for kind in DOMAINS if kind in self.columns and (name := self.columns[kind][row]))


def safe(name: str) -> str:
    """A name with underscores for what Ansible does not take in a group's name."""
    return re.sub(r"[^0-9A-Za-z_]", "_", name)


def group_name(kind: str, name: str) -> str:
    """A valid Ansible group name: `pod`, `pod-01` → `pod_pod_01`."""
    return f"{kind}_{safe(name)}"
