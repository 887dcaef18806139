"""The pipeline: order, records after each step, failures, interrupts, one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from infra import cli, paths
from infra.cli import up
from infra.errors import UserError
from infra.pipeline import execution, run_plan
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
    with pytest.raises(UserError, match="no run record of this version"):
        record.load("lab")


def test_only_the_steps_asked_for_and_the_declaration(monkeypatch):
    assert up._select_steps(["configure,verify", "report"], dry_run=False) == {
        "declare",
        "configure",
        "verify",
        "report",
    }
    assert up._select_steps(None, dry_run=True) == {"declare", "preview"}
    assert up._select_steps(None, dry_run=False) == set(up.TITLES)


def test_an_unknown_step_is_wrong_usage(capsys):

    assert cli.main(["up", "lab", "--step", "konfigure"]) == 2
    assert "konfigure" in capsys.readouterr().err


def test_an_error_says_what_was_done_and_how_to_go_on(start):
    steps = [Step(name, name, lambda _: Done("")) for name in ("declare", "image", "up")]
    run = start(declare=lambda _: Done(""), image=lambda _: Done(""))
    run.declared = object()
    error = up._resumable(UserError("no"), run, steps)
    assert error.done == "Done: declare, image; left: up. `gigasite up lab` goes on from here."


def test_steps_of_an_earlier_run_do_not_count(start):
    whole = start(first=lambda _: Done("one"), second=lambda _: Done("two")).record
    first, second = whole.steps
    earlier = first.model_copy(update={"started": whole.started - timedelta(hours=1), "seconds": 480.0})
    again = whole.model_copy(update={"steps": (earlier, second)})
    assert again.seconds == second.seconds
    assert whole.seconds == first.seconds + second.seconds


@pytest.mark.parametrize(("seconds", "words"), [(7.44, "7.4 s"), (59.9, "59.9 s"), (192, "3 min 12 s")])
def test_durations(seconds, words):
    assert duration(seconds) == words


def declared(root, text="name: lab\n"):
    folder = root / "inventories" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(text)
    return folder


def plan_it(run):
    run.basis = run_plan.basis_of("lab")
    run_plan.keep("lab", run.basis, {"machines": 5})
    return Done("planned")


def test_a_run_stops_where_its_declaration_is_no_longer_the_planned_one(start, elsewhere):
    declared(elsewhere)
    shown = []

    def report(run):
        shown.append(run.basis)
        return Done("")

    with pytest.raises(UserError, match=r"site\.yaml changed since this run planned it, before step third"):
        start(
            first=plan_it,
            second=lambda _: declared(elsewhere, "name: lab\ntitle: other\n") and Done(""),
            third=lambda _: Done(""),
            report=report,
            always=("report",),
        )
    assert outcomes() == {
        "first": Outcome.DONE, "second": Outcome.DONE, "third": Outcome.FAILED, "report": Outcome.DONE,
    }  # fmt: skip
    assert shown == [run_plan.read_basis("lab")]
    assert "changed since this run planned it" in (elsewhere / "out/lab/logs/report.log").read_text()
    assert (elsewhere / "out/lab/plan/site.yaml").read_text() == "name: lab\n"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("inventories/lab/site.yaml", "inventories/lab/site.yaml changed"),
        ("inventories/lab/group_vars/all.yaml", "files beside it in inventories/lab changed"),
        ("infra/spec/catalog/switches/s.yaml", "the catalog (infra/spec/catalog) changed"),
        ("templates/etc/x.j2", "the code of gigasite changed"),
    ],
)
def test_verbs_say_what_changed_since_the_latest_run(start, elsewhere, file, said):
    declared(elsewhere)
    assert run_plan.describe_changes("lab") == ""
    start(first=plan_it)
    assert run_plan.describe_changes("lab") == ""
    (elsewhere / file).parent.mkdir(parents=True, exist_ok=True)
    (elsewhere / file).write_text("another: 1\n")
    assert run_plan.describe_changes("lab").startswith(f"{said} since the plan of the latest run")


def test_what_an_editor_leaves_beside_files_is_no_change(start, elsewhere):
    folder = declared(elsewhere)
    start(first=plan_it)
    for name in (".site.yaml.swp", "site.yaml~", "#site.yaml#", ".DS_Store"):
        (folder / name).write_text("")
    (folder / ".#site.yaml").symlink_to("nowhere")
    assert run_plan.describe_changes("lab") == ""


def test_a_damaged_list_of_hashes_is_one_line(start, elsewhere):
    declared(elsewhere)
    start(first=plan_it)
    (elsewhere / "out/lab/plan/basis.json").write_text("{}")
    with pytest.raises(UserError, match="this file is damaged"):
        run_plan.describe_changes("lab")
