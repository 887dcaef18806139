"""How fast the engine is: up and no-op of N resources, with the Pulumi CLI beside it where it is on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.boxes.boxes import HERE, Boxes
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

START_UP: Final = 3
"""Resources of the run that shows what starting costs."""


class Mode(StrEnum):
    """What runs the benchmark's program."""

    IN_PROCESS = "engine, in one process"
    PROCESSES = "engine, program and provider as processes"
    CLI = "pulumi, stock file backend"
    CLI_SKIP = "pulumi, PULUMI_SKIP_CHECKPOINTS"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run.

    Attributes:
        mode: what ran it.
        operation: `up` of nothing, or `no-op`.
        resources: how many custom resources.
        wall_s: seconds on the clock.
        cpu_s: processor seconds of all its processes.
        peak_mib: the most memory that one of its processes held, in MiB.
    """

    mode: Mode
    operation: str
    resources: int
    wall_s: float
    cpu_s: float
    peak_mib: float

    @property
    def cpu_ms_each(self) -> float:
        """Processor milliseconds for each resource."""
        return 1000 * self.cpu_s / self.resources

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"cpu_ms_each": round(self.cpu_ms_each, 3)}


def modes() -> tuple[Mode, ...]:
    """What can be measured here."""
    return tuple(Mode) if shutil.which("pulumi") else (Mode.IN_PROCESS, Mode.PROCESSES)


def measure(counts: Sequence[int], which: Sequence[Mode], told: Callable[[Measured], None]) -> list[Measured]:
    """Run all of it, one after another.

    Args:
        counts: numbers of resources.
        which: what runs it.
        told: hears of each run when it is done.

    Raises:
        EngineError: a run failed.
    """
    found = []
    for mode in which:
        for count in (START_UP, *counts):
            for one in _measure(mode, count):
                told(one)
                found.append(one)
    return found


def _measure(mode: Mode, count: int) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as folder:
        boxes = Boxes(Path(folder))
        for operation in ("up", "no-op"):
            process = _start(mode, boxes, count)
            before = time.monotonic()
            said = process.stdout.read() if process.stdout else ""
            _, status, usage = os.wait4(process.pid, 0)
            if os.waitstatus_to_exitcode(status):
                raise EngineError(f"the benchmark's {operation} failed:\n{said[-2000:]}")
            yield Measured(
                mode,
                operation,
                count,
                round(time.monotonic() - before, 3),
                round(usage.ru_utime + usage.ru_stime, 3),
                round(usage.ru_maxrss / 1024, 1),
            )


def _start(mode: Mode, boxes: Boxes, count: int) -> subprocess.Popen[str]:
    if mode in (Mode.IN_PROCESS, Mode.PROCESSES):
        return boxes.start(in_process=mode is Mode.IN_PROCESS, COUNT=count, LOG="")
    _let_cli_run(boxes)
    environment = boxes.environment({"COUNT": count})
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    if mode is Mode.CLI_SKIP:
        environment |= {"PULUMI_EXPERIMENTAL": "1", "PULUMI_SKIP_CHECKPOINTS": "1"}
    return subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "-s", "dev"],
        cwd=boxes.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _let_cli_run(boxes: Boxes) -> None:
    """Name the provider by an executable: the CLI would look for an environment in its sources."""
    plugin = boxes.folder / "plugin" / "pulumi-resource-box"
    plugin.parent.mkdir(exist_ok=True)
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u "{HERE / "provider"}" "$@"\n')
    plugin.chmod(0o700)
    project = boxes.folder / "Pulumi.yaml"
    project.write_text(project.read_text().replace(f"path: {HERE / 'provider'}", f"path: {plugin.parent}"))


def table(found: Sequence[Measured]) -> list[str]:
    """Lines for a person."""
    head = f"{'':44} {'':6} {'count':>6} {'wall s':>8} {'CPU s':>8} {'CPU ms each':>12} {'peak MiB':>9}"
    return [head, *map(_line, found)]


def _line(one: Measured) -> str:
    return (
        f"{one.mode:44} {one.operation:6} {one.resources:6} {one.wall_s:8.2f} {one.cpu_s:8.2f} "
        f"{one.cpu_ms_each:12.2f} {one.peak_mib:9.0f}"
    )
