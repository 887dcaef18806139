"""Runs scenarios on the embedded engine and compares with what the Pulumi CLI did.

    python tests/conformance/run.py [--scenarios DIR] [--expected DIR] [--loose] [NAME ...]

A line for each scenario, with its first difference; at the end `N passed, N failed`. Exits 1 if any failed.
"""

# ruff: noqa: PLC0415 (a command that prints; its modules lie beside it)
from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import time
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

if importlib.util.find_spec("pulumi") is None and (ROOT / ".venv/bin/python").exists():
    # Called with the system's Python: go on with the checkout's own.
    os.execv(ROOT / ".venv/bin/python", [str(ROOT / ".venv/bin/python"), *sys.argv])  # noqa: S606

LIMIT = 400  # seconds for a scenario, on a busy machine; the longest takes 10 on one that is not


def judge(scenario: Path, expected: Path, *, loose: bool, in_process: bool, keep: Path | None) -> list[str]:
    """The differences of one scenario."""
    import compare
    import recorder
    import steps

    actual = recorder.record(steps.load(scenario), in_process=in_process)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{scenario.stem}.json").write_text(json.dumps(actual, indent=1, sort_keys=True))
    return compare.compare(json.loads(expected.read_text()), actual, loose=loose)


def work(pipe: Connection, arguments: argparse.Namespace) -> None:
    """A worker: one scenario after another, in a process of its own."""
    while (name := pipe.recv()) is not None:
        try:
            found = judge(
                arguments.scenarios / f"{name}.yaml", arguments.expected / f"{name}.json",
                loose=arguments.loose, in_process=arguments.in_process, keep=arguments.keep,
            )  # fmt: skip
        except Exception:  # noqa: BLE001 (a scenario that breaks the engine is a failed one)
            found = ["the run broke off: " + traceback.format_exc().strip().replace("\n", "\n    ")]
        pipe.send(found)


class Worker:
    """A process that judges scenarios, and what it is at."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.name = ""
        self.since = 0.0
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")  # gRPC does not live through a fork
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.arguments))
        self.process.start()
        theirs.close()

    def give(self, name: str | None) -> None:
        self.name, self.since = name or "", time.monotonic()
        self.pipe.send(name)

    def take(self) -> list[str]:
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self.start()
            return [f"the engine's process ended with exit code {code}"]

    def stop(self) -> list[str]:
        self.process.kill()
        self.process.join()
        self.start()
        return [f"did not end within {LIMIT} s"]


def run(names: list[str], arguments: argparse.Namespace) -> int:
    """Judge them all; the number that failed."""
    workers = [Worker(arguments) for _ in range(min(arguments.jobs, len(names)))]
    waiting, busy, failed = list(names), {}, 0
    while waiting or busy:
        for worker in workers:
            if waiting and worker not in busy.values():
                worker.give(waiting.pop(0))
                busy[worker.pipe] = worker
        ready = set(wait(list(busy), timeout=1))
        for pipe, worker in list(busy.items()):
            if pipe in ready:
                found = worker.take()
            elif time.monotonic() - worker.since > LIMIT:
                found = worker.stop()
            else:
                continue
            del busy[pipe]
            failed += bool(found)
            tell(worker.name, found, time.monotonic() - worker.since, arguments)
    for worker in workers:
        worker.give(None)
        worker.process.join()
    return failed


def tell(name: str, found: list[str], seconds: float, arguments: argparse.Namespace) -> None:
    if not found:
        print(f"ok    {name} ({seconds:.1f} s)", flush=True)
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    print(f"FAIL  {name}: {found[0]}{more}", flush=True)
    if arguments.all:
        print(*(f"      {line}" for line in found[1:]), sep="\n", flush=True)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", type=Path, default=HERE / "scenarios", help="folder of NAME.yaml")
    parser.add_argument("--expected", type=Path, default=HERE / "expected", help="folder of NAME.json")
    parser.add_argument(
        "--loose", action="store_true", help="leave out wording, reasons of steps, configuring"
    )
    parser.add_argument("--all", action="store_true", help="print every difference, not only the first")
    parser.add_argument("--jobs", "-j", type=int, default=2, help="how many at once")
    parser.add_argument("--in-process", action="store_true", help="run the programs in the engine's process")
    parser.add_argument("--keep", type=Path, help="write the recordings into this folder")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    present = sorted(path.stem for path in arguments.scenarios.glob("*.yaml"))
    names = arguments.names or [name for name in present if (arguments.expected / f"{name}.json").exists()]
    unknown = [
        name for name in names if not (arguments.expected / f"{name}.json").exists() or name not in present
    ]
    for name in unknown:
        print(f"FAIL  {name}: there is no such scenario in {arguments.scenarios} and {arguments.expected}")
    for name in sorted(set(present) - set(names)) if not arguments.names else []:
        print(f"skip  {name}: nothing is expected of it in {arguments.expected}")
    names = [name for name in names if name not in unknown]
    failed = len(unknown) + (run(names, arguments) if names else 0)
    print(f"{len(names) + len(unknown) - failed} passed, {failed} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
