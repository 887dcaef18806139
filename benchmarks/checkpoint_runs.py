"""What refreshing the checkpoint costs, both sides in turns; and how far it lags behind what was done."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.boxes.boxes import Boxes
from benchmarks.compared import Compared, compare
from infra.engine.backend.refresher import AT_LEAST, SHARE
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESOURCES: Final = 480
"""Resources of the run that is looked at."""
PARALLEL: Final = 8
"""Of them at once on two cores: 4 per core, as the CLI."""
LOOK: Final = 0.25
"""Seconds between two looks at checkpoint and effects."""


def measure(counts: Sequence[int], rounds: int, seconds: int) -> Iterator[Compared]:
    """Measure all of it.

    Args:
        counts: numbers of resources.
        rounds: runs of each side.
        seconds: about how long the run takes that is looked at; 0 for none.

    Raises:
        EngineError: a run failed.
    """
    for count in counts:
        took: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(rounds):
            for refresh, found in took.items():
                found.append(_time_up(count, refresh=refresh))
        ours, theirs = statistics.median(took[True]), statistics.median(took[False])
        about = f"engine and program in one process, medians of {rounds} runs in turns; against no refreshes"
        yield compare(f"up of {count:,} resources, checkpoint refreshed", ours, theirs, "s", about)
    if seconds:
        yield from _look(seconds)


def _time_up(count: int, *, refresh: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="checkpoint-bench-") as folder:
        boxes = Boxes(Path(folder))
        process = boxes.start(in_process=True, refresh=refresh, COUNT=count, LOG="")
        before = time.monotonic()
        said, _ = process.communicate()
        if process.returncode:
            raise EngineError(f"the benchmark's up failed:\n{said[-2000:]}")
        return time.monotonic() - before


def _look(seconds: int) -> Iterator[Compared]:
    """Look again and again at what a run has done, and at what its checkpoint has of it."""
    delay = seconds * PARALLEL / RESOURCES
    behind: list[int] = []
    ages: list[float] = []
    seen: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="checkpoint-bench-") as folder:
        boxes = Boxes(Path(folder))
        process = boxes.start(COUNT=RESOURCES, DELAY=delay)  # in one process they would wait one by one
        began = time.monotonic()
        while process.poll() is None:
            has = set(boxes.items())  # first, so that what ends between the two looks counts as lost
            done = {urn for _, urn in boxes.effects()}
            now = time.monotonic()
            seen |= dict.fromkeys(done - seen.keys(), now)
            if done:
                behind.append(len(done - has))
                ages.append(max((now - seen[urn] for urn in done - has), default=0.0))
            time.sleep(LOOK)
        took = time.monotonic() - began
        said, _ = process.communicate()
        if process.returncode:
            raise EngineError(f"the benchmark's up failed:\n{said[-2000:]}")
    about = (
        f"a run of {took:.0f} s, {RESOURCES} resources of {delay:.2f} s each, {len(behind)} looks; at least "
        f"{AT_LEAST} s and {SHARE} times the last refresh between refreshes; without them all is lost"
    )
    yield compare("finished resources not in the checkpoint, mean", statistics.mean(behind), None, "", about)
    yield compare("finished resources not in the checkpoint, most", max(behind), None, "", about)
    yield compare("the oldest of them, most", max(ages), None, "s", about)
