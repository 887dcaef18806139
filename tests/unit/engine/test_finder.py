"""Where plugins are found: the project first, then PATH, then PULUMI_HOME."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from infra.engine import EngineError
from infra.engine.plugin.finder import Finder, is_ours, python_of, runtime_of
from infra.engine.workspace.project import PluginPath
from infra.engine.workspace.toolchain import Interpreter

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def source(folder: Path, runtime: str = "python") -> Path:
    folder.mkdir(parents=True)
    (folder / "PulumiPlugin.yaml").write_text(f"runtime: {runtime}\n")
    return folder


def test_the_project_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "bin" / "pulumi-resource-box")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = source(tmp_path / "box")
    found = Finder([PluginPath("resource", "box", folder)]).provider("box")
    assert found.words == (sys.executable, "-u", str(folder))
    assert found.folder == folder


def test_an_executable_by_folder_or_file(tmp_path: Path) -> None:
    program = executable(tmp_path / "box" / "pulumi-resource-box")
    for place in (program, program.parent):
        assert Finder([PluginPath("resource", "box", place)]).provider("box").words == (str(program),)


def test_the_path_and_then_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    plugins = tmp_path / "home" / "plugins"
    for version in ("1.9.0", "1.10.0"):
        executable(plugins / f"resource-box-v{version}" / "pulumi-resource-box")
    newest = plugins / "resource-box-v1.10.0" / "pulumi-resource-box"
    assert Finder([]).provider("box").words == (str(newest),)
    older = plugins / "resource-box-v1.9.0" / "pulumi-resource-box"
    assert Finder([]).provider("box", "1.9.0").words == (str(older),)
    on_path = executable(tmp_path / "bin" / "pulumi-resource-box")
    assert Finder([]).provider("box").words == (str(on_path),)


def test_versions_tell_plugins_of_the_project_apart(tmp_path: Path) -> None:
    old, new = source(tmp_path / "old"), source(tmp_path / "new")
    finder = Finder(
        [PluginPath("resource", "box", old, "1.0.0"), PluginPath("resource", "box", new, "2.0.0")]
    )
    assert finder.provider("box", "2.0.0").folder == new


def test_what_cannot_be_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"no provider plugin for box 3\.0\.0"):
        Finder([]).provider("box", "3.0.0")
    written_in_go = source(tmp_path / "go", "go")
    with pytest.raises(EngineError, match="runtime 'go'"):
        Finder([PluginPath("resource", "box", written_in_go)]).provider("box")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="neither PulumiPlugin"):
        Finder([PluginPath("resource", "box", tmp_path / "empty")]).provider("box")


def test_dynamic_providers_come_with_the_sdk() -> None:
    found = Finder([], Interpreter("python9")).provider("pulumi-python")
    assert found.words == ("python9", "-u", "-m", "pulumi.dynamic")


def test_a_plugin_may_have_an_environment_of_its_own(tmp_path: Path) -> None:
    described = tmp_path / "PulumiPlugin.yaml"
    described.write_text("runtime:\n  name: python\n  options:\n    virtualenv: venv\n")
    runtime, options = runtime_of(described)
    assert runtime == "python"
    with pytest.raises(EngineError, match="is not there"):
        python_of(tmp_path, options, Interpreter("python3"))
    python = executable(tmp_path / "venv" / "bin" / "python")
    found = python_of(tmp_path, options, Interpreter("python3"))
    assert found.path == str(python)
    assert found.environment["VIRTUAL_ENV"] == str(tmp_path / "venv")
    assert not is_ours(str(python))
    assert is_ours(sys.executable)
