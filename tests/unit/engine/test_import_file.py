"""The CLI's import file: what it means, and what is said of one that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.engine import EngineError
from infra.engine.resource.stack_ref import StackRef
from infra.engine.workspace.import_file import read_imports

if TYPE_CHECKING:
    from pathlib import Path

REF = StackRef("dc", "lab")
PROVIDER = "urn:pulumi:lab::dc::pulumi:providers:a::p"


def read(folder: Path, content: Any) -> list[tuple[str, str, str, str]]:
    file = folder / "import.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent="\t"))
    return [(one.name, one.id, one.parent, one.provider) for one in read_imports(file, REF)]


def test_parents_and_providers_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "nameTable": {"prov": PROVIDER},
            "resources": [
                {"type": "a:b:C", "name": "leaf", "id": "1", "parent": "row", "provider": "prov"},
                {"type": "a:b:Row", "name": "row", "logicalName": "row-1", "component": True},
                {"type": "a:b:C", "logicalName": "alone", "id": "2"},
            ],
        },
    )
    assert found == [
        ("leaf", "1", "urn:pulumi:lab::dc::a:b:Row::row-1", PROVIDER),
        ("row-1", "", "", ""),
        ("alone", "2", "", ""),
    ]


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ([{"name": "x", "id": "1"}], ["[0].type: is missing"]),
        ([{"type": "a:b:C", "id": "1"}, {"type": "a:b:C", "name": "y"}], ["[0].name", "[1].id: is missing"]),
        ([{"type": "a:b:C", "name": "x", "id": "1", "component": True}], ["[0].id: is of no use"]),
        ([{"type": "a:b:C", "name": "x", "id": 7}], ["[0].id: must be text"]),
        ([{"type": "a:b:C", "name": "x", "id": "1", "outputs": {}}], ["[0].outputs", "--engine pulumi"]),
        ([{"type": "pulumi:providers:a", "name": "x", "id": "1"}], ["[0].type: is a provider"]),
        ([{"type": "a:b:C", "name": "x", "id": "1", "parent": "z"}], ["[0].parent: is neither"]),
        ([{"type": "a:b:C", "name": "x", "id": "1", "provider": "z"}], ["[0].provider: is not in"]),
        (
            [{"type": f"a:b:{t}", "name": "x", "id": "1"} for t in "CD"]
            + [{"type": "a:b:C", "name": "y", "id": "1", "parent": "x"}],
            ["[2].parent: is the name of several"],
        ),
        (
            [{"type": "a:b:C", "name": n, "id": "1", "parent": p} for n, p in ("xy", "yx")],
            ["resources: has entries that are each other's parents"],
        ),
        (["x"], ["[0]: must be a map"]),
        ("x", ["must have a list `resources`"]),
    ],
)
def test_mistakes_are_told_with_their_places(tmp_path: Path, resources: Any, said: list[str]) -> None:
    with pytest.raises(EngineError) as raised:
        read(tmp_path, {"resources": resources})
    for words in said:
        assert words in str(raised.value)
    assert "import.json:" in str(raised.value)


def test_what_is_no_json_is_said_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"import\.json:2: "):
        read(tmp_path, '{"resources": [\n}')
