"""Limits of checks: Ansible's patterns; what picks nothing is one line; a machine that is away fails once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from infra.paths import ROOT
from infra.pipeline import verification

pytestmark = pytest.mark.unit


def checks(folder, *words):
    """Collects, or runs, the checks of the lab, whose machines are off."""
    target = folder / "verify.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "tests/verify", "--site", "lab", "-q", "-p", "no:cacheprovider",
            "--verify-json", target, *words,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert "INTERNALERROR" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    return done, json.loads(target.read_text())["checks"] if target.exists() else []


@pytest.mark.parametrize(
    ("limit", "machines"),
    [
        ("role_tray", {"pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"}),
        ("pod_pod_01:&role_switch", {"pod-01-leaf-01"}),
    ],
)
def test_a_limit_is_an_ansible_pattern(tmp_path, limit, machines):
    done, _ = checks(tmp_path, "--limit", limit, "--collect-only")
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if "::" in line]
    assert {line.partition("[")[2].rstrip("]") for line in lines} == machines


@pytest.mark.parametrize(
    ("limit", "said"),
    [("role_trey", "nothing is named 'role_trey'"), ("role_tray:&role_switch", "picks no machine")],
)
def test_a_limit_that_picks_nothing_is_one_line(tmp_path, limit, said):
    done, _ = checks(tmp_path, "--limit", limit)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1
    assert said in lines[0]


def test_a_machine_that_is_away_fails_once(tmp_path):
    done, found = checks(tmp_path, "--limit", "lab-storage", "-k", "services_run or unit_failed or users")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    failed = [check for check in found if check["outcome"] not in {"passed", "skipped"}]
    assert len(failed) == 1
    assert "lab-storage does not answer" in failed[0]["message"]
    assert {check["message"] for check in found} - {failed[0]["message"]} == {
        "Skipped: not checked: lab-storage does not answer"
    }


def test_a_part_does_not_overwrite_the_whole():
    assert verification.results("lab") != verification.results("lab", part=True)
    whole, part = verification.words("lab"), verification.words("lab", ["--limit", "role_tray"])
    assert not {word for word in whole if "verify." in word} & {word for word in part if "verify" in word}
