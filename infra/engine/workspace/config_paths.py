"""Values inside a configuration value: set, removed and found by their property path, as the CLI does it.

An object is plain YAML, in which `{secure: CIPHERTEXT}` is a secret: one value, and no map.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.resource import property_path
from infra.engine.workspace.config import is_sealed

if TYPE_CHECKING:
    from infra.engine.resource.property_path import Path

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST: Final = 65536
"""Items of a list that a path may ask for at once; the CLI takes as many as there is memory for."""
_RESERVED: Final = 'maps with the single key "secure" are reserved'


def coerce(text: str) -> Any:
    """Convert a text inside an object: to a truth value or an integer of 64 bits where it reads as one."""
    if text in ("true", "false"):
        return text == "true"
    if not _INTEGER.fullmatch(text) or (len(text) > 1 and text[0] == "0"):
        return text
    number = int(text)
    return number if -(2**63) <= number < (2**64 if text[0].isdigit() else 2**63) else text


def put(old: Any, path: Path, value: Any, name: str) -> Any:
    """The value with another one put in at a path; what was there is not changed.

    As for the CLI, text, a number or a secret in the place of the outermost container is replaced by one;
    deeper inside it is in the way.

    Args:
        old: the whole value as it was; None if there was none.
        path: the way in, not empty.
        value: what is put in.
        name: of the whole value, for messages.

    Raises:
        EngineError: something on the way is no container of that kind, or lacks the item.
    """
    if not _is_container(old):
        old = None
    return _put(old, path, 0, value, name)


def _put(old: Any, path: Path, depth: int, value: Any, name: str) -> Any:
    if depth == len(path):
        return value
    part, so_far = path[depth], _text(name, path[:depth])
    if old is None:
        old = _new_container(part, so_far)
    elif not _is_container(old):
        raise EngineError(f"{so_far}: expected {'an array' if isinstance(part, int) else 'a map'}")
    here = _text(name, path[: depth + 1])
    if isinstance(old, list):
        if not isinstance(part, int):
            raise EngineError(f"{here}: key for an array must be an int")
        if not 0 <= part <= len(old):
            raise EngineError(f"{here}: array index out of range", hint=f"it has {len(old)} items")
        items = [*old, None] if part == len(old) else list(old)
        items[part] = _put(items[part], path, depth + 1, value, name)
        return items
    if isinstance(part, int):
        raise EngineError(f"{here}: key for a map must be a string")
    if not old and part == "secure" and depth == len(path) - 1 and isinstance(value, str):
        raise EngineError(f"{here}: {_RESERVED}")
    fields = dict(old)
    fields[part] = _put(fields.get(part), path, depth + 1, value, name)
    return fields


def _new_container(part: str | int, where: str) -> Any:
    if isinstance(part, str):
        return {}
    if not 0 <= part < _LONGEST:
        raise EngineError(f"{where}[{part}]: array index out of range")
    return [None] * (part + 1)


def without(old: Any, path: Path, name: str) -> Any:
    """The value without what is at a path.

    Raises:
        EngineError: there is nothing, or what is left would read as a secret.
    """
    inside = _at(old, path[:1], name)
    copied: Any = dict(old) if isinstance(old, dict) else list(old)
    part: Any = path[0]
    if len(path) > 1:
        copied[part] = without(inside, path[1:], _text(name, path[:1]))
        return copied
    del copied[part]
    if is_sealed(copied):
        raise EngineError(f"{_text(name, path)}: {_RESERVED}")
    return copied


def get(value: Any, path: Path, name: str) -> Any:
    """Return the value at a path.

    Raises:
        EngineError: there is nothing.
    """
    for index in range(len(path)):
        value = _at(value, path[index : index + 1], _text(name, path[:index]))
    return value


def _at(value: Any, path: Path, name: str) -> Any:
    part: Any = path[0]
    fits = isinstance(value, list) if isinstance(part, int) else isinstance(value, dict)
    if (
        not fits
        or is_sealed(value)
        or (part >= len(value) or part < 0 if isinstance(part, int) else part not in value)
    ):
        raise EngineError(f"there is no {_text(name, path)}")
    return value[part]


def _is_container(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and not is_sealed(value))


def _text(name: str, path: Path) -> str:
    inside = property_path.text_of(path)
    return f"{name}{'' if not inside or inside.startswith('[') else '.'}{inside}"
