"""In which waves switches can be drained, so that no host and no switch loses its last path.

What is cabled to several switches of a fabric keeps most of them at any time; a switch that something has as
its only one is in no wave: its hosts need to be drained first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.plan import Plan

MOST_SHARE = 0.25
"""Of the switches that something is cabled to, those that may be drained at once (at least one of two)."""


@dataclass(frozen=True, slots=True)
class Drains:
    """Waves of switches, and those that cannot be drained.

    Attributes:
        waves: switches that can be drained together, one wave after the other.
        alone: switch → what has no other one on that fabric.
    """

    waves: tuple[tuple[str, ...], ...]
    alone: Mapping[str, tuple[str, ...]]


def drain_waves(plan: Plan) -> Drains:
    """Put the switches of a scope's data fabrics in waves."""
    links = plan.links.filter(~pl.col("fabric").cast(pl.String).is_in(plan.geometry.management_fabrics))
    above = (
        links.group_by("a", "fabric", maintain_order=True)
        .agg(pl.col("z").unique(maintain_order=True))
        .select("a", "z")
    )
    return waves_of(((name, tuple(uppers)) for name, uppers in above.iter_rows()), links["z"].unique())


def waves_of(above: Iterable[tuple[str, tuple[str, ...]]], switches: Iterable[str]) -> Drains:
    """Deal switches into waves, in the order of their names.

    Args:
        above: a device and the switches that it is cabled to on one fabric.
        switches: all of them.
    """
    alone: dict[str, list[str]] = {}
    groups: dict[tuple[str, ...], int] = {}
    for name, uppers in above:
        if len(uppers) == 1:
            alone.setdefault(uppers[0], []).append(name)
        else:
            groups[uppers] = max(int(len(uppers) * MOST_SHARE), 1)
    member: dict[str, list[tuple[str, ...]]] = {}
    for group in groups:
        for switch in group:
            member.setdefault(switch, []).append(group)
    left = sorted(set(switches) - alone.keys())
    waves: list[tuple[str, ...]] = []
    while left:
        taken: dict[tuple[str, ...], int] = {}
        wave, later = [], []
        for switch in left:
            own = member.get(switch, [])
            if all(taken.get(group, 0) < groups[group] for group in own):
                wave.append(switch)
                for group in own:
                    taken[group] = taken.get(group, 0) + 1
            else:
                later.append(switch)
        waves.append(tuple(wave))
        left = later
    return Drains(tuple(waves), {switch: tuple(names) for switch, names in sorted(alone.items())})
