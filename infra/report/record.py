"""Record of one run of `gigasite up`: written after every step, read by the report and the next run."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from infra import paths
from infra.files import write_whole
from infra.state_files import read_model

if TYPE_CHECKING:
    from pathlib import Path


class Outcome(StrEnum):
    """How a step ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRecord(_Record):
    """One step of the pipeline.

    Attributes:
        name: `declare`, `image`, …
        outcome: how it ended.
        started: UTC.
        seconds: wall-clock time.
        summary: one line: what it did.
        changes: things it changed on the site; 0 means it found all as declared; None if that is not its job.
        parts: (name, seconds) of its own longer parts, in order.
    """

    name: str
    outcome: Outcome
    started: datetime
    seconds: float = 0.0
    summary: str = ""
    changes: int | None = None
    parts: tuple[tuple[str, float], ...] = ()


class StackRecord(_Record):
    """Result of one stack: step counts by operation (`create`, `same`, …), and its resources."""

    stack: str
    counts: dict[str, int]
    seconds: float


class ConfiguredRecord(_Record):
    """Result of Ansible on one machine: task counts."""

    machine: str
    ok: int
    changed: int
    failed: int
    skipped: int


class Host(_Record):
    """The machine that ran it."""

    system: str
    cores: int
    memory_gib: float
    python: str


class RunRecord(_Record):
    """One run.

    Attributes:
        site: the site's name.
        command: the command line.
        started: UTC.
        version: of gigasite, and the git commit when there is one.
        engine: which engine ran the program, in words.
        acceleration: `kvm` or `tcg`, with the reason; empty on real hardware.
        start_mode: how the stand-ins came up, in words; empty on real hardware.
        simulated: the devices were simulated: no machine was made.
        host: the machine that ran it.
        steps: in order.
        stacks: what the engine did.
        configured: what Ansible did.
    """

    site: str
    command: tuple[str, ...]
    started: datetime
    version: str
    engine: str = ""
    acceleration: str = ""
    start_mode: str = ""
    simulated: bool = False
    host: Host
    steps: tuple[StepRecord, ...] = ()
    stacks: tuple[StackRecord, ...] = ()
    configured: tuple[ConfiguredRecord, ...] = ()

    @property
    def seconds(self) -> float:
        """Time of this run's steps together; those of an earlier run, which it goes on from, do not count."""
        return sum(step.seconds for step in self.steps if step.started >= self.started)

    @property
    def outcome(self) -> Outcome:
        """The first outcome that is neither done nor skipped, or done."""
        bad = (s.outcome for s in self.steps if s.outcome not in {Outcome.DONE, Outcome.SKIPPED})
        return next(bad, Outcome.DONE)

    def step(self, name: str) -> StepRecord | None:
        """The step of that name, if the run got to it."""
        return next((step for step in self.steps if step.name == name), None)


def path(site: str) -> Path:
    """Where a site's latest record lies."""
    return paths.out(site) / "run.json"


def save(record: RunRecord) -> None:
    """Write the record whole or not at all: a kill in between leaves the one before."""
    write_whole(path(record.site), record.model_dump_json(indent=2) + "\n", mode=0o644)


def load(site: str) -> RunRecord | None:
    """The site's latest record, or None if it has none.

    Raises:
        UserError: the file is there but is not a record of this version.
    """
    file = path(site)
    hint = f"run `gigasite up {site}` again, which writes a new one"
    return read_model(RunRecord, file, "run record", hint)


def remember(record: RunRecord) -> None:
    """Add a finished run to the site's history, one line each, so that a report can compare times."""
    line = {
        "started": record.started.isoformat(),
        "seconds": round(record.seconds, 1),
        "outcome": record.outcome,
        "engine": record.engine,
        "acceleration": record.acceleration,
        "steps": {step.name: round(step.seconds, 1) for step in record.steps},
    }
    with (paths.out(record.site) / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
