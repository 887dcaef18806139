"""Steps `preview` and `up` (and the way down): the Pulumi program of every stack, on the chosen engine."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.pipeline.execution import Done, Run
from infra.pipeline.progress import interactive
from infra.report.record import StackRecord
from infra.rollout import grid
from infra.stacks import losses
from infra.stacks.stack_runs import EngineName, Shown

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from infra.plan import Plan
    from infra.stacks.losses import Loss
    from infra.stacks.operations import StackRun

INTERRUPTED = 130
SIGNS = (" + ", " - ", " ~ ", " +-", " ++", " --")
MOST_LINES = 24
"""Resource lines of one stack that a plain (not live) display prints; a pod of a big site has 500."""
UNCHANGING = frozenset({"same", "read", "refresh"})
STARTS = {
    "fast": "from a template's saved memory (fast start)",
    "boot": "by a real boot",
    "real": "real hardware",
}


def stacks(planned: Plan, pods: Container[str] = ()) -> tuple[str, ...]:
    """Names of a site's stacks, the site's own first: pods refer to its outputs.

    Args:
        planned: the site.
        pods: only these; all if empty.
    """
    name = planned.site.name
    return (name, *(f"{name}.{pod}" for pod in planned.pods if not pods or pod in pods))


def preview(run: Run) -> Done:
    """Say what would change; on real hardware, ask."""
    if run.simulate and not run.dry_run:
        return Done("simulated devices: nothing to confirm", skipped=True)
    counts: Counter[str] = Counter()
    changes = 0
    lost: list[Loss] = []
    for gate in grid.gates(run.declared):
        run.say(grid.words(gate) + (" (simulated: not obeyed)" if run.simulate else ""))
    for stack in stacks(run.planned, run.pods):
        with run.part(stack), losses.watch_run(Shown()) as (shown, watch):
            found = _operate(run, "preview", stack, shown=shown)
            lost += watch.losses()
        counts.update(found.changes)
        changes += _changed(found.changes)
        run.say(f"{stack}: {_words(found.changes)}")
    words = _words(dict(counts))
    if lost:
        for line in losses.describe_losses(tuple(lost)):
            run.say(line)
        words += f"; {len(lost)} machines lose their data"
    if not (run.yes or run.dry_run or run.simulate):
        _ask(run, changes, lost)
    return Done(words, changes=changes)


def _ask(run: Run, changes: int, lost: Sequence[Loss]) -> None:
    """Ask before hardware is changed, and before data is destroyed anywhere.

    Raises:
        UserError: the answer is no, or there is nobody to ask.
    """
    if lost:
        names = ", ".join(loss.name for loss in lost)
        question, needs = f"Destroy the data of {names}?", f"destroying the data of {names} needs a yes"
    elif changes and run.declared.stand_ins is None:
        question = f"Make {changes} changes in {run.site}?"
        needs = f"{changes} changes of {run.site} need a yes"
    else:
        return
    if not interactive():
        raise UserError(needs, hint="give --yes, or run it on a terminal", done="Nothing was changed.")
    if not run.progress.confirm(question):
        raise UserError("not confirmed", done="Nothing was changed.")


def make(run: Run) -> Done:
    """Make what is declared: the site's own level, then its pods in waves that keep within the ramp limit."""
    from infra.rollout.waves import waves  # noqa: PLC0415 (polars is slow to import)

    changes = _make_one(run, run.site)
    planned = waves(run.planned, run.pods)
    for number, wave in enumerate(planned, start=1):
        began = time.monotonic()
        rising = 0
        if not run.simulate and any(not _exists(run, f"{run.site}.{pod}") for pod in wave.pods):
            grid.obey(run.declared, ", ".join(wave.pods))
        for pod in wave.pods:
            rising += _make_one(run, f"{run.site}.{pod}")
        changes += rising
        if wave.minutes:
            words = f"wave {number} of {len(planned)}: {', '.join(wave.pods)}, {wave.watts / 1e6:.1f} MW"
            run.say(
                f"{words} in {wave.minutes} min" + (" (simulated: not waited for)" if run.simulate else "")
            )
        last = number == len(planned)
        if rising and wave.minutes and not run.simulate and not last:
            _let_rise(run, wave.minutes * 60 - (time.monotonic() - began))
    _note_starts(run)
    words = f"{changes} changes in {len(stacks(run.planned, run.pods))} stacks"
    minutes = sum(wave.minutes for wave in planned)
    if minutes:
        words += f", {len(planned)} wave{'s' * (len(planned) > 1)}, {minutes} min at the ramp limit"
    return Done(words + (", all simulated" if run.simulate else ""), changes=changes)


def _exists(run: Run, stack: str) -> bool:
    """Whether a stack has been made before: then its racks draw power already."""
    from infra.stacks.operations import exists  # noqa: PLC0415 (grpc is slow to import)

    return exists(stack, EngineName(run.engine))


def _make_one(run: Run, stack: str) -> int:
    began = time.monotonic()
    with run.part(stack):
        # Stand-ins may have lost their power since (the computer was restarted): ask their BMCs first.
        found = _operate(run, "up", stack, refresh=run.declared.stand_ins is not None)
    seconds = round(time.monotonic() - began, 2)
    run.stack_done(StackRecord(stack=stack, counts=found.changes, seconds=seconds))
    run.say(f"{stack}: {_words(found.changes)}")
    return _changed(found.changes)


def _let_rise(run: Run, seconds: float) -> None:
    """Wait out the rest of a wave's time: the grid connection may take no steeper rise."""
    if seconds > 0:
        run.say(f"waiting {seconds:.0f} s for the ramp limit")
        time.sleep(seconds)


def unmake(run: Run) -> int:
    """Remove the resources and the stacks, pods first; how many resources that took."""
    from infra.stacks.operations import exists, remove  # noqa: PLC0415 (grpc is slow to import)

    engine = EngineName(run.engine)
    removed = 0
    for stack in reversed(stacks(run.planned)):
        if not exists(stack, engine):
            continue
        found = _operate(run, "destroy", stack)
        remove(stack, engine, backups=True)
        removed += found.changes.get("delete", 0)
        run.say(f"{stack}: {_words(found.changes)}")
    return removed


def _operate(
    run: Run, operation: str, stack: str, *, refresh: bool = False, shown: Shown | None = None
) -> StackRun:
    from infra.engine import Operation, Options  # noqa: PLC0415
    from infra.stacks.operations import run_stack, variables  # noqa: PLC0415 (grpc is slow to import)

    _take_over(run, stack)
    lines = 0

    def tell(line: str) -> None:
        nonlocal lines
        # What is worth a glance begins with its sign; headings, outputs and counts are for the log.
        if line.startswith(SIGNS):
            lines += 1
            run.say(line.strip(), brief=lines > MOST_LINES)
            if lines > MOST_LINES and lines % 100 == 0:
                run.say(f"{stack}: {lines} steps so far")
        elif line.startswith("engine: "):
            run.say(line.strip())
        elif line.strip():
            run.log(line.rstrip())

    # Where the program looks if the stack does not say.
    with variables({"GIGASITE_DRIVER": "simulated"} if run.simulate else {}):
        found = run_stack(
            Operation(operation),
            stack,
            engine=EngineName(run.engine),
            # Tens of stacks of simulated machines: in this process each takes half the time.
            options=Options(
                refresh=refresh, in_process=run.simulate, replace=_find_replaced(run, operation, stack)
            ),
            shown=shown,
            say=tell,
        )
    run.note(engine=found.engine, simulated=run.simulate)
    if not found.succeeded:
        if found.exit_code == INTERRUPTED:
            raise KeyboardInterrupt
        said = "\n".join(f"  {line}" for line in _failures(found.messages))
        raise UserError(
            f"{operation} of stack {stack} failed:\n{said}",
            hint=f"see {run.log_file}" if run.log_file else None,
        )
    return found


def _find_replaced(run: Run, operation: str, stack: str) -> tuple[str, ...]:
    """URNs of the stand-ins in a stack that are to be made anew."""
    if not run.replace or operation == "destroy":
        return ()
    from infra.stacks.operations import backend, exists, reference  # noqa: PLC0415 (see above)

    if not exists(stack):
        return ()
    return tuple(
        str(resource["urn"])
        for resource in backend().read(reference(stack)).resources
        if resource.get("type") in losses.HOLDS
        and (resource.get("inputs") or {}).get("name") in run.replace
        and not resource.get("delete")
    )


def _take_over(run: Run, stack: str) -> None:
    """Clear the lock of an operation that was killed, and keep what it had recorded.

    This command holds the site's own lock, so nobody else does the same now. A lock whose process lives,
    or ran on another machine, is left alone: the engine then says who holds it.
    """
    from infra.stacks.operations import backend, of_the_cli, reference  # noqa: PLC0415 (see above)

    if of_the_cli(EngineName(run.engine)):
        return  # its locks are the CLI's own
    ref = reference(stack)
    found = backend().locks(ref)
    if found and all(lock.alive is False for lock in found):
        _, told = backend().cancel(ref)
        kept = f", {told.records} of its steps are kept" if told else ""
        run.say(f"{stack}: an earlier operation was killed{kept}")


def _failures(messages: Sequence[str]) -> list[str]:
    """The failed resources by name; the run's own "failed" only if nothing else was said."""
    from infra.engine.resource.urn import name_of  # noqa: PLC0415 (see above)

    named = [message.partition(": ") for message in messages if message.startswith("urn:")]
    return [f"{name_of(urn)}: {text}" for urn, _, text in named] or list(messages)


def _changed(counts: dict[str, int]) -> int:
    return sum(count for operation, count in counts.items() if operation not in UNCHANGING)


def _note_starts(run: Run) -> None:
    """Put into the record how the machines came up, from the stacks' outputs."""
    from infra.rollout.outputs import machine_outputs  # noqa: PLC0415 (see above)

    if run.simulate:
        run.note(start_mode="not at all: the devices are simulated, no machine was made")
        return
    counts = Counter(str(output.get("started", "")) for output in machine_outputs(run.site).values())
    words = [f"{count} {STARTS[how]}" for how, count in counts.items() if how in STARTS]
    if words:
        run.note(start_mode=", ".join(words))


def _words(counts: dict[str, int]) -> str:
    shown = [f"{count} {operation}" for operation, count in counts.items() if count]
    return ", ".join(shown) or "nothing to do"
