"""`config set --path` and its like: what the CLI's object.go does, case by case."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.engine import EngineError
from infra.engine.resource import property_path
from infra.engine.workspace import config_paths

pytestmark = pytest.mark.unit

SEALED = {"secure": "v1:abc"}


@pytest.mark.parametrize(
    ("old", "path", "new"),
    [
        (None, "b", {"b": "v"}),
        (None, "b.c[0]", {"b": {"c": ["v"]}}),
        (None, "[2]", [None, None, "v"]),
        (None, "b[1].c", {"b": [None, {"c": "v"}]}),
        ([1, 2], "[2]", [1, 2, "v"]),
        ([1, 2], "[0]", ["v", 2]),
        ([None], "[0].b", [{"b": "v"}]),
        ({"b": {"c": 1}}, "b.d", {"b": {"c": 1, "d": "v"}}),
        ({"b": {"c": 1}}, "b", {"b": "v"}),
        ({"b": SEALED}, "b", {"b": "v"}),
        # The outermost scalar or secret makes room, for older settings files.
        ("text", "b", {"b": "v"}),
        (5, "[0]", ["v"]),
        (SEALED, "b", {"b": "v"}),
        ({"a": 1}, "secure", {"a": 1, "secure": "v"}),
    ],
)
def test_a_value_is_put_in_as_the_cli_does(old: Any, path: str, new: Any) -> None:
    before = copy.deepcopy(old)
    assert config_paths.put(old, property_path.parse(path), "v", "p:a") == new
    assert old == before


@pytest.mark.parametrize(
    ("old", "path", "said"),
    [
        ([1, 2], "[3]", r"p:a\[3\]: array index out of range"),
        ([1, 2], "b", "p:a.b: key for an array must be an int"),
        ({"b": 1}, "[0]", r"p:a\[0\]: key for a map must be a string"),
        ({"b": [1]}, "b[2]", r"p:a.b\[2\]: array index out of range"),
        ({"b": "text"}, "b.c", "p:a.b: expected a map"),
        ({"b": 5}, "b[0]", "p:a.b: expected an array"),
        ({"b": SEALED}, "b.c", "p:a.b: expected a map"),
        ({"b": [SEALED]}, "b[0].c", r"p:a.b\[0\]: expected a map"),
        (None, "secure", 'single key "secure" are reserved'),
        ({"b": {}}, "b.secure", 'single key "secure" are reserved'),
        (None, "[99999999999]", "array index out of range"),
    ],
)
def test_what_is_in_the_way_is_said(old: Any, path: str, said: str) -> None:
    before = copy.deepcopy(old)
    with pytest.raises(EngineError, match=said):
        config_paths.put(old, property_path.parse(path), "v", "p:a")
    assert old == before


@pytest.mark.parametrize("index", [-1, -3])
def test_no_index_counts_from_the_end(index: int) -> None:
    with pytest.raises(EngineError, match="out of range"):
        config_paths.put([1, 2], (index,), "v", "a")
    with pytest.raises(EngineError, match="there is no"):
        config_paths.get([1, 2], (index,), "a")
    with pytest.raises(EngineError, match="there is no"):
        config_paths.without([1, 2], (index,), "a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("True", "True"), ("0", 0), ("00", "00"), ("012", "012"),
        ("-5", -5), ("+5", 5), ("1.5", "1.5"), ("٣", "٣"), ("", ""), ("9223372036854775808", 2**63),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
    ],
)  # fmt: skip
def test_text_is_coerced_as_the_cli_does(text: str, value: Any) -> None:
    found = config_paths.coerce(text)
    assert found == value
    assert type(found) is type(value)


def test_what_is_left_after_a_removal_is_no_secret_by_chance() -> None:
    assert config_paths.without({"b": [1, 2]}, ("b", 0), "a") == {"b": [2]}
    with pytest.raises(EngineError, match="reserved"):
        config_paths.without({"secure": "x", "b": 1}, ("b",), "a")


@pytest.mark.parametrize("path", ["c", "b[1]", "b[0].c", "t[0]", "s.secure"])
def test_what_is_not_there_is_neither_found_nor_removed(path: str) -> None:
    old = {"b": [1], "t": "text", "s": SEALED}
    for act in (config_paths.get, config_paths.without):
        with pytest.raises(EngineError, match="there is no"):
            act(old, property_path.parse(path), "a")


keys = st.sampled_from(["a", "b", "secure"])
trees = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.just(SEALED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
paths = st.lists(keys | st.integers(-1, 3), min_size=1, max_size=3).map(tuple)


def sealed(value: Any) -> bool:
    """Whether a value is a secret: a map of `secure` alone with a text, be it empty."""
    return isinstance(value, dict) and list(value) == ["secure"] and isinstance(value["secure"], str)


def flat(value: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Every leaf by its path."""
    if value and not sealed(value) and isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, item in items for k, v in flat(item, (*path, key)).items()}
    return {path: value}


@given(trees, paths)
@example({"secure": ""}, ("a",))
def test_nothing_else_is_lost(old: Any, path: tuple[Any, ...]) -> None:
    try:
        new = config_paths.put(old, path, 7, "x")
    except EngineError:
        return
    assert config_paths.get(new, path, "x") == 7
    if isinstance(old, dict | list) and not sealed(old):
        elsewhere = {k: v for k, v in flat(old).items() if k[: len(path)] != path and v not in (None, {}, [])}
        assert elsewhere.items() <= flat(new).items()
