"""YAML as the CLI's parser reads it (version 1.2's core types), with the line of every value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra import yamltext
from infra.engine.backend import files
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

Place = yamltext.Loc

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)


class YamlError(EngineError):
    """Mistakes in a file, each as `FILE:LINE: $.path: message`."""


@dataclass(slots=True)
class Document:
    """A parsed file.

    Attributes:
        path: the file.
        value: its content as plain Python.
        lines: the line, from 1, at which each place begins.
        problems: mistakes found so far; `check` raises them all.
    """

    path: Path
    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def problem(self, place: Place, message: str, *, line: int | None = None) -> None:
        """Note a mistake at a place (the nearest one above it that is there), or at a line of its own."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        line = line or self.lines.get(at, 1)
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        self.problems.append((line, f"{self.path}:{line}: ${shown}: {message}"))

    def check(self) -> None:
        """Check that no mistake was found.

        Raises:
            YamlError: there were some; names them all, in the order of the file.
        """
        if self.problems:
            raise YamlError("\n".join(text for _, text in sorted(self.problems)))


def load(path: Path) -> Document | None:
    """Read a file; None if there is none.

    Raises:
        YamlError: it is no YAML, or has a key twice.
        EngineError: it cannot be read.
    """
    content = files.read(path)
    return None if content is None else parse(path, content)


def parse(path: Path, content: bytes) -> Document:
    """Understand the content of a file.

    Raises:
        YamlError: it is no YAML, or has a key twice.
    """
    try:
        found = yamltext.read(content.decode(), resolve=_scalar, lenient=True)
    except yamltext.NotYamlError as error:
        reason = f"is not YAML ({error.reason})" if error.is_character else error.reason
        raise YamlError(f"{path}:{error.line}: {reason}") from error
    except UnicodeDecodeError as error:
        raise YamlError(f"{path}:1: is not YAML ({error})") from error
    document = Document(path, found.value, found.lines)
    for fault in found.faults:
        document.problem(fault.loc, fault.kind.value, line=fault.line)
    document.check()
    return document


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        plain = text.replace("_", "")
        octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", plain)
        return int(f"{octal[1]}0o{octal[2]}", 0) if octal and octal[2] else int(plain, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
