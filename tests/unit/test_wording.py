"""Plain technical English: functions are verbs, docstrings open with a verb or a noun. Ceilings only fall."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from infra import paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.unit

WHAT: dict[str, int] = {}
"""Most docstrings that may open with "What …", by room; none in the others."""
PARTICIPLES = {"verify": 1}
"""Most public functions of modules that may be named by a past participle alone, by room."""
PARTICIPLE = re.compile(
    r"([a-z]{2,}(?<!e)ed|made|said|told|seen|found|kept|given|taken|built|written|drawn|sent|known|held|shown"
    r"|bound|left|lost|meant|split|chosen|gone)$"
)
NO_PARTICIPLE = {"embed", "read", "shed"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def docstrings_with_what(file: Path) -> Iterator[str]:
    """Names of what has a docstring that opens with "What "."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, Definition) and (ast.get_docstring(node) or "").startswith("What "):
            yield getattr(node, "name", "module")


def participles(file: Path) -> Iterator[str]:
    """Public functions at a module's top level that are named by a past participle."""
    for node in ast.parse(file.read_text()).body:
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and PARTICIPLE.fullmatch(node.name)
            and node.name not in NO_PARTICIPLE
        ):
            yield node.name


@pytest.mark.parametrize(("search", "allowed"), [(docstrings_with_what, WHAT), (participles, PARTICIPLES)])
def test_words(search, allowed):
    package = paths.ROOT / "infra"
    found = [
        (file.relative_to(package).parts[0].removesuffix(".py"), f"{file.relative_to(package)}: {name}")
        for file in sorted(package.rglob("*.py"))
        for name in search(file)
    ]
    counts = Counter(room for room, _ in found)
    above = {room for room, count in counts.items() if count > allowed.get(room, 0)}
    assert [place for room, place in found if room in above] == []


def test_the_search_sees_them(tmp_path):
    file = tmp_path / "module.py"
    file.write_text('def compared():\n    """What differs."""\ndef read():\n    pass\n')
    assert list(docstrings_with_what(file)) == ["compared"]
    assert list(participles(file)) == ["compared"]
