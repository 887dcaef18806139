"""The runtime option `typechecker`: mypy or pyright judges the program before it runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.engine.errors import EngineError
from infra.engine.plugin.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.engine.events import Severity
    from infra.engine.workspace.toolchain import Interpreter


async def check_types(
    checker: str, python: Interpreter, folder: Path, on_line: Callable[[str, Severity], None]
) -> None:
    """Run a type checker of the program's environment over the program, as the CLI does.

    Args:
        checker: `mypy` or `pyright`.
        python: the program's interpreter.
        folder: of the program.
        on_line: told every line that the checker prints.

    Raises:
        EngineError: the checker is not installed there, or finds mistakes.
    """
    words = _words(checker, python, folder)
    process = await Process.start(words, cwd=folder, environment=python.environment)
    process.follow(on_line)
    code = await process.wait()
    if code:
        said = "\n".join(process.tail)
        if f"No module named {checker}" in said:
            raise EngineError(
                f"the runtime option `typechecker` asks for {checker}, which the program's environment lacks",
                hint=f"add {checker} to its requirements and install them",
            )
        raise EngineError(f"{checker} failed: exit status {code}\n{said}")


def _words(checker: str, python: Interpreter, folder: Path) -> list[str]:
    words = [python.path, "-m", checker]
    if checker == "mypy" and python.virtualenv is not None:
        words += ["--exclude", os.path.relpath(python.virtualenv, folder)]
    return [*words, str(folder)]
