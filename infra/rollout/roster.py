"""Names and groups of all machines of a site: what patterns are worked out on, without any plan at hand.

A group is a failure domain or a kind of machine. Nothing here makes an object for a machine: a site has
140,000 of them. A roster is kept in the site's state, named by the hash of what it follows from, because
making it takes as long as Ansible takes to start.
"""

from __future__ import annotations

import gc
import hashlib
import marshal
import os
import re
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DOMAINS = ("rack", "su", "leaf_pair", "feed", "cdu", "nvlink", "pod", "hall", "building")
"""Kinds of groups that fail together, the smallest first."""

FORMAT = 1
"""Of the kept file; another number makes it anew."""


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
    def codes(self) -> array[int]:
        """Numbers by row."""
        return array("i", self.numbers)

    @cached_property
    def members(self) -> Sequence[Sequence[int]]:
        """Rows by label number, ascending."""
        found: list[list[int]] = [[] for _ in self.labels]
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


def roster_at(declaration: Path, pod: str | None = None) -> Roster:
    """The roster of a declaration, the kept one where nothing changed.

    Args:
        declaration: a site.yaml.
        pod: only the site level and this pod.

    Raises:
        UserError: the declaration or the pod is wrong.
    """
    key = _key(declaration, pod)
    folder = paths.ROOT / ".gigasite" / "rosters"
    kept = folder / f"{key}.roster"
    if kept.exists() and (found := _read(kept)):
        return found
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import, and the kept roster needs none of it)
    from infra.rollout.roster_table import roster_of  # noqa: PLC0415
    from infra.spec import load  # noqa: PLC0415

    made = roster_of(plan(load(declaration)), pod)
    paths.state()
    folder.mkdir(mode=0o700, exist_ok=True)
    draft = folder / f".{key}.{os.getpid()}"
    columns = {kind: (column.labels, column.numbers) for kind, column in made.columns.items()}
    draft.write_bytes(
        marshal.dumps((FORMAT, made.site, made.names, (made.pods.labels, made.pods.numbers), columns))
    )
    draft.replace(kept)
    for old in sorted(folder.glob("*.roster"), key=lambda path: path.stat().st_mtime)[:-20]:
        old.unlink(missing_ok=True)
    return made


def _read(kept: Path) -> Roster | None:
    """A kept roster; None if the file is damaged or of another format."""
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of strings, none of them garbage
    try:
        number, site, names, pods, columns = marshal.loads(kept.read_bytes())  # noqa: S302 (our own, mode 0700)
        if number != FORMAT:
            return None
        return Roster(site, names, Column(*pods), {kind: Column(*parts) for kind, parts in columns.items()})
    except (ValueError, TypeError, EOFError, OSError):
        return None
    finally:
        if collecting:
            gc.enable()


def _key(declaration: Path, pod: str | None) -> str:
    """Hash of what a roster follows from: the declaration's text and the state of catalog and code."""
    digest = hashlib.sha256(f"{FORMAT}\0{pod}\0".encode())
    digest.update(declaration.read_bytes())
    for path, size, changed in _sources(
        paths.ROOT / "infra" / "spec",
        paths.ROOT / "infra" / "plan",
        declaration.parent / "catalog",
        paths.ROOT / "infra" / "rollout" / "roster_table.py",
    ):
        digest.update(f"{path}\0{size}\0{changed}\0".encode())
    return digest.hexdigest()[:24]


def _sources(*places: Path) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of the last change of each file below these."""
    for place in places:
        if place.is_file():
            state = place.stat()
            yield str(place), state.st_size, state.st_mtime_ns
            continue
        for folder, inner, files in os.walk(place):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            for name in sorted(files):
                state = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 (200 files in few ms)
                yield f"{folder}/{name}", state.st_size, state.st_mtime_ns
