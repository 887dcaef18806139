"""The error boundary: one message, one exit code, and a traceback only for bugs."""

from __future__ import annotations

import errno

import pytest
import typer

from infra import cli, paths
from infra.cli import app, boundary
from infra.engine import EngineError
from infra.errors import Problem, Problems, UserError

pytestmark = pytest.mark.unit


@pytest.fixture
def raising(monkeypatch, tmp_path):
    """A verb that raises what it is given; bugs are saved elsewhere."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)

    def call(error):
        def verb():
            raise error

        def load(_name):
            inner = typer.Typer(add_completion=False)
            inner.command()(verb)
            return typer.main.get_command(inner)

        monkeypatch.setattr(app, "load", load)
        return cli.main(["doctor"])

    return call


def test_a_user_error_says_what_where_hint_and_how_to_resume(raising, capsys):
    error = UserError("the port is in use", where="lab-head", hint="stop what uses it", done="Run it again.")
    assert raising(error) == 1
    assert (
        capsys.readouterr().err == "error: lab-head: the port is in use, stop what uses it\nRun it again.\n"
    )


def test_problems_are_one_line_each_that_begins_with_the_place(raising, capsys):
    problems = Problems(
        [Problem("b.yaml", 3, "$.x", "unknown key"), Problem("a.yaml", 9, "$.y", "missing", "add it")]
    )
    assert raising(problems) == 1
    assert capsys.readouterr().err.splitlines() == [
        "a.yaml:9: $.y: missing, add it",
        "b.yaml:3: $.x: unknown key",
    ]


def test_an_engine_error_is_the_users_too(raising, capsys):
    class LockedError(EngineError):
        pass

    assert raising(LockedError("the stack is locked", hint="see `gigasite cancel`")) == 1
    assert "the stack is locked, see `gigasite cancel`" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_system_refuses_is_no_bug(raising, capsys, number):
    assert raising(OSError(number, "refused", "/some/file")) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: /some/file: ")
    assert "Traceback" not in said


def test_a_bug_exits_3_and_keeps_its_traceback_in_a_file(raising, capsys, tmp_path):
    assert raising(ZeroDivisionError("by nought")) == 3
    said = capsys.readouterr().err
    assert "this is a bug in gigasite: ZeroDivisionError: by nought" in said
    assert "Traceback" not in said
    (saved,) = (tmp_path / "out").glob("bug-*.txt")
    assert str(saved) in said
    assert "ZeroDivisionError" in saved.read_text()


def test_a_bug_that_cannot_be_saved_is_printed_whole(raising, capsys, monkeypatch):
    monkeypatch.setattr(boundary, "_save", lambda _text: None)
    assert raising(ZeroDivisionError("by nought")) == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_exits_130_and_says_how_to_go_on(raising, capsys):
    assert raising(KeyboardInterrupt()) == 130
    assert "`gigasite doctor` goes on from there" in capsys.readouterr().err
