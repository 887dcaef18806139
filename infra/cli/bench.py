"""`gigasite bench`: benchmarks, each side by side with what it is compared to, in one run.

A benchmark is a module of `benchmarks/` with a function `command`: its file is all it takes.
"""

from __future__ import annotations

import ast
import importlib
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from infra import paths

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = paths.ROOT / "benchmarks"


def benchmarks() -> dict[str, str]:
    """Return the benchmarks of this checkout: name to its first line of help; nothing is imported."""
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        help_text = _help(file)
        if help_text is not None:
            found[file.stem] = help_text
    return found


def _help(file: Path) -> str | None:
    """Return the first line of `command`'s docstring; None if the module has no such function."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "command":
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return None


class Benchmarks(TyperGroup):
    """Shows every benchmark by its line; imports a module when its benchmark is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, line in benchmarks().items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the benchmark by its name, then import the command behind it."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder and _load(str(name)), rest


def _load(name: str) -> Any:
    if str(paths.ROOT) not in sys.path:
        sys.path.append(str(paths.ROOT))  # benchmarks/ is no part of the installed package
    module = importlib.import_module(f"benchmarks.{name}")
    inner = typer.Typer(add_completion=False, rich_markup_mode=None)
    inner.command()(module.command)
    command = typer.main.get_command(inner)
    command.name = name
    return command


app = typer.Typer(cls=Benchmarks, add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Benchmarks: what takes how long here, beside what it is compared to."""
