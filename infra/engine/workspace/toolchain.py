"""The Python that runs a project's sources: what `runtime: options` say, and an activated environment.

As the CLI's Python language host finds it (sdk/python/toolchain of Pulumi 3.260).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "virtualenv": (),
    "toolchain": ("pip", "poetry", "uv"),
    "typechecker": ("mypy", "pyright"),
}
"""The options of the runtime `python`, and what each may be; empty means any text."""
_LOCK_FILES: Final = {"uv": "uv.lock", "poetry": "poetry.lock"}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python, and what its environment variables are.

    Attributes:
        path: the executable.
        environment: what the activation of its virtual environment sets; None is unset.
        virtualenv: the folder of its virtual environment; None without one.
    """

    path: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    virtualenv: Path | None = None


def problems_of(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List errors in the options of the runtime `python`: the option and its allowed values."""
    for name, value in options.items():
        choices = CHOICES.get(name)
        if choices is None:
            yield name, f"is no option of the runtime python: they are {', '.join(CHOICES)}"
        elif not isinstance(value, str):
            yield name, "must be text"
        elif choices and value not in choices:
            yield name, f"must be one of {', '.join(choices)}"


def activate(virtualenv: Path) -> Interpreter:
    """The Python of a virtual environment, as if that were activated."""
    scripts = virtualenv / "bin"
    path = os.pathsep.join(filter(None, (str(scripts), os.environ.get("PATH"))))
    environment = {"VIRTUAL_ENV": str(virtualenv), "PATH": path, "PYTHONHOME": None}
    return Interpreter(str(scripts / "python"), environment, virtualenv)


def ambient() -> Interpreter:
    """The Python that PATH has, which runs programs without a virtual environment.

    Raises:
        EngineError: not found.
    """
    chosen = os.environ.get("PULUMI_PYTHON_CMD")
    names = (chosen,) if chosen else ("python3", "python")
    for name in names:
        if found := shutil.which(name):
            return Interpreter(found)
    raise EngineError(
        f"there is no {' or '.join(names)} on PATH", hint="install Python, or name a `virtualenv`"
    )


def interpreter_of(
    root: Path, program: Path, options: Mapping[str, Any], fallback: Interpreter
) -> Interpreter:
    """The Python for the sources in a folder. It runs uv or poetry where they are asked for: not on a loop.

    Args:
        root: the folder of the project file; a relative `virtualenv` starts there.
        program: the folder of the sources.
        options: of the runtime.
        fallback: where the options name none.

    Raises:
        EngineError: there is no such virtual environment, or the toolchain is not there or fails.
    """
    given = options.get("virtualenv")
    toolchain = options.get("toolchain") or _detect(program)
    if toolchain == "poetry":
        found = _run("poetry", ("env", "info", "--path"), program).strip()
        return _check(Path(found))
    if toolchain == "uv":
        return _of_uv(program, root / given if given else None)
    return _check(root / given) if given else fallback


def _detect(program: Path) -> str:
    """The toolchain whose lock file lies in the folder or above it; pip if there is none."""
    return next((name for name, lock in _LOCK_FILES.items() if _above(program, lock)), "pip")


def _above(folder: Path, name: str) -> Path | None:
    """The folder at or above another that has a file of a name."""
    return next((one for one in (folder, *folder.parents) if (one / name).exists()), None)


def _of_uv(program: Path, virtualenv: Path | None) -> Interpreter:
    """The virtual environment that uv keeps for the project, brought up to date."""
    described = _above(program, "pyproject.toml")
    if virtualenv is None:
        place = _above(program, "uv.lock") or described or program
        virtualenv = place / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    where = {"UV_PROJECT_ENVIRONMENT": str(virtualenv)}
    if described:
        _run("uv", ("sync", "--inexact"), program, where)
    elif not (virtualenv / "bin" / "python").exists():
        _run("uv", ("venv", "--quiet", "--allow-existing", str(virtualenv)), program, where)
    return _check(virtualenv)


def _run(
    tool: str, words: tuple[str, ...], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """The output of a toolchain's command."""
    if shutil.which(tool) is None:
        raise EngineError(
            f"the project's Python is kept by {tool}, which is not on PATH",
            hint=f"install {tool}, or set the runtime option `toolchain: pip` with a `virtualenv`",
        )
    done = subprocess.run(
        [tool, *words], cwd=folder, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise EngineError(f"`{tool} {' '.join(words)}` failed in {folder}: {said}")
    return done.stdout


def _check(virtualenv: Path) -> Interpreter:
    if not (virtualenv / "bin" / "python").exists():
        what = "is no virtual environment" if virtualenv.exists() else "is not there"
        raise EngineError(
            f"the virtual environment {virtualenv} {what}",
            hint="make it with `pulumi install`, or with `python3 -m venv` and pip",
        )
    return activate(virtualenv)
