"""Steps `preview` and `up` (and the way down): the Pulumi program of every stack, on the chosen engine."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from infra import paths
from infra.cli.arguments import EngineName
from infra.cli.pipeline import Done, Run
from infra.cli.progress import interactive
from infra.errors import UserError
from infra.report.record import StackRecord

if TYPE_CHECKING:
    from infra.cli.stacks import StackRun
    from infra.plan import Plan

INTERRUPTED = 130
UNCHANGING = frozenset({"same", "read", "refresh"})
STARTS = {
    "fast": "from a template's saved memory (fast start)",
    "boot": "by a real boot",
    "real": "real hardware",
}


def stacks(planned: Plan) -> tuple[str, ...]:
    """Names of a site's stacks, the site's own first: pods refer to its outputs."""
    name = planned.site.name
    return (name, *(f"{name}.{pod}" for pod in planned.pods))


def preview(run: Run) -> Done:
    """Say what would change; on real hardware, ask."""
    counts: Counter[str] = Counter()
    changes = 0
    for stack in stacks(run.planned):
        with run.part(stack):
            found = _operate(run, "preview", stack)
        counts.update(found.changes)
        changes += _changed(found.changes)
        run.say(f"{stack}: {_words(found.changes)}")
    asks = run.declared.stand_ins is None and not (run.yes or run.dry_run or run.simulate)
    if changes and asks:
        if not interactive():
            raise UserError(
                f"{changes} changes of {run.site} need a yes", hint="give --yes, or run it on a terminal"
            )
        if not run.progress.confirm(f"Make {changes} changes in {run.site}?"):
            raise UserError("not confirmed", done="Nothing was changed.")
    return Done(_words(dict(counts)), changes=changes)


def make(run: Run) -> Done:
    """Make what is declared."""
    changes = 0
    for stack in stacks(run.planned):
        began = time.monotonic()
        with run.part(stack):
            # Stand-ins may have lost their power since (the computer was restarted): ask their BMCs first.
            found = _operate(run, "up", stack, refresh=run.declared.stand_ins is not None)
        changes += _changed(found.changes)
        run.stack_done(
            StackRecord(stack=stack, counts=found.changes, seconds=round(time.monotonic() - began, 2))
        )
        run.say(f"{stack}: {_words(found.changes)}")
    _note_starts(run)
    return Done(f"{changes} changes in {len(stacks(run.planned))} stacks", changes=changes)


def unmake(run: Run) -> int:
    """Remove the resources and the stacks, pods first; how many resources that took."""
    from infra.cli.stacks import backend, reference  # noqa: PLC0415 (grpc is slow to import)

    removed = 0
    for stack in reversed(stacks(run.planned)):
        ref = reference(stack)
        if not backend().exists(ref):
            continue
        found = _operate(run, "destroy", stack)
        backend().remove(ref)
        removed += found.changes.get("delete", 0)
        run.say(f"{stack}: {_words(found.changes)}")
    return removed


def _operate(run: Run, operation: str, stack: str, *, refresh: bool = False) -> StackRun:
    from infra.cli.stacks import run_stack  # noqa: PLC0415 (grpc is slow to import)
    from infra.engine import Operation, Options  # noqa: PLC0415

    if run.simulate:
        os.environ["GIGASITE_DRIVER"] = "simulated"  # where the program looks if the stack does not say

    def tell(line: str) -> None:
        # What is worth a glance begins with its sign; headings, outputs and counts are for the log.
        if line.startswith((" + ", " - ", " ~ ", " +-", " ++", " --", "engine: ")):
            run.say(line.strip())
        elif line.strip():
            run.log(line.rstrip())

    found = run_stack(
        Operation(operation),
        stack,
        engine=EngineName(run.engine),
        options=Options(refresh=refresh),
        say=tell,
    )
    run.note(engine=found.engine, simulated=run.simulate)
    if not found.succeeded:
        if found.exit_code == INTERRUPTED:
            raise KeyboardInterrupt
        shown = "\n".join(f"  {message}" for message in found.messages)
        raise UserError(
            f"{operation} of stack {stack} failed:\n{shown}",
            hint=f"see {paths.out(run.site).relative_to(paths.ROOT)}/logs/{run.record.steps[-1].name}.log",
        )
    return found


def _changed(counts: dict[str, int]) -> int:
    return sum(count for operation, count in counts.items() if operation not in UNCHANGING)


def _note_starts(run: Run) -> None:
    """Put into the record how the machines came up, from the stacks' outputs."""
    from infra.rollout.outputs import machine_outputs  # noqa: PLC0415 (see above)

    counts = Counter(str(output.get("started", "")) for output in machine_outputs(run.site).values())
    words = [f"{count} {STARTS[how]}" for how, count in counts.items() if how in STARTS]
    if words:
        run.note(start_mode=", ".join(words))


def _words(counts: dict[str, int]) -> str:
    shown = [f"{count} {operation}" for operation, count in counts.items() if count]
    return ", ".join(shown) or "nothing to do"
