"""The fidelity table: what was proved on what, by the checks' own marks and a file of what nothing proves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from infra.report.checks import Check, ProvedOn

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path(__file__).with_name("fidelity.yaml")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StandInFor(_Data):
    """What stands in for one part, what that proves and what it does not."""

    part: str
    by: str
    kind: ProvedOn
    proves: str
    not_: str = ""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda name: name.rstrip("_"))


class Fidelity(_Data):
    """The file's contents."""

    kinds: dict[ProvedOn, str]
    stand_ins: tuple[StandInFor, ...]
    hardware_only: tuple[str, ...]


class Row(_Data):
    """One line of the table: a check, what it was proved on, and how often it passed.

    Attributes:
        check: what is checked, in words.
        proved_on: on what.
        machines: on how many machines (0: a check about the site).
        passed: how many of its runs passed.
        total: how many runs there were; 0 if it was skipped wherever it could have run.
    """

    check: str
    proved_on: ProvedOn
    machines: int
    passed: int
    total: int


@cache
def load() -> Fidelity:
    """Read the file; it is part of the program, so that a mistake in it is a bug."""
    return Fidelity.model_validate(YAML(typ="safe").load(FILE))


def rows(checks: Iterable[Check]) -> tuple[Row, ...]:
    """One row for each (check, proved on), in the order that they ran."""
    groups: dict[tuple[str, ProvedOn], list[Check]] = {}
    for check in checks:
        groups.setdefault((check.name, check.proved_on), []).append(check)
    return tuple(
        Row(
            check=name,
            proved_on=kind,
            machines=len({check.machine for check in members if check.machine}),
            passed=sum(check.passed for check in members),
            total=sum(check.outcome != "skipped" for check in members),
        )
        for (name, kind), members in groups.items()
    )


def _passed(row: Row) -> str:
    return f"{row.passed} of {row.total}" if row.total else "skipped: there is nothing of the kind"


def markdown(checks: Iterable[Check], source: str) -> str:
    """The table as a document.

    Args:
        checks: of a run.
        source: the command that made it, for the note at its top.
    """
    data = load()
    lines = [
        f"<!-- Made by `{source}` from the checks of its last run and infra/report/fidelity.yaml. -->",
        "",
        "# Fidelity: what was proved on what",
        "",
        *(f"- **{kind}**: {meaning}" for kind, meaning in data.kinds.items()),
        "",
        "## What stands in for what",
        "",
        "| part | stood in for by | kind | proves | does not prove |",
        "|---|---|---|---|---|",
        *(f"| {s.part} | {s.by} | {s.kind} | {s.proves} | {s.not_} |" for s in data.stand_ins),
        "",
        "## Checks",
        "",
        "| check | proved on | machines | passed |",
        "|---|---|---|---|",
        *(
            f"| {row.check} | {row.proved_on} | {row.machines or 'site'} | {_passed(row)} |"
            for row in rows(checks)
        ),
        "",
        "## Not proved: needs the hardware",
        "",
        *(f"- {item}" for item in data.hardware_only),
        "",
    ]
    return "\n".join(lines)
