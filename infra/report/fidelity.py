"""The fidelity table: what was proved on what, by the checks' own marks and files of what nothing proves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from infra import yamltext
from infra.report.checks import Check, ProvedOn
from infra.roles import role_specs

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path(__file__).with_name("fidelity.yaml")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StandInFor(_Data):
    """Stand-in for one part: what it proves and what it does not."""

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
def load(site: str | None = None) -> Fidelity:
    """Read the file, which is a part of the program, and what the roles' own files add to it.

    Args:
        site: name of the site whose own roles count too.

    Raises:
        Problems: a role's data file is wrong.
    """
    own = Fidelity.model_validate(yamltext.load(FILE))
    specs = role_specs(site).values()
    added = [
        StandInFor.model_validate(row.model_dump(by_alias=True)) for one in specs for row in one.fidelity
    ]
    return Fidelity(
        kinds=own.kinds,
        stand_ins=(*own.stand_ins, *added),
        hardware_only=(*own.hardware_only, *(item for one in specs for item in one.hardware_only)),
    )


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
        f"<!-- Made by `{source}` from its last run's checks, infra/report/fidelity.yaml and the roles. -->",
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
