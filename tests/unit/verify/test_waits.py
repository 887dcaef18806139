"""Waiting in checks: it ends at the first good answer, or where there is no hope, and counts answers."""

from __future__ import annotations

import importlib.util

import pytest

from infra.paths import ROOT

pytestmark = pytest.mark.unit


@pytest.fixture
def checks(monkeypatch):
    """The module that the checks share, with pauses that take no time."""
    spec = importlib.util.spec_from_file_location(
        "verify_conftest", ROOT / "tests" / "verify" / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


@pytest.fixture
def machine(checks):
    """Makes a shell whose machine says these texts one after the other, the last one for ever."""

    def make(*texts):
        shell = checks.Shell.__new__(checks.Shell)
        shell.name, shell.away, shell.told, shell.answers, shell.asked = "one", None, False, {}, 0

        def ask(commands):
            for command in commands:
                if command not in shell.answers:
                    shell.answers[command] = checks.Answer(0, texts[min(shell.asked, len(texts) - 1)])
                    shell.asked += 1

        shell.ask = ask
        return shell

    return make


def test_it_ends_at_the_first_good_answer(machine):
    shell = machine("no", "no", "yes", "later")
    assert shell.wait("state", "yes".__eq__) == "yes"
    assert shell.asked == 3


def test_what_was_asked_before_counts(machine):
    shell = machine("yes")
    shell.ask(["state"])
    assert shell.wait("state", "yes".__eq__) == "yes"
    assert shell.asked == 1


def test_it_ends_where_there_is_no_hope(machine):
    shell = machine("no", "dead", "yes")
    assert shell.wait("state", "yes".__eq__, hopeless="dead".__eq__) == "dead"


def test_it_gives_up_after_so_many_answers_however_long_they_take(machine, checks):
    shell = machine("no")
    assert shell.wait("state", "yes".__eq__) == "no"
    assert shell.asked == checks.PATIENCE + 1
