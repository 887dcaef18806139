"""Losses: what a run would destroy for good, read from the engine's events before anything happens."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.engine.resource.urn import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.stacks.stack_runs import Shown

HOLDS = {
    "gigasite:standin:Machine": "all data on its disk",
    "gigasite:storage:Export": "all files in it",
    "gigasite:storage:Bucket": "all objects in it",
    "gigasite:storage:BucketUser": "its keys",
}
"""Types of resources that hold data which nothing can make again, and what that is."""
_ANEW = frozenset({"replace", "create-replacement", "delete-replaced"})


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """One thing that loses its data.

    Attributes:
        name: of the resource.
        what: what is lost.
        anew: it is made anew; if not, it is removed.
        because: properties that force it.
    """

    name: str
    what: str
    anew: bool
    because: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.anew:
            return f"{self.name} is removed, with {self.what}"
        why = f" ({', '.join(self.because)} changes)" if self.because else ""
        return f"{self.name} is made anew, and {self.what} is lost{why}"


class Watch:
    """Reads a run's event log.

    Args:
        log: where the run writes it; what is there already is not read.
    """

    def __init__(self, log: Path) -> None:
        self._log, self._from = log, log.stat().st_size if log.exists() else 0

    def losses(self) -> tuple[Loss, ...]:
        """List what the run destroys, in order."""
        found: dict[str, Loss] = {}
        for metadata in self._steps():
            what, step = HOLDS.get(str(metadata.get("type"))), metadata.get("op")
            if what is None or (step != "delete" and step not in _ANEW):
                continue
            name = name_of(str(metadata["urn"]))
            # One that is replaced because somebody asked has its id for a key.
            because = tuple(key for key in metadata.get("keys") or () if key != "id")
            known = found.get(name)
            if known is None or (because and not known.because):
                found[name] = Loss(name, what, anew=step in _ANEW, because=because)
        return tuple(found.values())

    def _steps(self) -> Iterator[dict[str, Any]]:
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._from)
            for line in file:
                event = json.loads(line).get("resourcePreEvent")
                if event:
                    yield event["metadata"]


@contextmanager
def watch_run(shown: Shown) -> Iterator[tuple[Shown, Watch]]:
    """Have a run write its event log, for now if none is named: how it is shown then, and what reads it."""
    with tempfile.TemporaryDirectory(prefix="gigasite-") as folder:
        log = shown.event_log or Path(folder) / "events"
        yield dataclasses.replace(shown, event_log=log), Watch(log)


def describe_losses(losses: tuple[Loss, ...]) -> list[str]:
    """Lines for a person: each loss, and what they come to."""
    if not losses:
        return []
    count = f"{len(losses)} resource{'s' * (len(losses) > 1)}"
    return [f"destroys data of {count}:", *(f"  {loss}" for loss in losses)]
