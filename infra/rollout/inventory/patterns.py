"""Ansible's host patterns, worked out on a roster: `pod_pod_01:&role_tray:!cordoned`."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.rollout.inventory.roster import Roster

_SUBSCRIPT = re.compile(r"^(?P<name>.+)\[(?:(?P<one>-?\d+)|(?P<first>\d+):(?P<last>\d*))\]$")


class NothingNamedError(UserError):
    """Words of a pattern name nothing."""


def select(
    roster: Roster, pattern: str | Iterable[str], extra: Mapping[str, Sequence[int]] | None = None
) -> list[int]:
    """Rows of the machines that a pattern names, in the roster's order.

    Args:
        roster: names and groups.
        pattern: Ansible's: names and groups with `:` or `,` between (spaces around them are allowed), `&` in
            front of what else they must be in, `!` in front of what they must not be in, `*?[]` and `~REGEX`.
        extra: groups that the plan does not know (`cordoned`), with their rows.

    Raises:
        NothingNamedError: a word of the pattern names nothing; all such words are named.
        UserError: an expression is none, or what was seen of machines cannot be read.
    """
    words = _words(pattern)
    strange = [word for word in words if _rows(roster, word.lstrip("&!"), extra or {}) is None]
    if strange:
        near = min(roster.groups, key=lambda name: _distance(name, strange[0].lstrip("&!")))
        raise NothingNamedError(
            f"nothing is named {', '.join(repr(word.lstrip('&!')) for word in strange)}",
            where=f"site {roster.site}",
            hint=f"use a machine or a group, for example {near}",
        )
    plain = [word for word in words if word[0] not in "&!"] or ["all"]
    found: set[int] = set()
    for word in plain:
        found.update(_rows(roster, word, extra or {}) or ())
    for word in words:
        if word[0] in "&!":
            members = set(_rows(roster, word[1:], extra or {}) or ())
            found = found & members if word[0] == "&" else found - members
    return sorted(found)


def _words(pattern: str | Iterable[str]) -> list[str]:
    if not isinstance(pattern, str):
        return [word for each in pattern for word in _words(each)]
    if pattern.startswith("~"):
        return [pattern]
    # A subscript's colon is not one between words; `a & !b` is written with spaces by people.
    text = re.sub(r"\s*([&!])\s*", r":\1", pattern.strip())
    text = re.sub(r":&:!", ":!", text)
    parts = re.findall(r"(?:[^\s:,\[\]]|\[[^\]]*\])+", text)
    return [part for part in parts if part not in {"&", "!"}]


def _rows(roster: Roster, word: str, extra: Mapping[str, Sequence[int]]) -> Sequence[int] | None:
    """Rows of one word; None if it names nothing."""
    if word in {"all", "*"}:
        found: Sequence[int] | None = range(len(roster.names))
    elif word in extra:
        found = extra[word]
    elif word in roster.groups:
        found = roster.members(word)
    elif word in roster.rows:
        found = (roster.rows[word],)
    elif (part := _SUBSCRIPT.match(word)) and (members := _rows(roster, part["name"], extra)) is not None:
        found = _subscript(members, part)
    else:
        found = _match_rows(roster, word, extra)
    return found


def _subscript(members: Sequence[int], part: re.Match[str]) -> Sequence[int]:
    """`[0]`, `[-1]`, `[0:9]` (both ends in it) and `[5:]` of a group."""
    if part["one"]:
        return members[int(part["one"]) :][:1]
    return members[int(part["first"]) : int(part["last"]) + 1 if part["last"] else None]


def _match_rows(roster: Roster, word: str, extra: Mapping[str, Sequence[int]]) -> Sequence[int] | None:
    """Rows of the groups and machines that a wildcard or an expression matches."""
    if word[:1] == "~":
        try:
            expression = re.compile(word[1:])
        except re.error as error:
            raise UserError(f"{word[1:]!r} is no regular expression: {error}", where="pattern") from error
    elif any(sign in word for sign in "*?["):
        expression = re.compile(fnmatch.translate(word))
    else:
        return None
    groups = [name for name in (*roster.groups, *extra) if expression.match(name)]
    matched = {row for name in groups for row in _rows(roster, name, extra) or ()}
    matched.update(row for row, name in enumerate(roster.names) if expression.match(name))
    return sorted(matched) if matched else None


def _distance(name: str, wanted: str) -> tuple[int, str]:
    """How unlike two names are: letters outside their common beginning; for a hint only."""
    same = next(
        (i for i, (a, b) in enumerate(zip(name, wanted, strict=False)) if a != b), min(len(name), len(wanted))
    )
    return len(name) + len(wanted) - 2 * same, name
