"""Property paths (`tags.owner`, `disks[0]["a.b"]`, `*`): where ignoreChanges and replaceOnChanges point."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.resource.values import OutputValue, Properties, Secret

if TYPE_CHECKING:
    from infra.engine.resource.values import Value

Path = tuple[str | int, ...]
"""Property names and list indices; the name `*` stands for every one."""

_MISSING: Final = object()
_INDEX: Final = re.compile(r"[+-]?[0-9]+")


class PathError(EngineError):
    """A text is no property path."""


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """Take a path apart.

    Raises:
        PathError: it is not valid.
    """
    if text.startswith("."):
        raise PathError("expected property path to start with a name or index")
    path: list[str | int] = []
    rest = text
    while rest:
        if rest[0] == ".":
            rest = rest[1:]
            if not rest:
                raise PathError("expected property path to end with a name or index")
        elif rest[0] == "[":
            element, rest = _index(rest)
            path.append(element)
        else:
            end = min((at for at in (rest.find("."), rest.find("[")) if at >= 0), default=len(rest))
            path.append(rest[:end])
            rest = rest[end:]
    return tuple(path)


def _index(rest: str) -> tuple[str | int, str]:
    if rest.startswith('["'):
        key, at = "", 2
        while at < len(rest) and rest[at] != '"':
            if rest.startswith('\\"', at):
                at += 1
            key += rest[at]
            at += 1
        if at == len(rest):
            raise PathError("missing closing quote in property name")
        if rest[at + 1 : at + 2] != "]":
            raise PathError("missing closing bracket in property access")
        return key, rest[at + 2 :]
    inside, bracket, after = rest[1:].partition("]")
    if not bracket:
        raise PathError("missing closing bracket in array index")
    if inside == "*":
        return "*", after
    if not _INDEX.fullmatch(inside):
        raise PathError(f'invalid array index: strconv.ParseInt: parsing "{inside}": invalid syntax')
    return int(inside), after


def text_of(path: Path) -> str:
    """The path in its written form."""
    parts: list[str] = []
    for element in path:
        if isinstance(element, int):
            parts.append(f"[{element}]")
        elif all(char.isascii() and (char.isalnum() or char == "_") for char in element):
            parts.append(f".{element}" if parts else element)
        else:
            quoted = element.replace('"', '\\"')
            parts.append(f'["{quoted}"]')
    return "".join(parts)


NOTHING: Final = object()
"""What `find` answers where there is nothing."""


def find(text: str, value: Value) -> Any:
    """Find the value at a written path; NOTHING if it is no path or leads nowhere."""
    try:
        path = parse(text)
    except PathError:
        return NOTHING
    for element in path:
        value, _ = _unwrapped(value)
        if isinstance(element, int) and isinstance(value, list) and 0 <= element < len(value):
            value = value[element]
            continue
        if not isinstance(element, str) or not isinstance(value, dict) or element not in value:
            return NOTHING
        value = value[element]
    return value


def contains(path: Path, other: Path) -> bool:
    """Whether `other` is at or below `path`."""
    if len(other) < len(path):
        return False
    return all(
        mine in ("*", theirs) and (mine == "*" or type(mine) is type(theirs))
        for mine, theirs in zip(path, other, strict=False)
    )


def copy_value(value: Value) -> Value:
    """A copy whose containers can be changed without changing the original's."""
    if isinstance(value, dict):
        return {key: copy_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_value(item) for item in value]
    if isinstance(value, Secret):
        return Secret(copy_value(value.value), value.ciphertext)
    if isinstance(value, OutputValue):
        return OutputValue(copy_value(value.value), value.secret, value.dependencies)
    return value


def reset(path: Path, old: Properties, new: Properties) -> bool:
    """Set what the path locates in `new` to what it locates in `old`, in place.

    Neither makes intermediate objects nor changes the length of lists.

    Returns:
        Whether the path could be followed on both sides.
    """
    return _reset(path, old, new, secret=False)


def _reset(path: Path, old: Value, new: Value, *, secret: bool) -> bool:  # noqa: PLR0911
    """`secret`: the old value lies under a secret mark that the new one lacks, so it must keep its own."""
    if not path:
        return False
    old, old_secret = _unwrapped(old)
    new, new_secret = _unwrapped(new)
    secret = (secret or old_secret) and not new_secret
    element = path[0]
    if element == "*":
        return _reset_all(path, old, new, secret=secret)
    if isinstance(element, int):
        return _reset_item(element, path, old, new, secret=secret)
    if len(path) == 1:
        if isinstance(old, dict) and element in old:
            if not isinstance(new, dict):
                return False
            new[element] = _marked(old[element], secret=secret)
        elif isinstance(new, dict):
            new.pop(element, None)
        return True
    if not isinstance(old, dict) or not isinstance(new, dict):
        return not isinstance(old, dict) and not isinstance(new, dict)
    before, after = old.get(element, _MISSING), new.get(element, _MISSING)
    if after is _MISSING:
        return before is _MISSING
    return _reset(path[1:], None if before is _MISSING else before, after, secret=secret)


def _reset_item(index: int, path: Path, old: Value, new: Value, *, secret: bool) -> bool:
    if index < 0:
        return False
    if not isinstance(old, list) or not isinstance(new, list):
        return not isinstance(old, list) and not isinstance(new, list)
    in_old, in_new = index < len(old), index < len(new)
    if not (in_old and in_new):
        return len(path) == 1 and in_old == in_new
    if len(path) == 1:
        new[index] = _marked(old[index], secret=secret)
        return True
    return _reset(path[1:], old[index], new[index], secret=secret)


def _reset_all(path: Path, old: Value, new: Value, *, secret: bool) -> bool:  # noqa: PLR0911
    if len(path) == 1:
        if isinstance(new, dict):
            if isinstance(old, dict):
                new.clear()
                new.update({key: _marked(item, secret=secret) for key, item in old.items()})
            return True
        if isinstance(new, list):
            if not isinstance(old, list):
                return True
            for index in range(min(len(old), len(new))):
                new[index] = _marked(old[index], secret=secret)
            return len(old) == len(new)
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return all(
            key in new and _reset(path[1:], item, new[key], secret=secret) for key, item in old.items()
        )
    if isinstance(old, list) and isinstance(new, list):
        pairs = zip(old, new, strict=False)
        followed = all(_reset(path[1:], before, after, secret=secret) for before, after in pairs)
        return followed and len(old) == len(new)
    return False


def _unwrapped(value: Value) -> tuple[Value, bool]:
    secret = False
    while isinstance(value, Secret):
        value, secret = value.value, True
    return value, secret


def _marked(value: Value, *, secret: bool) -> Value:
    value = copy_value(value)
    return Secret(value) if secret and not isinstance(value, Secret) else value
