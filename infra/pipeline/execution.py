"""Runs the steps of `gigasite up` one after the other: timed, logged, recorded after each, resumable."""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.files import try_lock
from infra.pipeline import run_plan
from infra.report import record as records
from infra.report.record import Host, Outcome, RunRecord, StackRecord, StepRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from infra.pipeline.progress import Progress
    from infra.pipeline.run_plan import Basis


@dataclass(frozen=True, slots=True)
class Done:
    """Summary of a finished step.

    Attributes:
        summary: one line.
        changes: things it changed; None if that is not its job.
        skipped: it had nothing to do for this site.
    """

    summary: str
    changes: int | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: as `--step` takes it.
        title: as the display shows it.
        run: does it.
        always: runs after a failure too (the report of a failed run is the one that is read).
    """

    name: str
    title: str
    run: Callable[[Run], Done]
    always: bool = False


@dataclass
class Run:
    """One run of the pipeline: what was asked for, what is known so far, and where to say it.

    Attributes:
        site: the site's name.
        engine: `embedded` or `pulumi`.
        yes: do not ask.
        dry_run: stop before anything changes.
        simulate: devices are simulated by the provider; no machine is made.
        limit: machines and groups that step `configure` works on; None for all.
        pods: pods that are previewed and made; all if empty.
        replace: stand-ins that are made anew, by machine name.
        progress: the display.
        record: the run's record; replaced as the run goes on.
        declared: the site's declaration, once step `declare` has read it.
        planned: its plan.
        basis: what the plan was made from; None before step `declare`.
        recorded: whether the record is kept in out/SITE; not for the way down.
        parts: (name, seconds) of the current step's own parts so far.
    """

    site: str
    engine: str
    yes: bool
    dry_run: bool
    simulate: bool
    limit: str | None
    progress: Progress
    record: RunRecord
    declared: Any = None
    planned: Any = None
    basis: Basis | None = None
    recorded: bool = True
    pods: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    parts: list[tuple[str, float]] = field(default_factory=list)
    _log: Path | None = None

    def say(self, text: str, *, brief: bool = False) -> None:
        """Tell the person, and the step's log; what is brief shows on a live display only."""
        self.log(text)
        self.progress.say(text, brief=brief)

    def log(self, text: str) -> None:
        """Tell the step's log only."""
        if self._log:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")

    @property
    def log_file(self) -> str:
        """The current step's log, from the checkout's folder; empty before the first step."""
        return str(self._log.relative_to(paths.ROOT)) if self._log else ""

    def note(self, **changes: Any) -> None:
        """Put something into the record."""
        self.record = self.record.model_copy(update=changes)
        if self.recorded:
            records.save(self.record)

    def stack_done(self, stack: StackRecord) -> None:
        """Put what the engine did to a stack into the record, in place of an earlier note of that stack."""
        others = tuple(item for item in self.record.stacks if item.stack != stack.stack)
        self.note(stacks=(*others, stack))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of the current step."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.parts.append((name, round(time.monotonic() - began, 2)))

    def begin(self, step: Step) -> None:
        """Open the step's log and put it into the record as running."""
        folder = paths.out(self.site) / "logs"
        folder.mkdir(exist_ok=True)
        self._log = folder / f"{step.name}.log"
        self._log.write_text("", encoding="utf-8")
        self.parts = []
        self._put(StepRecord(name=step.name, outcome=Outcome.RUNNING, started=datetime.now(UTC)))
        self.progress.start(step.name)

    def end(self, name: str, outcome: Outcome, seconds: float, done: Done) -> None:
        """Put the step's end into the record."""
        running = self.record.step(name)
        assert running is not None
        self._put(
            running.model_copy(
                update={
                    "outcome": outcome,
                    "seconds": round(seconds, 2),
                    "summary": done.summary,
                    "changes": done.changes,
                    "parts": tuple(self.parts),
                }
            )
        )
        lines = done.summary.splitlines()
        self.progress.finish(name, outcome, seconds, lines[0] if lines else "")

    def _put(self, step: StepRecord) -> None:
        """Into its place if an earlier run has it, else at the end."""
        steps = {old.name: old for old in self.record.steps}
        self.note(steps=tuple({**steps, step.name: step}.values()))


def execute(run: Run, steps: Sequence[Step]) -> None:
    """Run the steps in order; at a failure, only those that always run, then raise it."""
    failure: BaseException | None = None
    for step in steps:
        if failure and not step.always:
            continue
        try:
            _one(run, step)
        except BaseException as error:  # noqa: BLE001 (raised again below; the report comes first)
            failure = failure or error
            if isinstance(error, KeyboardInterrupt):
                break
    if run.recorded:
        records.remember(run.record)
    if failure:
        raise failure


def _one(run: Run, step: Step) -> None:
    run.begin(step)
    began = time.monotonic()
    try:
        _require_same_plan(run, step)
        done = step.run(run)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        run.log(f"{type(error).__name__}: {error}")
        run.end(
            step.name,
            Outcome.INTERRUPTED if interrupted else Outcome.FAILED,
            time.monotonic() - began,
            Done("interrupted" if interrupted else str(error)),
        )
        raise
    outcome = Outcome.SKIPPED if done.skipped else Outcome.DONE
    run.end(step.name, outcome, time.monotonic() - began, done)


def _require_same_plan(run: Run, step: Step) -> None:
    """Refuse a step whose own processes would plan something else than this run did."""
    if run.basis is None or not (changed := run_plan.declared_changes(run.basis, run.site)):
        return
    if step.always:
        run.say(f"{changed} changed since this run planned it; this shows what was planned")
        return
    raise UserError(
        f"{changed} changed since this run planned it, before step {step.name}",
        hint=f"run `gigasite up {run.site}` again: it plans anew and goes on from what is there",
    )


@contextmanager
def only_one(site: str) -> Iterator[None]:
    """Hold the site's lock; it ends with the process, however that ends.

    Raises:
        UserError: another command works on this site.
    """
    file = paths.state(site) / "command.lock"
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    with try_lock(file, f"{' '.join(sys.argv[1:])} (process {os.getpid()}, since {started})") as held:
        if not held:
            holder = file.read_text(errors="replace").strip() or "unknown"
            raise UserError(
                f"another command works on site {site}: {holder}", hint="wait for its end, or stop it"
            )
        yield


def new_record(site: str, command: Sequence[str], *, goes_on: bool = False) -> RunRecord:
    """The record of a run that starts now.

    Args:
        site: the site's name.
        command: the command line.
        goes_on: it runs some steps only; the others stay as the latest run left them.
    """
    fresh = RunRecord(
        site=site,
        command=tuple(command),
        started=datetime.now(UTC),
        version=_version(),
        host=Host(
            system=_system(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            python=platform.python_version(),
        ),
    )
    latest = records.load(site) if goes_on else None
    if latest is None:
        return fresh
    kept = {"command": fresh.command, "started": fresh.started, "version": fresh.version, "host": fresh.host}
    return latest.model_copy(update=kept)


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 (slow to import)

    from infra.process import run  # noqa: PLC0415

    text = f"gigasite {version('gigasite')}"
    try:
        described = run(["git", "-C", paths.ROOT, "describe", "--always", "--dirty"], check=False, timeout=10)
    except UserError:  # no git, or a slow disk: the release alone says enough
        return text
    return f"{text} ({described.stdout.strip()})" if described.returncode == 0 else text
