"""Where plugins are found, and what starts them."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.workspace import yamlfile
from infra.engine.workspace.home import pulumi_home
from infra.engine.workspace.toolchain import Interpreter, activate, interpreter_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.engine.workspace.project import PluginPath

PYTHON_DYNAMIC: Final = "pulumi-python"
"""The package of dynamic providers; their provider comes with the SDK."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a plugin."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None
    """Of a Python source plugin: its sources, if this process's interpreter runs it."""


class Finder:
    """Finds plugins where the CLI does.

    Args:
        named: what the project names under `plugins:`.
        python: the interpreter of the program, which also runs dynamic providers.
    """

    def __init__(self, named: Sequence[PluginPath], python: Interpreter | None = None) -> None:
        self._named, self._python = named, python or Interpreter(sys.executable)

    def provider(self, name: str, version: str = "") -> Command:
        """How to start a resource provider.

        Raises:
            EngineError: there is none of that name and version.
        """
        if name == PYTHON_DYNAMIC:
            words = (self._python.path, "-u", "-m", "pulumi.dynamic")
            return Command(name, words, self._python.environment)
        for one in self._named:
            fits = not version or not one.version or one.version == version
            if one.kind == "resource" and one.name == name and fits:
                return self._at(name, one.path)
        program = f"pulumi-resource-{name}"
        found = shutil.which(program)
        if found:
            return Command(name, (found,))
        installed = self._installed(name, version)
        if installed is not None:
            return self._at(name, installed)
        wanted = f"{name} {version}".strip()
        raise EngineError(
            f"no provider plugin for {wanted}",
            hint=f"name its folder under `plugins: providers:` in Pulumi.yaml, or put {program} on PATH",
        )

    def _installed(self, name: str, version: str) -> Path | None:
        """The folder of a plugin in PULUMI_HOME, the newest if no version is wanted."""
        found = sorted((pulumi_home() / "plugins").glob(f"resource-{name}-v[0-9]*"), key=_version_of)
        found = [path for path in found if path.is_dir()]
        if version:
            found = [path for path in found if path.name == f"resource-{name}-v{version}"]
        return found[-1] if found else None

    def _at(self, name: str, path: Path) -> Command:
        """The plugin in a folder, or the executable at a path."""
        if path.is_file():
            return Command(name, (str(path),))
        described = path / "PulumiPlugin.yaml"
        if described.is_file():
            return self._source(name, path, described)
        for program in (path / f"pulumi-resource-{name}", path / f"pulumi-analyzer-{name}"):
            if program.is_file():
                return Command(name, (str(program),))
        raise EngineError(
            f"{path} is no plugin: it has neither PulumiPlugin.yaml nor pulumi-resource-{name}",
            hint="look at `plugins:` in Pulumi.yaml",
        )

    def _source(self, name: str, folder: Path, described: Path) -> Command:
        runtime, options = runtime_of(described)
        if runtime == "python":
            python = python_of(folder, options, self._python)
            words = (python.path, "-u", str(folder))
            return Command(name, words, python.environment, folder if is_ours(python.path) else None)
        raise EngineError(
            f"the plugin {folder} is written for the runtime {runtime!r}; this engine runs Python source "
            "plugins and executables",
            hint="build it as an executable, or use `--engine pulumi`",
        )


def is_ours(python: str) -> bool:
    """Whether an interpreter is that of this process, with the same packages."""
    return python == sys.executable or Path(python).parent.parent.resolve() == Path(sys.prefix).resolve()


def runtime_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The runtime and its options that a Pulumi.yaml, PulumiPlugin.yaml or PulumiPolicy.yaml names.

    Raises:
        EngineError: it cannot be read.
    """
    document = yamlfile.load(path)
    content = document.value if document else None
    runtime = content.get("runtime") if isinstance(content, dict) else None
    if isinstance(runtime, dict) and isinstance(runtime.get("name"), str):
        return runtime["name"], runtime.get("options") or {}
    if not isinstance(runtime, str):
        raise EngineError(f"{path} does not say for which runtime it is")
    return runtime, {}


def python_of(folder: Path, options: Mapping[str, Any], fallback: Interpreter) -> Interpreter:
    """The interpreter for a plugin's sources: what its options say, else its own `venv`, else the fallback.

    Raises:
        EngineError: the virtual environment or the toolchain is not there.
    """
    own = folder / "venv"
    if (own / "bin" / "python").exists():  # where the CLI makes one for a plugin that names none
        fallback = activate(own)
    return interpreter_of(folder, folder, options, fallback)


def _version_of(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", path.name.rpartition("-v")[2]))
