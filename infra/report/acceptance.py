"""What a site's last verification proves of what buyers ask: rows by public test id, none saying more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.report import checks
from infra.report.checks import ProvedOn
from infra.state_files import damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE = Path(__file__).with_name("acceptance.yaml")
WEAKEST = tuple(reversed(ProvedOn))
"""Levels from what proves least to what proves most."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(_Data):
    """Test ids that ask for one thing, and the checks that prove all of it; see the file's head."""

    ids: tuple[str, ...]
    asked: str
    want: ProvedOn
    checks: tuple[str, ...] = ()


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
    return TypeAdapter(tuple[Asked, ...]).validate_python(YAML(typ="safe").load(FILE))


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
        raise damaged(file, "a check has no id", f"run `gigasite verify {site}` again")
    return judge(load(), found, when)


def judge(asked: Iterable[Asked], outcomes: Sequence[Mapping[str, Any]], when: str) -> tuple[Row, ...]:
    """Rows for what is asked, in its order.

    Args:
        asked: what buyers ask.
        outcomes: entries of a verification's `checks`, with `id`, `outcome` and `proved_on`.
        when: when the verification ended, for people.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        found.setdefault(_check_of(str(outcome["id"])), []).append(outcome)
    return tuple(
        Row(id=name, asked=one.asked, want=one.want, level=level, evidence=evidence)
        for one in asked
        for level, evidence in (_judge(one, found, when),)
        for name in one.ids
    )


def _check_of(node: str) -> str:
    """`test_slurm.py::test_topology` of a node id with folders and parameters."""
    return node.rpartition("/")[2].partition("[")[0]


def _judge(
    one: Asked, found: Mapping[str, Sequence[Mapping[str, Any]]], when: str
) -> tuple[ProvedOn | None, str]:
    if one.want is ProvedOn.HARDWARE_ONLY and not one.checks:
        return None, "needs the hardware"
    if not one.checks:
        return None, "no check proves it yet"
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
