"""Shortest paths between two devices over the planned cables: every hop with its ports and cable."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.plan import Plan


@dataclass(frozen=True, slots=True)
class Hop:
    """One cable of a path, in the direction of travel; metres and Gbit/s of the cable."""

    device: str
    port: str
    peer: str
    peer_port: str
    gbit: float
    metres: float


@dataclass(frozen=True, slots=True)
class Paths:
    """Shortest paths of one fabric.

    Attributes:
        fabric: its name.
        count: equal shortest paths, cables in parallel counted.
        first: the first of them, by names.
    """

    fabric: str
    count: int
    first: tuple[Hop, ...]

    @property
    def switches(self) -> int:
        """Switches on the way."""
        return len(self.first) - 1


def paths_between(plan: Plan, one: str, other: str) -> tuple[Paths, ...]:
    """Shortest paths between two devices on each fabric that joins them.

    Args:
        plan: of the whole site.
        one: a tray, server or switch by name.
        other: another.

    Raises:
        UserError: there is no such device, both are one, or no fabric joins them.
    """
    if one == other:
        raise UserError(f"`{one}` is at both ends", hint="name two devices")
    links = _links(plan, (one, other))
    found = []
    for fabric in links["fabric"].unique(maintain_order=True):
        edges: dict[str, list[Hop]] = defaultdict(list)
        hosts = set()
        rows = links.filter(pl.col("fabric") == fabric)
        columns = ("tier", "a", "a_port", "z", "z_port", "gbit", "length")
        for step, a, a_port, z, z_port, gbit, metres in rows.select(columns).iter_rows():
            edges[a].append(Hop(a, a_port, z, z_port, gbit, metres))
            edges[z].append(Hop(z, z_port, a, a_port, gbit, metres))
            if str(step).startswith("host_"):
                hosts.add(a)
        path = _search(edges, hosts, one, other)
        if path is not None:
            found.append(Paths(str(fabric), *path))
    if not found:
        raise UserError(f"no fabric of {plan.site.name} joins {one} and {other}",
                        hint="`gigasite fabric show` tells what each fabric joins")  # fmt: skip
    return tuple(found)


def _links(plan: Plan, names: tuple[str, str]) -> pl.DataFrame:
    """Cables of the pods that two devices are in, and those above them."""
    pods = sorted({name[:6] for name in names} & set(plan.pods))
    if all(name[:6] in pods for name in names):
        # A pod's cables end at the switches above it; those among the switches above are the site's own.
        links = pl.concat([*(plan.pod(pod).links for pod in pods), plan.own_level().links])
    else:
        links = plan.links
    there = set(links["a"]) | set(links["z"])
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"`gigasite plan {plan.site.name} --table links`"
            raise UserError(f"{plan.site.name} has no cabled device `{name}`", hint=hint)
    return links


def _search(
    edges: dict[str, list[Hop]], hosts: Iterable[str], one: str, other: str
) -> tuple[int, tuple[Hop, ...]] | None:
    """Number of shortest paths and the first of them; hosts carry no traffic of others."""
    if one not in edges or other not in edges:
        return None
    closed = set(hosts) - {one, other}
    counts = {one: 1}
    came: dict[str, Hop] = {}
    layer = [one]
    while layer and other not in counts:
        following: dict[str, int] = defaultdict(int)
        for device in sorted(layer):
            for hop in edges[device]:
                if hop.peer not in counts and hop.peer not in closed:
                    following[hop.peer] += counts[device]
                    came.setdefault(hop.peer, hop)
        counts.update(following)
        layer = list(following)
    if other not in counts:
        return None
    path, at = [], other
    while at != one:
        path.append(came[at])
        at = came[at].device
    return counts[other], tuple(reversed(path))
