"""Rosters that are kept in the site's state, named by the hash of what they follow from."""

from __future__ import annotations

import gc
import hashlib
import marshal
import os
from typing import TYPE_CHECKING

from infra import paths
from infra.files import write_whole
from infra.rollout.inventory.roster import Column, Roster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
"""Of the kept file; another number makes it anew."""


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
    from infra.rollout.inventory.roster_table import roster_of  # noqa: PLC0415
    from infra.spec import load  # noqa: PLC0415

    made = roster_of(plan(load(declaration)), pod)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    columns = {kind: (column.labels, column.numbers) for kind, column in made.columns.items()}
    content = (FORMAT, made.site, made.names, (made.pods.labels, made.pods.numbers), columns)
    write_whole(kept, marshal.dumps(content))
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
        paths.ROOT / "infra" / "roles",
        paths.ROOT / "playbooks",
        declaration.parent / "playbooks",
        declaration.parent / "catalog",
        declaration.parent / "roles",
        paths.ROOT / "infra" / "rollout" / "inventory" / "roster_table.py",
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
