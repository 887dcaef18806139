"""Buildings, halls, pods and scalable units as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.power import power
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables


def places(plan: Tables) -> pl.DataFrame:
    """Places of the scope.

    Returns:
        level, name, parent, pod, racks, nodes, accelerators.
    """
    per_node = {name: catalog.platform(name).node.accelerators for name in set(plan.node_frame["platform"])}
    nodes = plan.node_frame.group_by("rack_name").agg(
        pl.len().cast(pl.Int64).alias("nodes"),
        pl.col("platform").replace_strict(per_node, return_dtype=pl.Int64).sum().alias("accelerators"),
    )
    table = power(plan).select("level", "name", "kind", "parent", "pod")
    current = table.filter(pl.col("kind") == "compute").join(
        nodes, left_on="name", right_on="rack_name", how="left", maintain_order="left"
    ).select("parent", pl.lit(1, pl.Int64).alias("racks"), pl.col("nodes").fill_null(0),
             pl.col("accelerators").fill_null(0))  # fmt: skip
    frames = []
    for level in ("scalable-unit", "pod", "hall", "building", "site"):
        own = table.filter(pl.col("level") == level).drop("kind")
        if not own.height:
            break
        sums = current.group_by("parent").agg(pl.col("racks", "nodes", "accelerators").sum())
        joined = own.join(sums, left_on="name", right_on="parent", how="left", maintain_order="left")
        frames.append(joined)
        current = joined.select("parent", "racks", "nodes", "accelerators")
    return pl.concat(reversed(frames))
