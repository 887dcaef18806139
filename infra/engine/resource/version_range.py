"""Ranges of versions as the CLI knows them (blang/semver): `>=3.5.0 !3.7.7`, `<3.4.0 || >3.8.0`, `3.x`."""

from __future__ import annotations

import re
from typing import Final

from infra.engine.errors import EngineError
from infra.engine.resource.state import ENGINE_VERSION

_TERM: Final = re.compile(
    r"(==|!=|<=|>=|=|!|<|>|)(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_Version = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
_RELEASE: Final = ((2, 0, ""),)
"""Sorts after all that stands before a release: numbers, then words."""


def check_version(wanted: str) -> None:
    """Check that this engine's version is in a range that is asked for; an empty one asks nothing.

    Raises:
        EngineError: it is not, or the range is not valid.
    """
    ours = ENGINE_VERSION.removeprefix("v")
    if wanted and not _holds(wanted, _parse(ours)):
        raise EngineError(f'Pulumi CLI version {ours} does not satisfy the version range "{wanted}"')


def _parse(text: str) -> _Version:
    core, _, before = text.partition("+")[0].partition("-")
    major, minor, patch = map(int, core.split("."))
    return major, minor, patch, _before(before)


def _before(words: str) -> tuple[tuple[int, int, str], ...]:
    if not words:
        return _RELEASE
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words.split("."))


def _holds(wanted: str, version: _Version) -> bool:
    # An operator may stand apart from its version.
    joined = re.sub(r"(==|!=|<=|>=|=|!|<|>)\s+", r"\1", wanted.strip())
    fitting = False
    for part in joined.split("||"):
        found = [_fits(term, version, wanted) for term in part.split() or [""]]  # each, so that all are read
        fitting = fitting or all(found)
    return fitting


def _fits(term: str, version: _Version, wanted: str) -> bool:  # noqa: PLR0911 (one per operator)
    found = _TERM.fullmatch(term)
    if found is None:
        raise EngineError(f'parsing CLI version range "{wanted}": {term!r} is no comparison with a version')
    operator, *parts, before = found.groups()
    numbers = [int(part) for part in parts if part and part not in "xX*"]
    if len(numbers) < 3 and all(part is None or part.isdigit() for part in parts):
        raise EngineError(f'parsing CLI version range "{wanted}": {term!r} is no whole version')
    low = high = (*numbers, *[0] * (3 - len(numbers)), _before(before or ""))
    if not numbers:
        return operator not in ("!", "!=", "<", ">")
    if len(numbers) < 3:  # a wildcard: all from `low` to below `high`
        following = [*numbers[:-1], numbers[-1] + 1]
        high = (*following, *[0] * (3 - len(numbers)), _before(""))
        inside = low <= version < high
    else:
        inside = low == version
    match operator:
        case "!" | "!=":
            return not inside
        case "<":
            return version < low
        case "<=":
            return version < low or inside
        case ">":
            return version >= low and not inside
        case ">=":
            return version >= low
        case _:
            return inside
