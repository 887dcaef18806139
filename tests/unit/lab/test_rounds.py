"""Rounds of the lab, with a command line that is made up: who is busy meanwhile, and when it ends."""

from __future__ import annotations

import os
import subprocess

import psutil
import pytest

from infra import paths
from tests.lab import rounds

pytestmark = pytest.mark.unit


def children():
    """Processes that this one has started; not by their command lines, which are empty while they start."""
    return {child.pid for child in psutil.Process().children()}


def spinning():
    """How many processes were started since the test began."""
    return len(children() - Lab.before)


class Lab:
    def __init__(self, **_):
        pass

    def run(self, *words):
        Lab.said.append((words[0], spinning()))
        code = Lab.fails.get(len(Lab.said), 0)
        return subprocess.CompletedProcess(words, code, "what it printed", "")


@pytest.fixture(autouse=True)
def made_up(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(rounds, "is_up", lambda: False)
    monkeypatch.setattr(rounds, "Lab", Lab)
    Lab.said, Lab.fails, Lab.before = [], {}, children()


def test_the_first_rounds_are_busy_and_nothing_stays():
    assert rounds.main(["--rounds", "2", "--busy", "1"]) == 0
    cores = os.cpu_count()
    assert Lab.said == [("up", cores), ("down", cores), ("up", 0), ("down", 0)]
    assert spinning() == 0


def test_it_ends_at_the_first_round_that_is_not_green(capsys):
    Lab.fails = {3: 1}
    assert rounds.main(["--rounds", "5", "--busy", "0"]) == 1
    assert [word for word, _ in Lab.said] == ["up", "down", "up"]
    assert "not green: up ended with 1" in capsys.readouterr().out


def test_a_lab_that_is_up_is_left_alone(monkeypatch):
    monkeypatch.setattr(rounds, "is_up", lambda: True)
    assert rounds.main([]) == 1
    assert not Lab.said
