"""Each recorded scenario, strictly, as a test of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import compare  # noqa: E402 (beside this file)

pytestmark = pytest.mark.conformance

NAMES = sorted(path.stem for path in (HERE / "scenarios").glob("*.yaml"))


def test_every_scenario_has_its_recording() -> None:
    assert sorted(path.stem for path in (HERE / "expected").glob("*.json")) == NAMES
    assert len(NAMES) >= 44


@pytest.mark.parametrize("name", NAMES)
def test_scenario(name: str) -> None:
    # A process of its own: a run changes the environment, and the SDK knows one program in a process.
    done = subprocess.run(
        [sys.executable, HERE / "run.py", "--all", name],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def test_a_difference_fails(tmp_path: Path) -> None:
    """The comparison can fail: an expectation changed by one digit does."""
    scenarios, expected = tmp_path / "scenarios", tmp_path / "expected"
    scenarios.mkdir()
    expected.mkdir()
    (scenarios / "empty_program.yaml").write_text((HERE / "scenarios" / "empty_program.yaml").read_text())
    recording = (HERE / "expected" / "empty_program.json").read_text()
    assert recording.count('"create": 1') == 1
    (expected / "empty_program.json").write_text(recording.replace('"create": 1', '"create": 2'))
    done = subprocess.run(
        [sys.executable, HERE / "run.py", "--scenarios", scenarios, "--expected", expected],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "expected 2, got 1" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"


def test_only_what_is_left_to_chance_may_differ() -> None:
    """Ids of independent resources of one name may be exchanged; only what `chance` names may be missing."""
    expected = json.loads((HERE / "expected" / "duplicate_urn.json").read_text())
    exchanged = json.dumps(expected["steps"][1]).replace("x-1", "x-0").replace("x-2", "x-1")
    actual = {"steps": [expected["steps"][0], json.loads(exchanged.replace("x-0", "x-2"))]}
    assert compare.compare(expected, actual) == []
    actual["steps"][1] = json.loads(exchanged)
    assert compare.compare(expected, actual)

    expected = json.loads((HERE / "expected" / "bad_paths.json").read_text())
    assert compare.compare(expected, {"steps": [_lacking(step, "b") for step in expected["steps"]]}) == []
    assert compare.compare(expected, {"steps": [_lacking(step, "a") for step in expected["steps"]]})


def _lacking(step: dict[str, Any], name: str) -> dict[str, Any]:
    """A step as it would be recorded without a resource."""
    urns = {one["urn"] for one in step["state"]["resources"] if one["urn"].endswith(f"::{name}")}
    return compare.without(step, urns)
