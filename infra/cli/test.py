"""`gigasite test`: every check of this checkout, in one command, the same here and in CI."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra import paths
from infra.errors import UserError
from infra.process import stream

BIN = Path(sys.executable).parent


class Part(StrEnum):
    """Parts of the tests that `--only` picks."""

    LINT = "lint"
    TYPES = "types"
    UNIT = "unit"
    CONFORMANCE = "conformance"
    LAB = "lab"


@dataclass(frozen=True, slots=True)
class Check:
    """One program to run, from the root of the checkout.

    Attributes:
        name: as the summary calls it.
        part: what `--only` calls it.
        words: program (of .venv) and arguments.
    """

    name: str
    part: Part
    words: tuple[str, ...]


def _pytest(folder: str, *more: str) -> tuple[str, ...]:
    return "pytest", f"tests/{folder}", f"--junit-xml=out/test/{folder}.xml", "--durations=5", *more


# Cheapest first; the lab's machines want the computer for themselves, so it is last and not spread.
CHECKS = (
    Check("ruff check", Part.LINT, ("ruff", "check", ".")),
    Check("ruff format", Part.LINT, ("ruff", "format", "--check", ".")),
    Check("import-linter", Part.LINT, ("lint-imports", "--no-logo")),
    Check("ansible-lint", Part.LINT, ("ansible-lint", "--offline", "playbooks")),
    Check("mypy", Part.TYPES, ("mypy",)),
    Check("unit tests", Part.UNIT, _pytest("unit", "--numprocesses=2")),
    Check("conformance tests", Part.CONFORMANCE, _pytest("conformance", "--numprocesses=2")),
    Check("lab tests", Part.LAB, _pytest("lab", "-v")),
)
NEED_SYSTEM = frozenset({Part.UNIT, Part.CONFORMANCE, Part.LAB})
"""Parts that use programs beyond .venv: the lab's own, and the daemons that judge rendered files."""


def command(
    only: Annotated[
        list[Part] | None, typer.Option("--only", help="Only this part; may be given several times.")
    ] = None,
) -> int:
    """Run all checks: lint, types, unit, conformance, and the lab end to end on machines that really boot."""
    chosen = [check for check in CHECKS if not only or check.part in only]
    if any(check.part in NEED_SYSTEM for check in chosen):
        from infra.pipeline import prerequisites  # noqa: PLC0415 (not for --help)

        prerequisites.ensure(lambda text: print(f"==> {text}", flush=True), tests=True)
    (paths.ROOT / "out" / "test").mkdir(parents=True, exist_ok=True)
    # All parts run, whatever fails: one run says everything that is wrong.
    results = [(check, *_run(check)) for check in chosen]
    print("\n==> Summary")
    for check, passed, seconds in results:
        print(f"{check.name:20} {'passed' if passed else 'FAILED':8} {seconds:7.1f} s")
    failed = sum(not passed for _, passed, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return int(failed > 0)


def _run(check: Check) -> tuple[bool, float]:
    program, *arguments = check.words
    print(f"\n==> {check.name}: {' '.join(check.words)}", flush=True)
    began = time.monotonic()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    try:
        code = stream(
            [BIN / program, *arguments], lambda line: print(line, flush=True), cwd=paths.ROOT, env=environment
        )
    except UserError as error:
        print(error, flush=True)
        code = 1
    return code == 0, time.monotonic() - began
