"""Scheduler clusters: how many there are, how large, and the levels of block topology."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.plan.tables.counts import counts

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.tables import Tables


def nodes_per(geometry: Geometry, level: str) -> int:
    """Nodes in a full block of a level, by the layout's rule (`rack` to `site`)."""
    rack = len(geometry.forms[0].slots)
    last = len(geometry.forms[geometry.default_form(geometry.racks - 1)].slots)
    unit = rack * (geometry.racks - 1) + last
    pod = unit * geometry.sus
    layout = geometry.site.layout
    return {
        "rack": rack,
        "scalable-unit": unit,
        "pod": pod,
        "hall": pod * layout.pods_per_hall,
        "building": pod * layout.pods_per_hall * layout.halls_per_building,
        "site": pod * geometry.pods,
    }[level]


def clusters(plan: Tables, per: str) -> int:
    """Clusters if there is one for each block of a level."""
    layout = plan.site.layout
    size = {
        "pod": 1,
        "hall": layout.pods_per_hall,
        "building": layout.pods_per_hall * layout.halls_per_building,
        "site": max(len(plan.scope), 1),
    }[per]
    return math.ceil(len(plan.scope) / size)


def fewest(plan: Tables, limit: int) -> int:
    """The fewest clusters that can hold all nodes."""
    return math.ceil(sum(counts(plan).nodes.values()) / limit)


def block_sizes(plan: Tables) -> tuple[int, ...]:
    """Slurm `topology/block` sizes: nodes in a block of each declared level."""
    slurm = plan.site.schedulers.slurm
    if slurm is None:
        return ()
    return tuple(nodes_per(plan.geometry, level) for level in slurm.block_levels)
