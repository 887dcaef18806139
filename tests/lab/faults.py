"""The lab under faults: each is put in for real, and one command of a user's has to bring every check back.

    python -m tests.lab.faults --minutes 60 --seed 7        # an hour of faults at random, then down
    python -m tests.lab.faults --only stopped-vm            # some by name, each once

What happened is in out/test/faults.json, a line for each fault, and on standard output. It ends with 1 at the
first fault after which a check is not green; the lab then stays as it is, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.lab import session
from infra.lab.driver import CheckFailed, DriverError
from tests.lab.conftest import Lab, is_up
from tests.lab.fault_kinds import FAULTS, Fault
from tests.lab.world import Broken, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Outcome:
    """What came of one fault: to whom, seconds until every check was green again, and what failed."""

    fault: str
    struck: str
    seconds: float
    failed: str = ""


def told(outcome: Outcome) -> str:
    """One line of what came of a fault."""
    word = f"not green: {outcome.failed}" if outcome.failed else "green"
    return f"{outcome.fault:18} {outcome.struck:50} {outcome.seconds:7.1f} s  {word}"


def endure(world: World, fault: Fault) -> Outcome:
    """Put a fault in, mend it, and see every check green."""
    return endure_together(world, [fault])


def endure_together(world: World, faults: Sequence[Fault]) -> Outcome:
    """Put several faults in at once, mend each, and see every check green after one `up`."""
    struck: list[tuple[Fault, str]] = []
    began = time.monotonic()
    failed = ""
    try:
        struck.extend((fault, fault.strike(world)) for fault in faults)
        began = time.monotonic()
        for fault, whom in struck:
            fault.mend(world, whom)
        said = world.expect("up", "lab")
        for fault, whom in struck:
            _require(fault.says.format(whom), said)
    except (Broken, CheckFailed, DriverError, UserError) as error:
        failed = str(error)
    seconds = round(time.monotonic() - began, 1)
    names = " + ".join(fault.name for fault in faults)
    return Outcome(names, "; ".join(whom for _, whom in struck), seconds, failed)


def _require(words: str, said: str) -> None:
    if words not in said:
        raise Broken(f"`up` did not say {words!r}:\n{said[-2500:]}")


def at_random(chance: random.Random, faults: Sequence[Fault], minutes: float) -> Iterator[Fault]:
    """Faults, each as often as the others, until the time is over."""
    end = time.monotonic() + minutes * 60
    while True:
        for fault in chance.sample(faults, len(faults)):
            if time.monotonic() >= end:
                return
            yield fault


def endure_all(world: World, faults: Iterable[Sequence[Fault]]) -> list[Outcome]:
    """Put sets of faults in, one after another, until one is not mended; tell and record each outcome."""
    outcomes: list[Outcome] = []
    for together in faults:
        outcome = endure_together(world, together)
        outcomes.append(outcome)
        with (paths.ROOT / "out" / "test" / "faults.json").open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        print(told(outcome), flush=True)
        if outcome.failed:
            break
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring the lab up, put faults in, and take it down if all were mended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", nargs="*", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--together", action="store_true", help="those of --only at once")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    given = parser.parse_args(arguments)
    logs = paths.ROOT / "out" / "test" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    world = World(Lab(ours=not is_up(), logs=logs), random.Random(given.seed))
    print(f"seed {given.seed}", flush=True)
    world.expect("up", "lab")
    chosen = [fault for fault in FAULTS if not given.only or fault.name in given.only]
    if given.together:
        outcomes = endure_all(world, [chosen])
    else:
        singly = chosen if given.only else at_random(world.chance, chosen, given.minutes)
        outcomes = endure_all(world, ([fault] for fault in singly))
    bad = [outcome for outcome in outcomes if outcome.failed]
    print(f"{len(outcomes)} faults, {len(bad)} not mended")
    if not bad and not given.keep:
        world.expect("down", "lab")
    return 1 if bad else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    with suppress(Exception):
        session.connect().close()
    sys.exit(130)
