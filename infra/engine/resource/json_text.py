"""JSON as Go reads and writes it: the text of checkpoints, journals, exports and secrets."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """Read JSON; a number is a double, so `-0` keeps its sign and an integer over 2**53 is rounded.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(text, parse_int=_integer, parse_float=_double)


def _integer(digits: str) -> int | float:
    if digits == "-0":
        return -0.0
    return int(digits) if len(digits) < 16 else _round_float(_double(digits))


def _round_float(number: float) -> int | float:
    return int(number) if abs(number) < 1e21 else number  # Go writes an exponent from there on


def _double(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is not in the range of a double")
    return number


def write(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Write JSON, compact unless indented.

    Raises:
        ValueError: a number in it is none of JSON's (NaN, infinite); properties go through `value_json`.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(value, separators=separators, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
