"""Failures of many machines in few words: equal ones together, with where they are."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VOLATILE = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b|\b\d+(?:\.\d+)*\b|/tmp/\S+")
"""Numbers, addresses and temporary names differ between machines that fail for one cause."""


def group(reasons: Mapping[str, str], place_of: Callable[[str], str | None]) -> list[str]:
    """One line for each kind of failure, the most frequent first.

    Args:
        reasons: by machine.
        place_of: a machine's rack, for where they are.

    Returns:
        lines such as `14 × apt lock held by unattended-upgrades (rack pod-01-su-01-rack-03 and 2 more)`.
    """
    kinds: dict[str, list[str]] = {}
    for host, reason in reasons.items():
        first = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
        plain = VOLATILE.sub("#", first.replace(host, "HOST"))
        kinds.setdefault(plain, []).append(host)
    lines = []
    for hosts in sorted(kinds.values(), key=lambda names: (-len(names), names[0])):
        places = Counter(place for host in hosts if (place := place_of(host)))
        reason = next(
            line.strip() for line in (reasons[hosts[0]] or "no reason given").splitlines() if line.strip()
        )
        lines.append(f"{len(hosts)} × {reason} ({_where(hosts, places)})")
    return lines


def _where(hosts: list[str], places: Counter[str]) -> str:
    if len(hosts) <= 2 or not places:
        more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
        return ", ".join(hosts[:3]) + more
    (first, count), *rest = places.most_common()
    more = f" and {len(rest)} more racks" if rest else ""
    return f"{count} in {first}{more}"
