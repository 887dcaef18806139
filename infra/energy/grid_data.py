"""The newest grid data of a site: files that somebody's scheduled download leaves in one folder.

Nothing here goes to the network. A folder (`.gigasite/SITE/grid` by convention) holds `ecowatt*.json` and
`eco2mix*.csv`, `.xls` or `.zip`; whatever fetches them writes them there. A file that cannot be read is no
data: the gates that need it say so, and do what was declared for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.energy import eco2mix, ecowatt
from infra.energy.guard import Gate, GridGuard, gates
from infra.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from infra.energy.eco2mix import Eco2mix
    from infra.energy.ecowatt import EcoWatt


@dataclass(frozen=True)
class GridData:
    """Content of a folder of grid data.

    Attributes:
        ecowatt: signals of all its files, None if there is none that can be read.
        eco2mix: steps of all its files merged, None if there is none that can be read.
        problems: files that could not be read, and why.
    """

    ecowatt: EcoWatt | None
    eco2mix: Eco2mix | None
    problems: tuple[str, ...]


def read_grid_data(folder: Path) -> GridData:
    """Read a folder's files; a folder that is not there holds nothing."""
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    signals: list[EcoWatt] = []
    mixes: list[Eco2mix] = []
    problems = []
    for path in files:
        name = path.name.lower()
        try:
            if name.startswith("ecowatt") and name.endswith(".json"):
                signals.append(ecowatt.load(path))
            elif name.startswith("eco2mix") and name.endswith((".csv", ".xls", ".zip", ".txt", ".tsv")):
                mixes.append(eco2mix.load(path))
        except UserError as error:
            problems.append(str(error))
    return GridData(
        ecowatt.merge(tuple(signals)) if signals else None,
        eco2mix.merge(tuple(mixes)) if mixes else None,
        tuple(problems),
    )


def gates_now(guard: GridGuard | None, folder: Path, now: datetime) -> tuple[Gate, ...]:
    """Return the gates of a guard by a folder's files; a rollout asks for them before it powers a rack.

    Args:
        guard: of the site; None has no gates.
        folder: of the newest files.
        now: with a time zone.
    """
    if guard is None:
        return ()
    found = read_grid_data(folder)
    return gates(guard, now, found.ecowatt, found.eco2mix)
