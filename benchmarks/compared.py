"""One line of a benchmark, as every benchmark that compares two sides prints it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of a benchmark: what ours and theirs took, and on what."""

    name: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    conditions: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def compare(name: str, ours: float, theirs: float | None, unit: str, conditions: str) -> Compared:
    """Return one line; the ratio is theirs to ours."""
    ratio = round(theirs / ours, 2) if theirs is not None and ours else None
    return Compared(
        name, round(ours, 3), None if theirs is None else round(theirs, 3), unit, ratio, conditions
    )


def show(lines: Iterable[Compared], *, as_json: bool) -> None:
    """Print lines as they come; as one list of JSON at the end."""
    found = []
    for line in lines:
        found.append(line.to_json())
        if not as_json:
            beside = f" against {line.theirs} {line.unit} = {line.ratio} ×" if line.theirs is not None else ""
            print(f"{line.name}: {line.ours} {line.unit}{beside}\n  {line.conditions}", flush=True)
    if as_json:
        print(json.dumps(found, indent=1))
