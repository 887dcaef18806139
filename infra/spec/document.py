"""A YAML file as plain values that remember the line of every key.

The file is read event by event, so that nothing is built from what is not a declaration: tags, merge keys,
several documents, aliases that hold themselves or unfold without end, depth without end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from infra.errors import Problem, Problems, UserError
from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Loc = tuple[str | int, ...]

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = {"", "~", "null", "Null", "NULL"}
_INT = re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*)([eE][-+]?[0-9]+)?$")
_SPECIAL = re.compile(r"^([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)$")

MOST_BYTES = 32 * 2**20
"""A declaration of 40,000 users has six megabytes."""
MOST_VALUES = 3_000_000
"""Values in a file, those that aliases repeat counted each time."""
MOST_DEPTH = 60
"""Levels of nesting; a declaration has eight."""
MOST_DIGITS = 30
"""Digits of a number that is read as one."""

_Parser: Callable[[str], Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True)
class Document:
    """One parsed file.

    Attributes:
        file: its name as the user knows it (relative to the checkout where it lies in it).
        value: mappings, lists, text, whole numbers, booleans and None. Numbers with a fraction stay numbers.
        lines: line (from 1) of each value by its location.
        problems: keys written twice, tags, merge keys.
    """

    file: str
    value: Any
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """The line of a location, or of the nearest place around it that is in the file."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def problem(self, loc: Loc, message: str, hint: str | None = None) -> Problem:
        """A mistake at a location, with file, line and path."""
        return Problem(self.file, self.line(loc), path_text(loc), message, hint)


def path_text(loc: Loc) -> str:
    """A location as a JSONPath: `$.halls[0].pods`."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)


def display(path: Path) -> str:
    """A file's name relative to the checkout, if it lies in it."""
    absolute = path.resolve()
    return str(absolute.relative_to(ROOT)) if absolute.is_relative_to(ROOT) else str(path)


def read(path: Path) -> Document:
    """Read and parse a YAML file.

    Raises:
        UserError: the file cannot be read.
        Problems: it is not YAML, or more than a declaration can be.
    """
    name = display(path)
    try:
        if path.exists() and not path.is_file():
            raise UserError("is not a file", where=name, hint="name a YAML file")
        if path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"is larger than {MOST_BYTES // 2**20} MiB", where=name, hint="is it a declaration?"
            )
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError("there is no such file", where=name) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"is not UTF-8 text (byte {error.start})", where=name, hint="save it as UTF-8"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot be read: {reason}", where=name) from error
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Parse YAML 1.2 text; `name` stands for the file in messages.

    Raises:
        Problems: it is not YAML, or more than a declaration can be.
    """
    document = Document(name, None)
    try:
        _Reader(text, document).read()
    except yaml.YAMLError as error:
        raise Problems([_not_yaml(error, text, name)]) from error
    return document


def _not_yaml(error: yaml.YAMLError, text: str, name: str) -> Problem:
    """What the parser stumbled over."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        reason = getattr(error, "problem", None) or getattr(error, "context", None)
        return Problem(name, mark.line + 1, "$", f"is not YAML: {reason}", "check indentation and quotes")
    position = getattr(error, "position", 0) or 0
    line = text.count("\n", 0, position) + 1
    return Problem(name, line, "$", f"is not YAML: {getattr(error, 'reason', error)}", "take it out")


class _Stop(yaml.YAMLError):  # type: ignore[misc]
    """The file is more than a declaration can be."""

    def __init__(self, mark: Any, problem: str) -> None:
        super().__init__(problem)
        self.problem_mark, self.problem = mark, problem


class _Reader:
    """Builds values from a parser's events."""

    def __init__(self, text: str, document: Document) -> None:
        self.parser, self.document = _Parser(text), document
        self.values = 0
        self.anchors: dict[str, tuple[Any, int] | None] = {}
        """By name: value and how many values it holds; None while it is being read."""

    def read(self) -> None:
        get = self.parser.get_event
        get()
        event = get()
        if isinstance(event, yaml.StreamEndEvent):
            return
        self.document.value = self._value(get(), (), 0)
        get()
        event = get()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Stop(event.start_mark, "a second document begins here")

    def _value(self, event: Any, loc: Loc, depth: int) -> Any:
        mark = event.start_mark
        self.document.lines.setdefault(loc, mark.line + 1)
        self.values += 1
        if self.values > MOST_VALUES:
            raise _Stop(mark, f"it holds more than {MOST_VALUES:,} values, those that aliases repeat counted")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None and (not isinstance(event, yaml.ScalarEvent) or event.tag != "!"):
            self._told(mark.line, loc, f"the tag `{event.tag}` is not read", "leave it out")
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event.value) if event.implicit[0] else event.value
            if event.anchor:
                self.anchors[event.anchor] = (value, 1)
            return value
        if depth >= MOST_DEPTH:
            raise _Stop(mark, f"it is nested more than {MOST_DEPTH} levels deep")
        before = self.values
        if event.anchor:
            self.anchors[event.anchor] = None
        inner = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list
        value = inner(loc, depth)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.values - before + 1)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise _Stop(event.start_mark, f"there is no anchor `{event.anchor}` before this alias")
        known = self.anchors[event.anchor]
        if known is None:
            raise _Stop(event.start_mark, f"`*{event.anchor}` stands in what it repeats, without end")
        value, size = known
        self.values += size
        return value

    def _list(self, loc: Loc, depth: int) -> list[Any]:
        result: list[Any] = []
        event = self.parser.get_event()
        while not isinstance(event, yaml.SequenceEndEvent):
            result.append(self._value(event, (*loc, len(result)), depth + 1))
            event = self.parser.get_event()
        return result

    def _mapping(self, loc: Loc, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines = self.document.lines
        event = self.parser.get_event()
        while not isinstance(event, yaml.MappingEndEvent):
            line = event.start_mark.line
            key = self._key(event, loc, depth)
            here = (*loc, key)
            event = self.parser.get_event()
            if key == "<<":
                self._told(line, here, "merge keys are not YAML 1.2", "write the keys out")
                self._value(event, here, depth + 1)
            elif key in result:
                self._told(
                    line, here, f"key is written twice, first in line {lines[here]}", "keep one of them"
                )
                self._value(event, here, depth + 1)
            else:
                lines[here] = line + 1
                result[key] = self._value(event, here, depth + 1)
            event = self.parser.get_event()
        return result

    def _key(self, event: Any, loc: Loc, depth: int) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        value = self._value(event, loc, depth + 1)
        if isinstance(value, (dict, list)):
            raise _Stop(event.start_mark, "a key is not text")
        return str(value)

    def _told(self, line: int, loc: Loc, message: str, hint: str) -> None:
        self.document.problems.append(Problem(self.document.file, line + 1, path_text(loc), message, hint))


def _scalar(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema; dates and whole numbers without end stay text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    # Most scalars are words; what no number begins with needs no pattern.
    return _number(text) if text[0] in "+-.0123456789" and len(text) <= MOST_DIGITS else text


def _number(text: str) -> int | float | str:
    plain, special = text.replace("_", ""), _SPECIAL.match(text)
    if special:
        return float(special[1] + special[2])
    if _INT.match(text):
        try:
            return int(plain, 0)
        except ValueError:  # a number with a zero before it is a name, not an octal
            return text
    return float(plain) if _FLOAT.match(text) else text
