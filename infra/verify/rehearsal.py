"""Find what checks will ask: run them on guessed answers first, and ask every machine once for all of it.

A check that takes `host` is run beforehand, unseen, on a backend that notes each command and guesses its
answer. What was noted is asked of all machines at once, each in one login; then again, because real answers
may lead to more commands, until none is new. When the checks run, their answers are there. So a check is
written as testinfra's documentation says, and needs no list of what it asks.

A check that changes something, or that runs for long on a wrong guess, takes `shell`, which is not rehearsed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING

from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from infra.verify.batch import BatchBackend

ROUNDS = 4
"""Logins before the checks: which kind of system it is, what the checks ask, what follows from that, and one
more. What is still missing then is asked when it is needed."""
AT_ONCE = 32
"""Machines that are asked at the same time."""
LIVE = frozenset({"shell", "shell_on"})
"""Fixtures whose checks are not rehearsed."""


def rehearse(items: Sequence[pytest.Item], backends: Sequence[BatchBackend]) -> None:
    """Run checks on guesses and ask the machines, until there is nothing new to ask.

    Args:
        items: all checks of a run; those that cannot be rehearsed are left out here.
        backends: of the machines.
    """
    plain = [item for item in items if _is_plain(item)]
    for _ in range(ROUNDS):
        wanted = _wanted(plain, backends)
        if not any(wanted.values()):
            return
        ask(wanted)


def ask(wanted: Mapping[BatchBackend, Iterable[str]]) -> None:
    """Ask machines, all at the same time."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda pair: pair[0].ask(pair[1]), wanted.items()))


def _wanted(items: Sequence[pytest.Item], backends: Sequence[BatchBackend]) -> dict[BatchBackend, list[str]]:
    for backend in backends:
        backend.wanted = {}
    try:
        for item, after in zip_longest(items, items[1:]):
            runtestprotocol(item, log=False, nextitem=after)
        return {one: list(one.wanted or ()) for one in backends if one.away is None}
    finally:
        for backend in backends:
            backend.wanted = None


def _is_plain(item: pytest.Item) -> bool:
    """Return whether a check asks one machine by `host`, and keeps no answer longer than itself."""
    names = set(getattr(item, "fixturenames", ()))
    if "host" not in names or names & LIVE:
        return False
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # noqa: SLF001 (pytest has no other way)
    return not any(
        definition[-1].scope != "function" and "host" in definition[-1].argnames
        for definition in known.values()
    )
