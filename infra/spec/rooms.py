"""Room that groups of servers keep behind them, so that one server more moves none of another group.

A group of n servers has room for the next power of two, at least `LEAST`. Only when it outgrows that do the
groups declared after it move; a group appended to the list, or a server taken from the end of a group, moves
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.spec.services import Server

LEAST = 4
"""Servers that every group has room for."""
SERVER_LINKS = 8
"""Data interfaces that every server has link addresses for."""


def room(count: int) -> int:
    """Servers that a group of this many has room for."""
    return max(LEAST, 1 << (count - 1).bit_length())


def starts(groups: Sequence[tuple[int, int]]) -> list[int]:
    """First position of each group.

    Args:
        groups: servers of each group, and positions that each of its servers takes.
    """
    found, start = [], 0
    for count, each in groups:
        found.append(start)
        start += room(count) * each
    return found


def end(groups: Sequence[tuple[int, int]]) -> int:
    """Positions in use: the last group needs no room behind it."""
    if not groups:
        return 0
    count, each = groups[-1]
    return starts(groups)[-1] + count * each


def own(servers: Sequence[Server], per: str) -> list[Server]:
    """Groups of the site, or of each pod."""
    return [server for server in servers if server.per == per]


def of_site(servers: Sequence[Server]) -> int:
    """Places in use by servers of the site."""
    return end([(server.count, 1) for server in own(servers, "site")])


def in_pod(servers: Sequence[Server]) -> int:
    """Places in use by the servers of each pod."""
    return end([(server.count, 1) for server in own(servers, "pod")])


def place(servers: Sequence[Server], pod: int, number: int) -> int:
    """Place of a pod's server on the whole site: below zero, so that it and the site's own never meet."""
    return -1 - pod * room(in_pod(servers)) - number


def all_places(servers: Sequence[Server], pods: int) -> int:
    """Places in use by all servers of a site, with each pod's room."""
    own = in_pod(servers)
    return of_site(servers) + (pods * room(own) if own else 0)
