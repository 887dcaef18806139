"""The outcome of each check, as `pytest tests/verify --verify-json FILE` leaves it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.state_files import damage_error, read_object

if TYPE_CHECKING:
    from pathlib import Path


class ProvedOn(StrEnum):
    """Level of proof of a check: a term of the fidelity table."""

    REAL = "real"
    VM = "vm"
    EMULATED = "emulated"
    SIMULATED = "simulated"
    HARDWARE_ONLY = "hardware-only"


@dataclass(frozen=True, slots=True)
class Check:
    """One check on one machine.

    Attributes:
        name: what is checked, in words.
        machine: on which; empty if it is about the site.
        outcome: `passed`, `failed`, `error` or `skipped`.
        seconds: how long it took.
        proved_on: what the machine or device was.
        message: why it did not pass.
        output: what it printed for a person, for example a job's output.
    """

    name: str
    machine: str
    outcome: str
    seconds: float
    proved_on: ProvedOn
    message: str = ""
    output: str = ""

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return self.outcome == "passed"


@dataclass(frozen=True)
class Checks:
    """All checks of one run."""

    checks: tuple[Check, ...]

    @cached_property
    def failed(self) -> tuple[Check, ...]:
        """Those that failed or could not be done."""
        return tuple(check for check in self.checks if check.outcome in {"failed", "error"})

    @property
    def summary(self) -> str:
        """`41 checks passed`, with what else there was."""
        counts = Counter(check.outcome for check in self.checks)
        words = [f"{counts[key]} {key}" for key in ("failed", "error", "skipped") if counts[key]]
        return ", ".join([f"{counts['passed']} checks passed", *words])


def path(site: str) -> Path:
    """Where they lie."""
    return paths.out(site) / "verify.json"


def load(site: str) -> Checks | None:
    """The checks of the site's latest verification; None if there was none.

    Raises:
        UserError: the file is damaged.
    """
    file = path(site)
    hint = f"run `gigasite verify {site}` again"
    data = read_object(file, hint)
    if data is None:
        return None
    try:
        return Checks(tuple(_check(entry) for entry in data["checks"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damage_error(file, f"this is no list of checks ({error})", hint) from error


def _check(entry: dict[str, Any]) -> Check:
    return Check(
        name=entry["name"],
        machine=entry.get("machine") or "",
        outcome=entry["outcome"],
        seconds=float(entry.get("seconds", 0)),
        proved_on=ProvedOn(entry["proved_on"]),
        message=entry.get("message") or "",
        output=entry.get("output") or "",
    )
