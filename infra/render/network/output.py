"""Rendered configurations as folders, and what changes between two of them, grouped."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.render.network.dhcp import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from infra.render.network.printing import Files


@dataclass(frozen=True, slots=True)
class Group:
    """Switches that change in the same way.

    Attributes:
        change: `changed`, `added` or `removed`.
        lines: of the diff, its own name in it written as `SWITCH`; empty for added and removed ones.
        switches: names.
    """

    change: str
    lines: tuple[str, ...]
    switches: tuple[str, ...]


def write(rendered: Iterable[tuple[str, Files]], folder: Path) -> tuple[int, int]:
    """Write `FOLDER/SWITCH/FILE`.

    Returns:
        switches and bytes written.
    """
    switches = size = 0
    for name, files in rendered:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            data = text.encode()
            (place / file).write_bytes(data)
            size += len(data)
        switches += 1
    return switches, size


def read(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Files]]:
    """Configurations of these switches that a folder has."""
    for name in names:
        place = folder / name
        if place.is_dir():
            yield name, {file.name: file.read_text(encoding="utf-8") for file in sorted(place.iterdir())}


def differences(before: Path, after: Iterable[tuple[str, Files]], *, gone: bool = True) -> tuple[Group, ...]:
    """Groups of switches with equal changes, the largest first.

    Args:
        before: folder that `write` made.
        after: what is rendered now.
        gone: tell switches of the folder that are not rendered any more.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    seen = set()
    for name, files in after:
        seen.add(name)
        place = before / name
        if not place.is_dir():
            groups["added", ()].append(name)
            continue
        lines = tuple(_lines(name, place, files))
        if lines:
            groups["changed", lines].append(name)
    if gone and before.is_dir():
        lost = sorted(place.name for place in before.iterdir() if place.is_dir() and place.name not in seen)
        if lost:
            groups["removed", ()] = lost
    found = [Group(change, lines, tuple(names)) for (change, lines), names in groups.items()]
    return tuple(sorted(found, key=lambda group: (-len(group.switches), group.switches)))


def _lines(name: str, place: Path, files: Files) -> Iterator[str]:
    olds = {file.name: file for file in place.iterdir()}
    for file in sorted({*files, *olds}):
        new = files.get(file, "")
        old = olds[file].read_text(encoding="utf-8") if file in olds else ""
        if new == old:
            continue
        yield f"--- {file}"
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1):
            if not line.startswith(("---", "+++", "@@")):
                yield line if name == FOLDER else line.replace(name, "SWITCH")
