"""The suite's own run: what `isvctl` found is read by test id, and the acceptance table counts it."""

from __future__ import annotations

import os

import pytest

from infra.acceptance import suite
from infra.acceptance.suite import run_suites
from infra.errors import UserError
from infra.report import acceptance
from infra.report.acceptance import Asked, Case, Results, judge

pytestmark = pytest.mark.unit

ISVCTL = """#!/bin/sh
# Leave a report as isvctl does, and what it was called with.
echo "$@" >> "$PWD/called"
echo "$GIGASITE_SITE $GIGASITE_MACHINE $GIGASITE_HEAD $(command -v sinfo)" >> "$PWD/called"
while [ "$1" != --junitxml ]; do shift; done
cat > "$2" <<'XML'
<testsuites><testsuite name="x">
<testcase name="SlurmInfoAvailable"/>
<testcase name="test_validation[SlurmPartition-cpu]"><failure message="no partition"/></testcase>
<testcase name="test_validation[SlurmPartition-gpu]"/>
<testcase name="SlurmGpuAllocation-1gpu"><skipped message="no accelerator"/></testcase>
<testcase name="Unnumbered"/>
</testsuite></testsuites>
XML
"""
CHECKS = """
tests:
  validations:
    slurm:
      checks:
        SlurmInfoAvailable: {test_id: SLURM02-01}
        SlurmPartition-cpu: {test_id: SLURM03-01}
        SlurmPartition-gpu: {test_id: SLURM03-01}
        SlurmGpuAllocation-1gpu: {test_id: SLURM05-01}
        Unnumbered: {test_id: N/A}
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout whose isvctl is a script, and an empty folder of results."""
    folder = tmp_path / "suite"
    (folder / "isvctl" / "configs" / "suites").mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "isvctl" / "configs" / "suites" / "slurm.yaml").write_text(CHECKS)
    program = folder / ".venv" / "bin" / "isvctl"
    program.write_text(ISVCTL)
    program.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    for module in (suite, acceptance):
        monkeypatch.setattr(module.paths, "out", lambda _site: out)
    return folder


def test_a_run_is_read_by_test_id(checkout):
    run_suites("lab", checkout, ["slurm"])
    found = acceptance.results_of("lab")
    assert [(case.id, case.outcome, case.message) for case in found.cases] == [
        ("SLURM02-01", "passed", ""),
        ("SLURM03-01", "failed", "no partition"),
        ("SLURM03-01", "passed", ""),
        ("SLURM05-01", "skipped", "no accelerator"),
    ]
    words, told = (checkout / "called").read_text().splitlines()
    assert f"-f {suite.FOLDER / 'config' / 'slurm.yaml'}" in words
    assert told == (f"lab pod-01-su-01-rack-01-tray-01 lab-head {suite.FOLDER / 'bin' / 'sinfo'}")


def test_a_run_of_one_suite_leaves_what_others_found(checkout):
    other = Case(
        id="CNP01-05", check="BmHostRebootedCheck", outcome="passed", suite="bare_metal", when="2026-01-02"
    )
    old = Case(id="SLURM04-01", check="gone", outcome="passed", suite="slurm")
    acceptance.results_path("lab").write_text(Results(when="then", cases=(other, old)).model_dump_json())
    run_suites("lab", checkout, ["slurm"])
    found = acceptance.results_of("lab").cases
    assert found[0] == other
    assert all(case.when for case in found[1:]), "each has the time of its own run"
    assert old not in found


def test_what_cannot_be_run_is_said(checkout, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no checkout"):
        run_suites("lab", tmp_path / "nothing")
    with pytest.raises(UserError, match="no suite nonsense"):
        run_suites("lab", checkout, ["nonsense"])
    (checkout / ".venv" / "bin" / "isvctl").unlink()
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    with pytest.raises(UserError, match="isvctl is not installed"):
        run_suites("lab", checkout, ["slurm"])


def test_damaged_results_are_one_line(checkout):
    acceptance.results_path("lab").write_text('{"when": 1}')
    with pytest.raises(UserError, match="no list of results"):
        acceptance.results_of("lab")


CASE = Case(id="A01-01", check="ACheck", outcome="passed", suite="slurm")


@pytest.mark.parametrize(
    ("cases", "level", "says"),
    [
        ((), None, "did not check it"),
        ((CASE.model_copy(update={"outcome": "skipped"}),), None, "did not check it"),
        ((CASE,), "vm", "slurm/ACheck passed; now"),
        (
            (CASE, CASE.model_copy(update={"outcome": "failed", "message": "why"})),
            None,
            "ACheck failed, now: why",
        ),
    ],
)
def test_an_id_is_proved_if_all_its_checks_passed(cases, level, says):
    asked = Asked(ids=("A01-01", "A01-02"), asked="a thing", want="vm", suite="vm")
    one, other = judge([asked], [], "then", Results(when="now", cases=cases))
    assert (one.level, other.level) == (level, None)
    assert says in one.evidence
    assert "did not check it" in other.evidence


@pytest.mark.parametrize(
    ("check", "suite_level", "level"),
    [("vm", "emulated", "vm"), ("emulated", "vm", "vm"), (None, "emulated", "emulated"), ("vm", None, "vm")],
)
def test_the_better_proof_counts(check, suite_level, level):
    asked = Asked(ids=("A01-01",), asked="a thing", want="vm", checks=("test_a.py::one",), suite=suite_level)
    ran = [{"id": "test_a.py::one", "outcome": "passed", "proved_on": check}] if check else []
    (row,) = judge([asked], ran, "then", Results(when="now", cases=(CASE,)))
    assert row.level == level
