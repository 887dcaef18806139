"""A finished run of the lab, made up in every detail but its plan."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra import paths, spec
from infra.plan import machines_of, plan
from infra.report.checks import Check, Checks, ProvedOn
from infra.report.record import ConfiguredRecord, Host, Outcome, RunRecord, StackRecord, StepRecord

SRUN = "pod-01-su-01-rack-01-tray-01\npod-01-su-01-rack-01-tray-02\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Nothing of the checkout's own runs is read or written; the declarations are."""
    for folder in ("inventories", "playbooks", "templates"):
        (tmp_path / folder).symlink_to(paths.ROOT / folder)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def lab():
    return plan(spec.load_site("lab"))


@pytest.fixture
def record(lab):
    def step(name, seconds, summary, outcome=Outcome.DONE, **more):
        return StepRecord(
            name=name,
            outcome=outcome,
            seconds=seconds,
            summary=summary,
            started=datetime(2026, 1, 1, tzinfo=UTC),
            **more,
        )

    return RunRecord(
        site="lab",
        command=("gigasite", "up", "lab"),
        started=datetime(2026, 1, 1, 12, 0, tzinfo=UTC),
        version="gigasite 0.1.0 (abc1234)",
        engine="embedded",
        acceleration="tcg: /dev/kvm is missing",
        start_mode="a template's saved memory (fast start)",
        host=Host(system="Debian GNU/Linux 12", cores=2, memory_gib=23.5, python="3.11.2"),
        steps=(
            step("declare", 0.8, "5 machines, 2 stacks", parts=(("read", 0.3), ("plan", 0.5))),
            step("image", 12.4, "image 0123456789abcdef, acceleration tcg"),
            step("up", 41.0, "12 created", changes=12),
            step("configure", 190.2, "62 changes", changes=62),
            step("verify", 30.0, "1 failed", outcome=Outcome.FAILED),
        ),
        stacks=(
            StackRecord(stack="lab", counts={"create": 6}, seconds=20),
            StackRecord(stack="lab.pod-01", counts={"create": 6}, seconds=21),
        ),
        configured=tuple(
            ConfiguredRecord(machine=m.name, ok=30, changed=12, failed=0, skipped=3) for m in machines_of(lab)
        ),
    )


@pytest.fixture
def checks(lab):
    names = [machine.name for machine in machines_of(lab)]
    return Checks(
        (
            *(Check("time comes from the head node", name, "passed", 0.4, ProvedOn.VM) for name in names),
            *(Check("power is on, says the BMC", name, "passed", 0.2, ProvedOn.EMULATED) for name in names),
            Check("a job runs on every tray", "", "passed", 6.0, ProvedOn.VM, output=SRUN),
            Check("munge is running", names[-1], "failed", 0.3, ProvedOn.VM, message="munge is <inactive>"),
        )
    )
