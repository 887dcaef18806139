"""Which resources an operation is limited to: URNs and globs over them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Targets:
    """A set of URNs, some given as globs: `*` matches within a part of a URN, `**` across parts."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        patterns = list(patterns)
        self.literals = {pattern: None for pattern in patterns if "*" not in pattern}
        self._globs = [_expression(pattern) for pattern in patterns if "*" in pattern]

    def __bool__(self) -> bool:
        return bool(self.literals or self._globs)

    def __contains__(self, urn: str) -> bool:
        return urn in self.literals or any(glob.fullmatch(urn) for glob in self._globs)

    def add(self, urn: str) -> None:
        """Take one more in, if there is any limit at all."""
        if self:
            self.literals[urn] = None

    def copy(self) -> Targets:
        """A set that can grow on its own."""
        other = Targets()
        other.literals, other._globs = dict(self.literals), self._globs
        return other


def _expression(pattern: str) -> re.Pattern[str]:
    parts = ("[^:]*".join(map(re.escape, part.split("*"))) for part in pattern.split("**"))
    return re.compile(".*".join(parts), re.DOTALL)
