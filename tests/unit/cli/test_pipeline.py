"""The pipeline: order, records after each step, failures, interrupts, one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from infra import cli, paths
from infra.cli import up
from infra.errors import UserError
from infra.pipeline import execution
from infra.pipeline.execution import Done, Step
from infra.pipeline.progress import Progress, duration
from infra.report import record
from infra.report.record import Outcome

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def start():
    """Runs steps given as name → what it does."""

    def go(*, always=(), **work):
        steps = [Step(name, name.title(), do, always=name in always) for name, do in work.items()]
        with Progress([(step.name, step.title) for step in steps]) as progress:
            run = execution.Run(
                site="lab", engine="embedded", yes=True, dry_run=False, simulate=False, limit=None,
                progress=progress, record=execution.new_record("lab", ["gigasite", "up", "lab"]),
            )  # fmt: skip
            execution.execute(run, steps)
        return run

    return go


def outcomes():
    return {step.name: step.outcome for step in record.load("lab").steps}


def test_runs_in_order_and_records_what_each_did(start, elsewhere):
    start(first=lambda _: Done("one", changes=3), second=lambda _: Done("two", skipped=True))
    steps = record.load("lab").steps
    assert [(s.name, s.outcome, s.summary, s.changes) for s in steps] == [
        ("first", Outcome.DONE, "one", 3),
        ("second", Outcome.SKIPPED, "two", None),
    ]
    (line,) = (elsewhere / "out" / "lab" / "history.jsonl").read_text().splitlines()
    assert json.loads(line)["outcome"] == "done"


def test_the_record_is_on_disk_while_a_step_runs(start):
    seen = []
    start(first=lambda _: Done("one"), second=lambda _: seen.append(outcomes()) or Done("two"))
    assert seen == [{"first": Outcome.DONE, "second": Outcome.RUNNING}]


def test_a_failure_stops_all_but_what_always_runs_and_is_raised(start):
    def fail(_run):
        raise UserError("no room")

    with pytest.raises(UserError, match="no room"):
        start(first=fail, second=lambda _: Done(""), report=lambda _: Done(""), always=("report",))
    assert outcomes() == {"first": Outcome.FAILED, "report": Outcome.DONE}
    assert record.load("lab").outcome is Outcome.FAILED


def test_an_interrupt_stops_all_and_is_recorded(start):
    def interrupted(_run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(first=interrupted, report=lambda _: Done(""), always=("report",))
    assert outcomes() == {"first": Outcome.INTERRUPTED}


def test_each_step_has_its_log_and_its_parts(start, elsewhere):
    def work(run):
        run.say("building")
        run.log("a detail")
        with run.part("half"):
            pass
        return Done("")

    start(first=work)
    text = (elsewhere / "out" / "lab" / "logs" / "first.log").read_text()
    assert "building" in text
    assert "a detail" in text
    assert record.load("lab").steps[0].parts[0][0] == "half"


def test_a_second_command_on_the_same_site_is_refused_and_told_who_holds_it(elsewhere):
    code = "from infra.pipeline.execution import only_one\nwith only_one('lab'): print('in')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = (
        f"from pathlib import Path; from infra import paths; paths.ROOT = Path({str(elsewhere)!r})\n{code}"
    )
    with execution.only_one("lab"):
        held = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
        )
        assert str(os.getpid()) in held.stderr
        assert "another command works on site lab" in held.stderr
    free = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert free.stdout == "in\n"


def test_a_damaged_record_is_the_users_to_replace(elsewhere):
    record.path("lab").write_text("{")
    with pytest.raises(UserError, match="not a run record"):
        record.load("lab")


def test_only_the_steps_asked_for_and_the_declaration(monkeypatch):
    assert up._wanted(["configure,verify", "report"], dry_run=False) == {
        "declare",
        "configure",
        "verify",
        "report",
    }
    assert up._wanted(None, dry_run=True) == {"declare", "preview"}
    assert up._wanted(None, dry_run=False) == set(up.TITLES)


def test_an_unknown_step_is_wrong_usage(capsys):

    assert cli.main(["up", "lab", "--step", "konfigure"]) == 2
    assert "konfigure" in capsys.readouterr().err


def test_an_error_says_what_was_done_and_how_to_go_on(start):
    steps = [Step(name, name, lambda _: Done("")) for name in ("declare", "image", "up")]
    run = start(declare=lambda _: Done(""), image=lambda _: Done(""))
    run.declared = object()
    error = up._resumable(UserError("no"), run, steps)
    assert error.done == "Done: declare, image; left: up. `gigasite up lab` goes on from here."


@pytest.mark.parametrize(("seconds", "words"), [(7.44, "7.4 s"), (59.9, "59.9 s"), (192, "3 min 12 s")])
def test_durations(seconds, words):
    assert duration(seconds) == words
