"""YAML text: read as plain values with the line of every place, and written, by libyaml.

Read event by event, so that nothing is built from what cannot be a value: tags, several documents, aliases
that hold themselves or unfold without end, depth without end. It knows nothing of gigasite: the engine reads
its files with it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Loc = tuple[str | int, ...]

MOST_VALUES = 3_000_000
"""Values in a file, those that aliases repeat counted each time."""
MOST_DEPTH = 60
"""Levels of nesting; a declaration has eight."""
MOST_DIGITS = 30
"""Digits of a number that is read as one."""

_Parser: Callable[[str], Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = {"", "~", "null", "Null", "NULL"}
_INT = re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*)([eE][-+]?[0-9]+)?$")
_SPECIAL = re.compile(r"^([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)$")


class NotYamlError(ValueError):
    """The text is not YAML, or more than a file can be.

    Attributes:
        line: from 1.
        reason: what the parser stumbled over.
        is_character: whether that is a character that YAML does not allow.
    """

    def __init__(self, line: int, reason: str, *, is_character: bool = False) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason, self.is_character = line, reason, is_character


class FaultKind(Enum):
    """Kinds of what YAML allows and a file should not hold."""

    DUPLICATE = "duplicate key"
    MERGE = "merge key"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: its kind.
        line: from 1.
        loc: place of the value.
        detail: the tag, or the line of the first key of the same name.
    """

    kind: FaultKind
    line: int
    loc: Loc
    detail: str


@dataclass(slots=True)
class Content:
    """Values of a text, and where they stand.

    Attributes:
        value: mappings, lists, text, numbers, booleans and None. Of a key twice, the first counts.
        lines: line (from 1) of each value by its place.
        faults: in the order of the text.
    """

    value: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def resolve_core(text: str) -> Any:
    """Return a plain scalar by YAML 1.2's core schema; dates and whole numbers without end stay text."""
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


def read(text: str, *, resolve: Callable[[str], Any] = resolve_core, lenient: bool = False) -> Content:
    """Read YAML text.

    Args:
        text: one document, or nothing.
        resolve: the value of a plain scalar.
        lenient: follow merge keys and pass over tags, which are faults otherwise.

    Raises:
        NotYamlError: it is not YAML, or more than a file can be.
    """
    content = Content()
    try:
        _Reader(text, content, resolve, lenient=lenient).read()
    except yaml.YAMLError as error:
        raise _explain(error, text) from None
    return content


def load(path: Path, *, resolve: Callable[[str], Any] = resolve_core, lenient: bool = False) -> Any:
    """Read a file's values, where nobody needs their lines; `resolve` and `lenient` are those of `read`.

    Raises:
        NotYamlError: it is not YAML, or holds a fault.
        OSError, UnicodeDecodeError: it cannot be read.
    """
    return loads(path.read_text(encoding="utf-8"), resolve=resolve, lenient=lenient)


def loads(text: str, *, resolve: Callable[[str], Any] = resolve_core, lenient: bool = False) -> Any:
    """Read a text's values; see `load`."""
    content = read(text, resolve=resolve, lenient=lenient)
    for fault in content.faults:
        raise NotYamlError(fault.line, f"{fault.kind.value} ({fault.detail})")
    return content.value


def dumps(value: Any) -> str:
    """Write plain values in their order; text that would be read as something else is quoted."""
    written: str = yaml.dump(
        value, Dumper=_Writer, sort_keys=False, default_flow_style=False, allow_unicode=True, width=100
    )
    return written


class _Writer(_Dumper):  # type: ignore[misc]
    """Writes for a reader of YAML 1.2; PyYAML's own rules for what needs quotes are those of 1.1."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's method)
        return True


def _represent_text(writer: Any, text: str) -> Any:
    style = None if isinstance(resolve_core(text), str) else "'"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _represent_text)


def _explain(error: yaml.YAMLError, text: str) -> NotYamlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        reason = getattr(error, "problem", None) or getattr(error, "context", None)
        # What is missing at the end is missed on the line after it.
        last = text.rstrip("\n").count("\n") + 1
        return NotYamlError(min(mark.line + 1, last), str(reason))
    line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
    return NotYamlError(line, str(getattr(error, "reason", error)), is_character=True)


class _Stop(yaml.YAMLError):  # type: ignore[misc]
    """The text is more than a file can be."""

    def __init__(self, mark: Any, problem: str) -> None:
        super().__init__(problem)
        self.problem_mark, self.problem = mark, problem


class _Reader:
    """Builds values from a parser's events."""

    def __init__(self, text: str, content: Content, resolve: Callable[[str], Any], *, lenient: bool) -> None:
        self.parser, self.content, self.resolve, self.lenient = _Parser(text), content, resolve, lenient
        self.values = 0
        self.anchors: dict[str, tuple[Any, int] | None] = {}
        """By name: value and how many values it holds; None while it is being read."""

    def read(self) -> None:
        get = self.parser.get_event
        get()
        event = get()
        if isinstance(event, yaml.StreamEndEvent):
            return
        self.content.value = self._value(get(), (), 0)
        get()
        event = get()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Stop(event.start_mark, "a second document begins here")

    def _value(self, event: Any, loc: Loc, depth: int) -> Any:
        mark = event.start_mark
        self.content.lines.setdefault(loc, mark.line + 1)
        self.values += 1
        if self.values > MOST_VALUES:
            raise _Stop(mark, f"it holds more than {MOST_VALUES:,} values, those that aliases repeat counted")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None and (not isinstance(event, yaml.ScalarEvent) or event.tag != "!"):
            self._note(FaultKind.TAG, mark.line, loc, event.tag)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
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

    def _scalar(self, event: Any) -> Any:
        if event.implicit[0] or (self.lenient and not event.style and event.tag != _BINARY):
            return self.resolve(event.value)
        return event.value

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
        merged: list[dict[str, Any]] = []
        lines = self.content.lines
        event = self.parser.get_event()
        while not isinstance(event, yaml.MappingEndEvent):
            line, is_plain = event.start_mark.line, not getattr(event, "style", None)
            key = self._key(event, loc, depth)
            here = (*loc, key)
            event = self.parser.get_event()
            if key == "<<" and (is_plain or not self.lenient):
                self._note(FaultKind.MERGE, line, here, key)
                merged += self._sources(self._value(event, here, depth + 1))
            elif key in result:
                self._note(FaultKind.DUPLICATE, line, here, str(lines[here]))
                self._value(event, here, depth + 1)
            else:
                lines[here] = line + 1
                result[key] = self._value(event, here, depth + 1)
            event = self.parser.get_event()
        for source in merged:  # what is written here counts, then the sources in their order
            result = {**source, **result}
        return result

    def _sources(self, value: Any) -> list[dict[str, Any]]:
        if not self.lenient:
            return []
        return [
            source for source in (value if isinstance(value, list) else [value]) if isinstance(source, dict)
        ]

    def _key(self, event: Any, loc: Loc, depth: int) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        value = self._value(event, loc, depth + 1)
        if isinstance(value, (dict, list)):
            raise _Stop(event.start_mark, "a key is not text")
        return str(value)

    def _note(self, kind: FaultKind, line: int, loc: Loc, detail: str) -> None:
        if kind is FaultKind.DUPLICATE or not self.lenient:
            self.content.faults.append(Fault(kind, line + 1, loc, detail))


_BINARY = "tag:yaml.org,2002:binary"
