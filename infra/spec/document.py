"""A YAML file of a declaration: its values with the line of every key, and what it should not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra import yamltext
from infra.errors import Problem, Problems, UserError
from infra.paths import ROOT
from infra.yamltext import FaultKind, Loc

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Document", "Loc", "display", "parse", "path_text", "read"]

MOST_BYTES = 32 * 2**20
"""A declaration of 40,000 users has six megabytes."""

_WORDS = {
    FaultKind.DUPLICATE: ("key is written twice, first in line {}", "keep one of them"),
    FaultKind.MERGE: ("merge keys are not YAML 1.2", "write the keys out"),
    FaultKind.TAG: ("the tag `{}` is not read", "leave it out"),
}


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
    try:
        content = yamltext.read(text)
    except yamltext.NotYamlError as error:
        hint = "take it out" if error.is_character else "check indentation and quotes"
        raise Problems([Problem(name, error.line, "$", f"is not YAML: {error.reason}", hint)]) from error
    problems = []
    for fault in content.faults:
        message, hint = _WORDS[fault.kind]
        problems.append(Problem(name, fault.line, path_text(fault.loc), message.format(fault.detail), hint))
    return Document(name, content.value, content.lines, problems)
