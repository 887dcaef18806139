"""The table of verbs: each loads, says what it does, and costs nothing until it is called."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from infra import cli
from infra.cli import app, bench, verbs

pytestmark = pytest.mark.unit

# What makes a start slow; none of it is needed to show the help.
HEAVY = ("polars", "pulumi", "grpc", "pydantic", "ansible", "jinja2", "libvirt", "cryptography")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from infra.cli import run; run()", *words],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100", **environment},
    )  # fmt: skip


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys; from infra.cli import main; main(['--help']);"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("loaded: []"), done.stdout[-200:]
    for name, verb in verbs.available().items():
        assert f" {name} " in done.stdout
        assert verb.help.split()[0] in done.stdout


def test_no_verbs_help_imports_polars():
    """A shell that completes a verb's options asks for them at each Tab."""
    code = (
        "import sys; from infra.cli import verbs; from infra.cli.app import load;"
        "print(*(name for name in verbs.available() if load(name) and 'polars' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"  # of several, the first that is named does it


@pytest.mark.parametrize("name", verbs.available())
def test_every_verb_has_help(name, capsys):
    assert cli.main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: gigasite {name}" in said


@pytest.mark.parametrize("name", ["up", "down", "configure", "verify", "report", "doctor", "test"])
def test_the_main_verbs_are_there(name):
    assert name in verbs.available()


def test_a_verb_whose_module_is_missing_is_not_offered(monkeypatch, capsys):
    monkeypatch.setitem(verbs.VERBS, "absent", verbs.Verb("infra.cli.absent", verbs.MAIN, "Is not there."))
    assert cli.main(["--help"]) == 0
    assert "absent" not in capsys.readouterr().out
    assert cli.main(["absent"]) == 2


def test_an_unknown_verb_is_wrong_usage_and_names_a_near_one():
    done = run("verfy")
    assert done.returncode == 2
    assert "verify" in done.stderr


def test_a_verb_may_return_its_exit_code(monkeypatch):
    monkeypatch.setattr(app, "load", lambda _name: _command(7))
    assert cli.main(["doctor"]) == 7
    monkeypatch.setattr(app, "load", lambda _name: _command(None))
    assert cli.main(["doctor"]) == 0


def test_no_colour_where_nobody_looks_or_nobody_wants_it():
    assert "\x1b" not in run("--help").stdout
    assert "\x1b" not in run("up", "nowhere").stderr


def test_completion_completes_verbs_and_sites():
    shell = {"_GIGASITE_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "gigasite con"}
    assert "configure" in run(**shell).stdout.split()
    shell = {"_GIGASITE_COMPLETE": "complete_bash", "COMP_CWORD": "2", "COMP_WORDS": "gigasite up l"}
    assert run(**shell).stdout.split() == ["lab"]


def _command(result):
    inner = typer.Typer(add_completion=False)
    inner.command()(lambda: result)
    return typer.main.get_command(inner)


def test_a_benchmark_is_a_file_in_its_folder(tmp_path, monkeypatch):
    (tmp_path / "nothing.py").write_text('def command():\n    """Time nothing at all."""\n')
    (tmp_path / "helper.py").write_text("def measure():\n    pass\n")
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    assert bench.benchmarks() == {"nothing": "Time nothing at all."}
