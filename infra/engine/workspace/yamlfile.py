"""YAML as the CLI's parser reads it (version 1.2's core types), with the line of every value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from infra.engine.backend import files
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

Place = tuple[str | int, ...]

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

    def problem(self, place: Place, message: str) -> None:
        """Note a mistake at a place (the nearest one above it that is there)."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        line = self.lines.get(at, 1)
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        self.problems.append((line, f"{self.path}:{line}: ${shown}: {message}"))

    def check(self) -> None:
        """See that no mistake was found.

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
    document = Document(path)
    try:
        root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"{path}:{line}: {error.problem or 'is not YAML'}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(f"{path}:1: is not YAML ({error})") from error
    if root is not None:
        document.value = _value(root, (), document)
    document.check()
    return document


def _value(node: yaml.Node, place: Place, document: Document) -> Any:
    document.lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, index), document) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, place: Place, document: Document) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key == "<<" and key_node.style is None:
            sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for source in reversed(sources):
                merged |= _value(source, (*place, key), document)
            continue
        if key in own:
            document.lines[*place, key] = key_node.start_mark.line + 1
            document.problem((*place, key), "stands there twice")
        own[key] = _value(value_node, (*place, key), document)
        document.lines[*place, key] = key_node.start_mark.line + 1
    return merged | own


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None or node.tag == "tag:yaml.org,2002:binary":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        plain = text.replace("_", "")
        octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", plain)
        return int(f"{octal[1]}0o{octal[2]}", 0) if octal and octal[2] else int(plain, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
