"""Differences of a resource for people: in brief, or line by line; secrets are masked."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final

from infra.engine.display.event_json import mask_secrets
from infra.engine.events import Op
from infra.engine.masking import MASK
from infra.engine.resource import property_path, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.engine.events import StepMetadata

UNKNOWN: Final = "[unknown]"
VALUE_WIDTH: Final = 120
"""Longer values are cut in lines, never in `--json`."""
_ABSENT: Final[Any] = object()
_CREATES: Final = (Op.CREATE, Op.IMPORT)
_SAYS_NOTHING: Final = (Op.SAME, Op.DELETE, Op.DELETE_REPLACED)


def text_of(value: Any) -> str:
    """A value in one line, secrets masked."""
    text = json.dumps(_shown(mask_secrets(value)), ensure_ascii=False, default=str)
    for mark in (MASK, UNKNOWN):
        text = text.replace(f'"{mark}"', mark)
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 2]} …"


def _shown(value: Any) -> Any:  # noqa: PLR0911 (one for each type)
    if value is values.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, values.Asset):
        return f"asset {value.path or value.uri or 'text'} {value.hash[:8]}"
    if isinstance(value, values.Archive):
        return f"archive {value.path or value.uri or ''} {value.hash[:8]}"
    if isinstance(value, values.ResourceReference):
        return value.urn
    return value


def brief(step: StepMetadata) -> str:
    """The properties that change, as the CLI says it: `[diff: +new-gone~changed,changed]`."""
    if not _differs(step):
        return ""
    found: dict[str, list[str]] = {"+": [], "-": [], "~": []}
    for path in _paths(step):
        name = str(_parts(path)[0])
        before, after = _sides(step, path, (name,))
        sign = _sign(before, after)
        if not any(name in names for names in found.values()):
            found[sign].append(name)
    text = "".join(f"{sign}{','.join(sorted(names))}" for sign, names in found.items() if names)
    return f"[diff: {text}]" if text else ""


def differences(step: StepMetadata) -> tuple[str, ...]:
    """A line for each value that changes, at its property path; of what is new, each of its inputs."""
    if step.op in _CREATES and step.old is None and step.new is not None:
        inputs = step.new.inputs
        return tuple(f"+ {key}: {text_of(inputs[key])}" for key in sorted(inputs) if not key.startswith("__"))
    if not _differs(step):
        return ()
    lines: list[str] = []
    for path in _paths(step):
        before, after = _sides(step, path, _parts(path))
        diff = (step.detailed_diff or {}).get(path)
        replaces = (diff is not None and diff.kind.replaces) or path in step.keys
        found = list(_leaves(path, before, after)) or [f"~ {path}"]
        lines += [f"{line} (replaces)" for line in found] if replaces else found
    return tuple(lines)


def diff_maps(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Each key of two maps with its sign (`+`, `-`, `~`, a space) and its value, or both values, as text."""
    found = {}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        equal = old is not _ABSENT and new is not _ABSENT and values.equal(old, new)
        found[key] = (" ", text_of(new)) if equal else (_sign(old, new), _change(old, new))
    return found


def _differs(step: StepMetadata) -> bool:
    return step.old is not None and step.new is not None and step.op not in _SAYS_NOTHING


def _paths(step: StepMetadata) -> list[str]:
    return sorted(step.detailed_diff or {*step.diffs, *step.keys})


def _parts(path: str) -> property_path.Path:
    try:
        return property_path.parse(path) or (path,)
    except property_path.PathError:
        return (path,)


def _sides(step: StepMetadata, path: str, parts: property_path.Path) -> tuple[Any, Any]:
    """The value before and after, at some parts of a path that the step says to differ."""
    assert step.old is not None
    assert step.new is not None
    diff = (step.detailed_diff or {}).get(path)
    olds = step.old.inputs if diff is None or diff.input_diff else step.old.outputs
    return _at(parts, olds), _at(parts, step.new.inputs)


def _at(parts: property_path.Path, properties: Any) -> Any:
    """The value at a property path; a secret on the way makes all below it secret."""
    value, secret = properties, False
    for part in parts:
        while isinstance(value, values.Secret):
            value, secret = value.value, True
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return values.Secret(value) if secret and not isinstance(value, values.Secret) else value


def _leaves(path: str, before: Any, after: Any) -> Iterator[str]:
    """The lines of what differs at a path or below it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"
            yield from _leaves(inner, before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _ABSENT
            new = after[index] if index < len(after) else _ABSENT
            yield from _leaves(f"{path}[{index}]", old, new)
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        if before != after:
            yield f"~ {path}:"
            both = difflib.ndiff(before.splitlines(), after.splitlines())
            yield from (f"    {line}" for line in both if line.startswith(("+ ", "- ")))
    elif before is _ABSENT or after is _ABSENT or not values.equal(before, after):
        both_absent = before is _ABSENT and after is _ABSENT
        yield f"~ {path}" if both_absent else f"{_sign(before, after)} {path}: {_change(before, after)}"


def _sign(before: Any, after: Any) -> str:
    return "~" if (before is _ABSENT) == (after is _ABSENT) else "+" if before is _ABSENT else "-"


def _change(before: Any, after: Any) -> str:
    if before is _ABSENT:
        return text_of(after)
    return text_of(before) if after is _ABSENT else f"{text_of(before)} => {text_of(after)}"
