"""Scheduler clusters: how many there are, how large, and the levels of block topology."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.counts import counts
from infra.plan.tables.power import rack_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.tables import Tables


def clusters(plan: Tables, per: str) -> tuple[int, ...]:
    """Nodes of each cluster if there is one for each block of a level, exceptions counted in."""
    layout = plan.site.layout
    size = {
        "pod": 1,
        "hall": layout.pods_per_hall,
        "building": layout.pods_per_hall * layout.halls_per_building,
        "site": plan.geometry.pods,
    }[per]
    racks = plan.rack_frame.select((pl.col("pod") // size).alias("block"), rack_nodes(plan))
    return tuple(racks.group_by("block", maintain_order=True).agg(pl.col("nodes").sum())["nodes"])


def fewest(plan: Tables, limit: int) -> int:
    """The fewest clusters that can hold all nodes."""
    return math.ceil(sum(counts(plan).nodes.values()) / limit)


def block_sizes(plan: Tables) -> tuple[int, ...]:
    """Slurm `topology/block` sizes over all clusters: see `doubling`."""
    slurm = plan.site.schedulers.slurm
    if slurm is None:
        return ()
    keys = {"rack": "name", "scalable-unit": "row", "pod": "pod_name"}
    racks = plan.rack_frame.select(*keys.values(), rack_nodes(plan)).filter(pl.col("nodes") > 0)
    smallest = [
        racks.group_by(keys[level]).agg(pl.col("nodes").sum())["nodes"].min() for level in slurm.block_levels
    ]
    return doubling([size for size in smallest if isinstance(size, int)])


def doubling(smallest: Sequence[int]) -> tuple[int, ...]:
    """Sizes that Slurm takes of the smallest block of each level: each a power of two of the one before."""
    sizes: list[int] = []
    for size in smallest:
        factor, rest = divmod(size, sizes[-1]) if sizes else (2, 0)
        if rest == 0 and factor > 1 and factor & (factor - 1) == 0:
            sizes.append(size)
    return tuple(sizes)
