"""Acceptance: what the last verification proves, by public test id; no row claims more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from infra import paths, yamltext
from infra.errors import UserError
from infra.report import checks
from infra.report.checks import ProvedOn
from infra.state_files import damage_error, read_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE = Path(__file__).with_name("acceptance.yaml")
_NO_CHECK = "no check proves it yet"
WEAKEST = tuple(reversed(ProvedOn))
"""Levels from what proves least to what proves most."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(_Data):
    """Test ids that ask for one thing, and what proves all of it; see the file's head."""

    ids: tuple[str, ...]
    asked: str
    want: ProvedOn
    checks: tuple[str, ...] = ()
    suite: ProvedOn | None = None


class Case(_Data):
    """One check of the public suite, as `gigasite accept --isvctl` left it.

    Attributes:
        id: of the public test plan.
        check: the suite's name of it.
        outcome: `passed`, `failed` or `skipped`.
        message: why it did not pass.
        suite: file of the suite.
        when: when it ran, for people: another suite may have run later.
    """

    id: str
    check: str
    outcome: str
    message: str = ""
    suite: str = ""
    when: str = ""


class Results(_Data):
    """Results of the public suite; `when` its latest run began, for people."""

    when: str
    cases: tuple[Case, ...]


class Row(_Data):
    """One test id.

    Attributes:
        id: of the public test plan.
        asked: in our words.
        want: level to reach on stand-ins.
        level: level reached; None if it is not proved.
        evidence: the checks, how often each passed and when; or why it is not proved.
    """

    id: str
    asked: str
    want: ProvedOn
    level: ProvedOn | None
    evidence: str

    @property
    def proved(self) -> bool:
        """Whether it is proved at the wanted level or a better one."""
        return self.level is not None and WEAKEST.index(self.level) >= WEAKEST.index(self.want)


@cache
def load() -> tuple[Asked, ...]:
    """Read the file; it is part of the program, so that a mistake in it is a bug."""
    return TypeAdapter(tuple[Asked, ...]).validate_python(yamltext.load(FILE))


def rows_of(site: str) -> tuple[Row, ...]:
    """The table of a site, from its last verification.

    Raises:
        UserError: there was none, or its file is damaged.
    """
    if checks.load(site) is None:  # also says so when the file is damaged
        raise UserError("the site was never verified", where=site, hint=f"run `gigasite verify {site}`")
    file = checks.path(site)
    when = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
    found = json.loads(file.read_text(encoding="utf-8"))["checks"]
    if any(not isinstance(entry.get("id"), str) for entry in found):
        raise damage_error(file, "a check has no id", f"run `gigasite verify {site}` again")
    return judge(load(), found, when, results_of(site))


def results_path(site: str) -> Path:
    """Return where the last run of the public suite left its results."""
    return paths.out(site) / "acceptance.json"


def results_of(site: str) -> Results | None:
    """Read the last run of the public suite; None if there was none.

    Raises:
        UserError: the file is damaged.
    """
    file = results_path(site)
    hint = f"run `gigasite accept {site} --isvctl DIR` again, or remove it"
    return read_model(Results, file, "list of results", hint)


def judge(
    asked: Iterable[Asked],
    outcomes: Sequence[Mapping[str, Any]],
    when: str,
    results: Results | None = None,
) -> tuple[Row, ...]:
    """Rows for what is asked, in its order; where both a check and the suite prove it, the better level.

    Args:
        asked: what buyers ask.
        outcomes: entries of a verification's `checks`, with `id`, `outcome` and `proved_on`.
        when: when the verification ended, for people.
        results: of the public suite; None if it never ran.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        found.setdefault(_check_of(str(outcome["id"])), []).append(outcome)
    return tuple(
        Row(id=name, asked=one.asked, want=one.want, level=level, evidence=evidence)
        for one in asked
        for own in (_judge(one, found, when),)
        for name in one.ids
        for level, evidence in (_better(own, _judge_suite(one, name, results)),)
    )


def _better(
    own: tuple[ProvedOn | None, str], suite: tuple[ProvedOn | None, str]
) -> tuple[ProvedOn | None, str]:
    """Return what proves more; of two that prove nothing, the one that says why."""
    if own[0] is None or (suite[0] is not None and WEAKEST.index(suite[0]) > WEAKEST.index(own[0])):
        return suite if suite[0] is not None or (suite[1] and own[1] == _NO_CHECK) else own
    return own


def _judge_suite(one: Asked, name: str, results: Results | None) -> tuple[ProvedOn | None, str]:
    """Level and evidence of one id by the public suite; no level unless all its checks of that id passed."""
    if one.suite is None or results is None:
        return None, ""
    ran = [case for case in results.cases if case.id == name and case.outcome != "skipped"]
    failed = [case for case in ran if case.outcome != "passed"]
    if failed:
        first = failed[0]
        return None, f"the suite's {first.check} failed, {first.when or results.when}: {first.message}"
    if not ran:
        return None, f"the suite did not check it in its run of {results.when}"
    words = ", ".join(dict.fromkeys(f"{case.suite}/{case.check}" for case in ran))
    return one.suite, f"the suite's {words} passed; {min(case.when or results.when for case in ran)}"


def _check_of(node: str) -> str:
    """`test_slurm.py::test_topology` of a node id with folders and parameters."""
    return node.rpartition("/")[2].partition("[")[0]


def _judge(
    one: Asked, found: Mapping[str, Sequence[Mapping[str, Any]]], when: str
) -> tuple[ProvedOn | None, str]:
    if one.want is ProvedOn.HARDWARE_ONLY and not one.checks:
        return None, "needs the hardware"
    if not one.checks:
        return None, _NO_CHECK
    levels, words = [], []
    for check in one.checks:
        runs = [run for run in found.get(check, ()) if run["outcome"] != "skipped"]
        passed = [run for run in runs if run["outcome"] == "passed"]
        if not runs:
            return None, f"{check} did not run in the verification of {when}"
        if len(passed) < len(runs):
            return None, f"{check} failed {len(runs) - len(passed)} of {len(runs)} times, {when}"
        levels += [ProvedOn(run["proved_on"]) for run in passed]
        words.append(f"{check} passed {len(passed)} of {len(runs)}")
    return min(levels, key=WEAKEST.index), f"{', '.join(words)}; {when}"
