"""Which Python runs a project's sources, and what its environment says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.engine import EngineError, Options, Result, run
from infra.engine.backend.backend import FileBackend
from infra.engine.events import DiagnosticEvent
from infra.engine.resource.stack_ref import StackRef
from infra.engine.workspace.project_file import load_project
from infra.engine.workspace.toolchain import Interpreter, ambient, interpreter_of

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.events import Event

pytestmark = pytest.mark.conformance

# What the program has, and what a child of it and its dynamic provider find.
PROGRAM = """
import os, shutil, subprocess, sys
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Tell(ResourceProvider):
    def create(self, props):
        import os, shutil
        return CreateResult("t", {"env": os.environ.get("VIRTUAL_ENV"), "python": shutil.which("python")})

class Told(Resource):
    env: pulumi.Output[str]
    python: pulumi.Output[str]
    def __init__(self, name):
        super().__init__(Tell(), name, {"env": None, "python": None})

pulumi.export("env", os.environ.get("VIRTUAL_ENV"))
pulumi.export("python", shutil.which("python"))
pulumi.export("home", os.environ.get("PYTHONHOME"))
told = Told("told")
pulumi.export("provider", pulumi.Output.all(told.env, told.python))
"""


def deploy(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: str, **more: Any
) -> tuple[Result, list[str]]:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{folder}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    (folder / "Pulumi.yaml").write_text(f"name: tools\nruntime:\n  name: python\n  options:\n{options}")
    if not (folder / "__main__.py").exists():
        (folder / "__main__.py").write_text(PROGRAM)
    ref = StackRef("tools", "dev")
    backend = FileBackend(f"file://{folder}")
    if not backend.exists(ref):
        backend.init(ref)
    events: list[Event] = []
    result = run("up", project_dir=folder, stack="dev", options=Options(**more), on_event=events.append)
    errors = [e.message for e in events if isinstance(e, DiagnosticEvent) and e.severity == "error"]
    return result, errors


@pytest.mark.parametrize("in_process", [False, True], ids=["processes", "in process"])
def test_the_virtual_environment_is_activated(tmp_path, monkeypatch, in_process):
    monkeypatch.setenv("PYTHONHOME", "")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    result, errors = deploy(tmp_path, monkeypatch, f"    virtualenv: {sys.prefix}\n", in_process=in_process)
    assert not errors
    python = f"{sys.prefix}/bin/python"
    # An output that is None is none: PYTHONHOME is unset.
    assert result.outputs == {"env": sys.prefix, "python": python, "provider": [sys.prefix, python]}
    assert "VIRTUAL_ENV" not in os.environ


def fake(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_uv_keeps_the_environment(tmp_path, monkeypatch):
    """As the CLI: `uv sync --inexact` beside pyproject.toml, then the Python of its `.venv`."""
    venv = "mkdir -p $UV_PROJECT_ENVIRONMENT/bin"
    python = f"ln -sf {sys.executable} $UV_PROJECT_ENVIRONMENT/bin/python"
    script = f'echo "$PWD $*" >>{tmp_path}/notes; {venv}; {python}'
    fake(tmp_path / "tools", "uv", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)
    project = tmp_path / "project"
    (project / "prog").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]\nname = 'p'\nversion = '0'\n")
    found = interpreter_of(project, project / "prog", {"toolchain": "uv"}, Interpreter("ours"))
    assert found.virtualenv == project / ".venv"
    assert (tmp_path / "notes").read_text() == f"{project}/prog sync --inexact\n"
    chosen = interpreter_of(
        project, project / "prog", {"toolchain": "uv", "virtualenv": "v"}, Interpreter("ours")
    )
    assert chosen.virtualenv == project / "v"
    (project / "uv.lock").touch()
    assert interpreter_of(project, project / "prog", {}, Interpreter("ours")).virtualenv == project / ".venv"


def test_poetry_says_where_its_environment_is(tmp_path, monkeypatch):
    fake(tmp_path / "tools", "poetry", f'[ "$*" = "env info --path" ] && echo {sys.prefix}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    found = interpreter_of(tmp_path, tmp_path, {"toolchain": "poetry"}, Interpreter("ours"))
    assert found.path == f"{sys.prefix}/bin/python"


def test_a_toolchain_that_is_missing_or_fails_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in ("uv", "poetry"):
        with pytest.raises(EngineError, match=f"kept by {tool}, which is not on PATH"):
            interpreter_of(tmp_path, tmp_path, {"toolchain": tool}, Interpreter("ours"))
    (tmp_path / "pyproject.toml").touch()
    fake(tmp_path, "uv", "echo 'No `project` table found' >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    with pytest.raises(EngineError, match=r"`uv sync --inexact` failed in .*No `project` table found"):
        interpreter_of(tmp_path, tmp_path, {"toolchain": "uv"}, Interpreter("ours"))


def test_the_python_of_path(tmp_path, monkeypatch):
    monkeypatch.delenv("PULUMI_PYTHON_CMD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="no python3 or python on PATH"):
        ambient()
    fake(tmp_path, "python", "")
    assert ambient().path == str(tmp_path / "python")
    fake(tmp_path, "snake", "")
    monkeypatch.setenv("PULUMI_PYTHON_CMD", "snake")
    assert ambient().path == str(tmp_path / "snake")


def test_options_that_are_not_known_are_refused_all_at_once(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text(
        "name: tools\nruntime:\n  name: python\n  options:\n    virtualenvs: a\n    toolchain: pipenv\n"
        "    typechecker: [mypy]\n"
    )
    with pytest.raises(EngineError) as caught:
        load_project(tmp_path)
    lines = str(caught.value).splitlines()
    assert "Pulumi.yaml:5: $.runtime.options.virtualenvs: is no option of the runtime python" in lines[0]
    assert "Pulumi.yaml:6: $.runtime.options.toolchain: must be one of pip, poetry, uv" in lines[1]
    assert "Pulumi.yaml:7: $.runtime.options.typechecker: must be text" in lines[2]


def test_the_type_checker_judges_the_program_first(tmp_path, monkeypatch):
    (tmp_path / "__main__.py").write_text("import pulumi\npulumi.export('n', 1)\nn: int = 'one'\n")
    options = f"    virtualenv: {sys.prefix}\n    typechecker: mypy\n"
    result, errors = deploy(tmp_path, monkeypatch, options)
    assert result.exit_code == 1
    assert "mypy failed: exit status 1" in errors[-1]
    assert "Incompatible types in assignment" in errors[-1]
    (tmp_path / "__main__.py").write_text("import pulumi\npulumi.export('n', 1)\n")
    assert deploy(tmp_path, monkeypatch, options)[0].outputs == {"n": 1}
    options = options.replace("mypy", "pyright")
    assert (
        "asks for pyright, which the program's environment lacks"
        in deploy(tmp_path, monkeypatch, options)[1][-1]
    )


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on PATH")
def test_with_uv_itself(tmp_path):
    subprocess.run(["uv", "init", "--bare", "--no-package", "--name", "p"], cwd=tmp_path, check=True)
    found = interpreter_of(tmp_path, tmp_path, {"toolchain": "uv"}, Interpreter("ours"))
    assert found.virtualenv == tmp_path / ".venv"
    assert subprocess.run([found.path, "-c", ""], check=False).returncode == 0
