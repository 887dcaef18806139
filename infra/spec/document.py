"""A YAML file as plain values that remember the line of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from infra.errors import Problem, Problems, UserError
from infra.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

Loc = tuple[str | int, ...]

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(slots=True)
class Document:
    """One parsed file.

    Attributes:
        file: its name as the user knows it (relative to the checkout where it lies in it).
        value: mappings, lists, text, whole numbers, booleans and None. Numbers with a fraction stay numbers.
        lines: line (from 1) of each value by its location.
        problems: keys written twice.
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
        Problems: it is not YAML.
    """
    name = display(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError("there is no such file", where=name) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=name) from error
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Parse YAML 1.2 text; `name` stands for the file in messages."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line + 1) if mark else 1
        message = f"is not YAML: {error.problem or error.context}"
        raise Problems([Problem(name, line, "$", message, "check indentation and quotes")]) from error
    document = Document(name, None)
    if node is not None:
        document.value = _value(node, (), document)
    return document


def _value(node: Any, loc: Loc, document: Document) -> Any:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*loc, key)
            if key in result:
                first = document.lines[here]
                line = key_node.start_mark.line + 1
                document.problems.append(
                    Problem(
                        document.file,
                        line,
                        path_text(here),
                        f"key is written twice, first in line {first}",
                        "keep one of them",
                    )
                )
                continue
            document.lines[here] = key_node.start_mark.line + 1
            result[key] = _value(value_node, here, document)
        return result
    if isinstance(node, SequenceNode):
        return [_value(item, (*loc, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _scalar(node: ScalarNode) -> Any:
    tag, text = str(node.tag), str(node.value)
    if tag.endswith(":null"):
        return None
    if tag.endswith(":bool"):
        return _BOOL.get(text, text)
    if tag.endswith(":int"):
        try:
            return int(text.replace("_", ""), 0)
        except ValueError:
            return text
    if tag.endswith(":float"):
        plain = text.replace("_", "").lower()
        return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    return text  # dates too: pydantic reads them from text
