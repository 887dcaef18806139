"""The floor plan: no circle of imports of any kind, and small folders."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from infra import paths

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

PACKAGE = paths.ROOT / "infra"
MODULES = {
    ".".join(file.relative_to(paths.ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


def imports_of(file: Path) -> set[str]:
    """The modules of `infra` that a file imports: at its top, for types, or in a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def test_no_import_circle_of_any_kind():
    graph = {name: imports_of(file) - {name} for name, file in MODULES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_the_search_for_circles_sees_imports_for_types_and_in_functions(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "if TYPE_CHECKING:\n    from infra.plan import Plan\n"
        "def f():\n    from infra import errors\n    import infra.paths\n"
    )
    assert imports_of(file) == {"infra.plan", "infra.errors", "infra.paths"}


def test_no_folder_is_crowded():
    counts = Counter(file.parent for file in MODULES.values() if file.name != "__init__.py")
    crowded = {
        str(folder.relative_to(paths.ROOT)): number for folder, number in counts.items() if number > 30
    }
    assert not crowded


LIMIT = 350
"""Lines of a module."""
LONG: frozenset[str] = frozenset()
"""Modules that may be longer until they are split; a name whose module is short enough must leave the set."""


def test_no_module_is_long():
    lengths = {name: len(file.read_text().splitlines()) for name, file in MODULES.items()}
    long = {name: length for name, length in lengths.items() if length > LIMIT}
    assert {name: long[name] for name in long.keys() - LONG} == {}
    assert LONG - long.keys() == set(), "split already: take these names out of LONG"
