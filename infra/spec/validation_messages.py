"""Messages for pydantic's validation errors: place, words, hint."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from infra.spec import schema_walk

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from infra.errors import Problem
    from infra.spec.document import Document, Loc

_MESSAGES = {
    "missing": ("required key is missing", None),
    "int_type": ("is not a whole number", "write it without quotes, unit and fraction"),
    "int_from_float": ("is not a whole number", None),
    "int_parsing": ("is not a whole number", "write it without quotes, unit and fraction"),
    "float_type": ("is not a number", None),
    "float_parsing": ("is not a number", None),
    "bool_type": ("is neither true nor false", None),
    "bool_parsing": ("is neither true nor false", None),
    "string_type": ("is not text", "put it in quotes"),
    "list_type": ("is not a list", "write one `- item` a line"),
    "tuple_type": ("is not a list", "write one `- item` a line"),
    "dict_type": ("is not a mapping", "write `key: value` lines"),
    "model_type": ("is not a mapping", "write `key: value` lines"),
    "model_attributes_type": ("is not a mapping", "write `key: value` lines"),
    "dataclass_type": ("is not a mapping", "write `key: value` lines"),
    "too_short": ("is empty", "give at least one"),
    "finite_number": ("is not a finite number", "infinities and NaN are no quantities"),
}


def problems(error: ValidationError, source: Document, model: type[BaseModel]) -> list[Problem]:
    """Return all mistakes that pydantic found, one for each place."""
    details: dict[Loc, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        details.setdefault(locate(detail["loc"], source.value), []).append(detail)
    found = []
    for loc, branches in list(details.items())[:MOST]:
        message, hint = _words(_clearest(branches), model, source)
        found.append(source.problem(loc, message, hint))
    if len(details) > MOST:
        found.append(
            source.problem((), f"there are {len(details) - MOST:,} more mistakes", "mend these first")
        )
    return found


MOST = 200
"""Mistakes that are told at once: nobody reads more, and each looks for the nearest word."""


def _clearest(branches: list[ErrorDetails]) -> ErrorDetails:
    """Of a value that fits no branch of a choice: a word is a mistyped word, not a mistyped number."""
    text = branches[0]["input"]
    if isinstance(text, str) and not any(letter.isdigit() for letter in text):
        return next((detail for detail in branches if detail["type"] == "literal_error"), branches[0])
    return branches[0]


def locate(loc: tuple[str | int, ...], value: object) -> Loc:
    """Return a pydantic location without the names of union branches, which are in no file."""
    result: list[str | int] = []
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str):
            if step in value:
                value = value[step]
            elif not last or not _is_name(step):
                continue
            result.append(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
            result.append(step)
    return tuple(result)


def _is_name(step: str) -> bool:
    return step.replace("_", "").isalnum() and step == step.lower()


def _words(detail: ErrorDetails, model: type[BaseModel], source: Document) -> tuple[str, str | None]:
    """Message and hint of one of pydantic's errors."""
    kind = detail["type"]
    if kind in _MESSAGES:
        return _plain(detail)
    special = {
        "extra_forbidden": _unknown_key,
        "literal_error": _choice,
        "string_pattern_mismatch": _form,
    }.get(kind)
    if special:
        return special(detail, model, locate(detail["loc"], source.value))
    if kind in _BOUNDS:
        return _bound(detail), None
    text, _, hint = detail["msg"].partition("|")  # our own errors have their hint behind a bar
    return text[:1].lower() + text[1:], hint or None


def _plain(detail: ErrorDetails) -> tuple[str, str | None]:
    text, hint = _MESSAGES[detail["type"]]
    if detail["type"] == "missing":
        return f"required key `{detail['loc'][-1]}` is missing", hint
    shown = detail["input"]
    if shown is None:
        return "has no value", "give one, or leave the key out"
    return (f"{shown!r} {text}" if isinstance(shown, (str, int, float)) else text), hint


def _unknown_key(detail: ErrorDetails, model: type[BaseModel], loc: Loc) -> tuple[str, str]:
    key, known = str(detail["loc"][-1]), schema_walk.keys(model, loc[:-1])
    near = difflib.get_close_matches(key, known, 1, 0.6)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(known))}"
    return f"unknown key `{key}`", hint


def _choice(detail: ErrorDetails, _: type[BaseModel], __: Loc) -> tuple[str, str]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    options = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(detail["input"]), options, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(options)}"
    return f"{detail['input']!r} is not a choice", hint


def _form(detail: ErrorDetails, model: type[BaseModel], loc: Loc) -> tuple[str, str]:
    example = schema_walk.example(model, loc)
    pattern = detail.get("ctx", {}).get("pattern")
    hint = f"write it like `{example}`" if example else f"the form is {pattern}"
    return f"{detail['input']!r} does not have the right form", hint


_BOUNDS = {
    "greater_than_equal": ("ge", "less than"),
    "greater_than": ("gt", "not more than"),
    "less_than_equal": ("le", "more than"),
    "less_than": ("lt", "not less than"),
}


def _bound(detail: ErrorDetails) -> str:
    key, word = _BOUNDS[detail["type"]]
    bound = detail.get("ctx", {})[key]
    text = f"{bound:g}" if isinstance(bound, float) else f"{bound:,}"
    return f"{detail['input']} is {word} {text}"
