"""Findings of a plan: limits that are exceeded, and claims that do not add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]

ORDER: dict[str, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know.

    Attributes:
        id: the rule's name, stable over versions.
        severity: an `error` refuses the declaration.
        message: limit, value, place and what would fit, as a sentence.
        path: where in the declaration.
        place: where on the site.
        source: of the limit.
    """

    id: str
    severity: Severity
    message: str
    path: str
    place: str
    source: str

    def data(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)
