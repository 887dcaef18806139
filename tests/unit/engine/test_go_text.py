"""Values as Go prints them."""

from __future__ import annotations

import pytest

from infra.engine.plugin.go_text import go_text
from infra.engine.resource.values import UNKNOWN, Secret, Value

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "{<nil>}"),
        (True, "{true}"),
        (-2.5, "{-2.5}"),
        (123456, "{123456}"),
        (123456789, "{1.23456789e+08}"),
        (1e-7, "{1e-07}"),
        ({"b": [1, "x"], "a": Secret("s")}, "{map[a:{[secret]} b:{[{1} {x}]}]}"),
        (UNKNOWN, "output<string>{}"),
    ],
)
def test_values_read_as_in_the_cli(value: Value, text: str) -> None:
    assert go_text(value) == text
