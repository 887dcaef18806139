"""Content of the report, as data: the page is drawn from it and report.json is it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from infra import paths
from infra.plan import findings, machines_of, summary
from infra.render.matrix import Matrix
from infra.report import fidelity
from infra.report.checks import Check, ProvedOn
from infra.report.record import Outcome, RunRecord
from infra.rollout.outputs import checkpoints, machine_outputs, resources
from infra.state_files import damage_error, parse_object, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.plan import Plan
    from infra.plan.tables.machines import Machine
    from infra.report.checks import Checks

MOST_MACHINES = 200
"""A page with more rows than this is not read; the JSON of `gigasite plan` has them all."""
KEPT_HISTORY = 12


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MachineRow(_Part):
    """One machine: what the plan says of it, and what its BMC said (empty before it is made)."""

    name: str
    role: str
    place: str
    platform: str
    management_address: str
    loopback: str
    bmc: str
    serial: str
    power_state: str
    cables: tuple[str, ...]


class ResourceRow(_Part):
    """How many resources of one type a stack holds."""

    stack: str
    type: str
    count: int


class CheckRow(_Part):
    """One check with its outcome on each machine: (machine, outcome, message)."""

    name: str
    proved_on: ProvedOn
    results: tuple[tuple[str, str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether it passed wherever it ran."""
        return all(outcome == "passed" for _, outcome, _ in self.results)


class MatrixRow(_Part):
    """Traffic that one zone may send to another; `ports` is `all` where nothing is allowed, or everything."""

    source: str
    target: str
    allowed: bool
    ports: str
    reason: str


class Job(_Part):
    """Output of a job, and the check that ran it."""

    check: str
    output: str


class EarlierRun(_Part):
    """One line of the site's history."""

    started: datetime
    seconds: float
    outcome: Outcome
    engine: str


class Report(_Part):
    """Everything that the page shows.

    Attributes:
        title: of the site.
        record: of the run.
        declared: (what, value) of the plan's summary.
        findings: (severity, message) of the admission checks.
        machines: empty for a site too big to list.
        matrix: every pair of zones; empty without zones.
        resources: what the stacks hold now.
        checks: one row per check.
        jobs: what jobs printed.
        fidelity: the table.
        hardware_only: what nothing here proves.
        earlier: earlier runs, latest first.
    """

    title: str
    record: RunRecord
    declared: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str], ...]
    machines: tuple[MachineRow, ...]
    matrix: tuple[MatrixRow, ...]
    resources: tuple[ResourceRow, ...]
    checks: tuple[CheckRow, ...]
    jobs: tuple[Job, ...]
    fidelity: tuple[fidelity.Row, ...]
    hardware_only: tuple[str, ...]
    earlier: tuple[EarlierRun, ...]


def build(record: RunRecord, plan: Plan, checks: Checks | None) -> Report:
    """Gather the report of a run.

    Args:
        record: of the run.
        plan: of the site.
        checks: of its verification; None if there was none.
    """
    found = checks.checks if checks else ()
    machines = select_machines(plan)
    outputs = machine_outputs(record.site)
    return Report(
        title=plan.site.title or record.site,
        record=record,
        declared=tuple(_flat(summary(plan))),
        findings=tuple((str(finding.severity), finding.message) for finding in findings(plan)),
        machines=tuple(_machine(machine, outputs.get(machine.name, {})) for machine in machines),
        matrix=tuple(_matrix(plan)),
        resources=tuple(_resources(record.site)),
        checks=_check_rows(found),
        jobs=tuple(Job(check=check.name, output=check.output) for check in found if check.output),
        fidelity=fidelity.rows(found),
        hardware_only=fidelity.load().hardware_only,
        earlier=tuple(_earlier(record)),
    )


def select_machines(plan: Plan) -> tuple[Machine, ...]:
    """The machines that the report lists and draws: all of a small site, none of a big one."""
    if plan.site.stand_ins is None:
        return ()
    machines = machines_of(plan)
    return tuple(machines) if len(machines) <= MOST_MACHINES else ()


def _flat(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for full, found in summary.items():
        key, value = _small(full, found)
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, bool | int | float | str) and value not in (0, "", None):
            yield name, _number(value)


def _small(key: str, value: Any) -> tuple[str, Any]:
    """A lab's watts and gigabytes, where a site has megawatts and exabytes."""
    for big, small, factor in (("_mw", "_w", 1e6), ("_eb", "_gb", 1e9)):
        if key.endswith(big) and isinstance(value, float) and 0 < value < 0.01:
            return key.removesuffix(big) + small, round(value * factor, 6)
    return key, value


def _number(value: Any) -> str:
    """With thousands separators, and no more digits than anybody reads."""
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        return f"{value:.2g}"
    if isinstance(value, float):
        digits = max(0, 3 - int(math.log10(abs(value) or 1))) if abs(value) < 1000 else 0
        return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _machine(machine: Machine, outputs: Mapping[str, Any]) -> MachineRow:
    place = machine.rack or machine.su or machine.pod or "site"
    return MachineRow(
        name=machine.name,
        role=machine.role,
        place=f"{place}, U{machine.unit}" if machine.unit else place,
        platform=machine.platform,
        management_address=machine.management_address,
        loopback=machine.loopback or "",
        bmc=machine.bmc.url,
        serial=str(outputs.get("serial", "")),
        power_state=str(outputs.get("powerState", outputs.get("power_state", ""))),
        cables=tuple(
            f"{nic.name} → {nic.peer[0]} {nic.peer[1]}" + (f" ({nic.address})" if nic.address else "")
            for nic in machine.nics
            if nic.peer
        ),
    )


def _matrix(plan: Plan) -> Iterator[MatrixRow]:
    if not plan.site.security.zones:
        return
    for pair in Matrix(plan.site).pairs():
        for one in pair.passes:
            yield MatrixRow(
                source=pair.source, target=pair.target, allowed=True, ports=one.ports, reason=one.reason
            )
        if not pair.passes:
            yield MatrixRow(
                source=pair.source, target=pair.target, allowed=pair.open, ports="all", reason=pair.reason
            )


def _resources(site: str) -> Iterator[ResourceRow]:
    for file in checkpoints(site):
        counts: dict[str, int] = {}
        for resource in resources(file):
            kind = str(resource.get("type"))
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            yield ResourceRow(stack=file.stem, type=kind, count=count)


def _check_rows(checks: Sequence[Check]) -> tuple[CheckRow, ...]:
    groups: dict[tuple[str, ProvedOn], list[Check]] = {}
    for check in checks:
        groups.setdefault((check.name, check.proved_on), []).append(check)
    return tuple(
        CheckRow(
            name=name,
            proved_on=kind,
            results=tuple((check.machine, check.outcome, check.message) for check in members),
        )
        for (name, kind), members in groups.items()
    )


def _earlier(record: RunRecord) -> Iterator[EarlierRun]:
    file = paths.out(record.site) / "history.jsonl"
    hint = "remove it: the report then compares with no earlier run"
    for line in reversed((read_text(file, hint) or "").splitlines()[-KEPT_HISTORY:]):
        entry = parse_object(line, file, hint)
        try:
            run = EarlierRun(
                started=entry["started"],
                seconds=entry["seconds"],
                outcome=entry["outcome"],
                engine=entry["engine"],
            )
        except (KeyError, ValueError) as error:
            raise damage_error(file, "a line is no run", hint) from error
        if run.started != record.started:
            yield run
