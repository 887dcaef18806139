"""Property paths, as ignoreChanges and replaceOnChanges use them."""

from __future__ import annotations

import pytest

from infra.engine.events import DiffKind, PropertyDiff
from infra.engine.plugin.diff import Changes, Diff, ignoring, of_inputs, with_replace_on_changes
from infra.engine.resource import property_path as paths
from infra.engine.resource.values import Secret

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a["b.c"]', ("a", "b.c")),
        ('a["say \\"x\\""]', ("a", 'say "x"')),
        ("a[*].b", ("a", "*", "b")),
        ("*", ("*",)),
    ],
)
def test_parse_and_back(text: str, path: paths.Path) -> None:
    assert paths.parse(text) == path
    if "*" not in path:
        assert paths.parse(paths.text_of(path)) == path


@pytest.mark.parametrize("text", [".a", "a.", "a[", "a[x]", 'a["b'])
def test_bad_paths(text: str) -> None:
    with pytest.raises(paths.PathError, match=r"."):
        paths.parse(text)


@pytest.mark.parametrize(
    ("path", "old", "new", "expected", "followed"),
    [
        ("a", {"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}, True),
        ("a", {}, {"a": 2}, {}, True),
        ("a.b", {"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {"a": {"b": 1, "c": 3}}, True),
        ("a.b", {"a": {"b": 1}}, {"c": 3}, {"c": 3}, False),
        ("l[1]", {"l": [1, 2]}, {"l": [3, 4]}, {"l": [3, 2]}, True),
        ("l[1]", {"l": [1, 2]}, {"l": [3]}, {"l": [3]}, False),
        ("l[*].x", {"l": [{"x": 1}, {"x": 2}]}, {"l": [{"x": 8}, {"x": 9, "y": 0}]},
         {"l": [{"x": 1}, {"x": 2, "y": 0}]}, True),
        ("*", {"a": 1}, {"a": 2, "b": 3}, {"a": 1}, True),
        ("a.b", {"a": Secret({"b": 1})}, {"a": {"b": 2}}, {"a": {"b": Secret(1)}}, True),
    ],
)  # fmt: skip
def test_ignore_changes(path: str, old: dict, new: dict, expected: dict, followed: bool) -> None:  # noqa: FBT001
    before = paths.copy_value(new)
    inputs, failed = ignoring([path], old, new)
    assert inputs == expected
    assert failed == ([] if followed else [path])
    assert new == before  # the goal is not touched


def test_own_diff_names_paths() -> None:
    diff = of_inputs({"a": 1, "l": [1, 2], "o": {"x": Secret("s")}}, {"b": 1, "l": [1], "o": {"x": "s"}})
    assert diff.changes is Changes.SOME
    assert diff.changed_keys == ("a", "b", "l")
    assert {path: item.kind for path, item in (diff.detailed or {}).items()} == {
        "a": DiffKind.DELETE, "b": DiffKind.ADD, "l[1]": DiffKind.DELETE,
    }  # fmt: skip
    assert of_inputs({"a": Secret(1)}, {"a": 1}).changes is Changes.NONE


def test_replace_on_changes() -> None:
    diff = Diff(Changes.SOME, changed_keys=("tags",), detailed={"tags.x": PropertyDiff(DiffKind.UPDATE)})
    assert not diff.replaces
    turned = with_replace_on_changes(diff, ["tags"], has_init_errors=False)
    assert turned.replace_keys == ("tags",)
    assert turned.detailed == {"tags.x": PropertyDiff(DiffKind.UPDATE_REPLACE)}
    assert not with_replace_on_changes(diff, ["other"], has_init_errors=False).replaces
    failed = with_replace_on_changes(Diff(Changes.NONE), ["#initerror"], has_init_errors=True)
    assert failed.changes is Changes.SOME
    assert failed.replaces
