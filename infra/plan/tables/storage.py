"""Storage tiers, and the checkpoint that they must take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.counts import counts
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables
    from infra.spec.services import CheckpointNeed


def storage(plan: Tables) -> pl.DataFrame:
    """Tiers in scope; a pod has its part of what is declared for the site.

    Returns:
        tier, kind, servers, capacity_bytes, read_bytes_s, write_bytes_s.
    """
    part = len(plan.scope) / plan.geometry.pods
    units = plan.geometry.sizes.units_in(plan.scope)
    local = sum(
        catalog.platform(name).node.local_storage * number for name, number in counts(plan).nodes.items()
    )
    rows = [
        (tier.name, tier.kind, tier.servers, local if tier.kind == "local" else (tier.capacity or 0.0) * part,
         tier.read_per_scalable_unit * units, tier.write_per_scalable_unit * units)
        for tier in plan.site.storage.tiers
    ]  # fmt: skip
    schema = {"tier": pl.String, "kind": pl.String, "servers": pl.String, "capacity_bytes": pl.Float64,
              "read_bytes_s": pl.Float64, "write_bytes_s": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Demands of a job's checkpoints on storage.

    Attributes:
        bytes: of one checkpoint.
        mtbf_s: seconds between interruptions of the job.
        interval_s: the best interval between checkpoints (Young 1974: sqrt(2 x pause x MTBF)).
        write_bytes_s: write bandwidth with which one checkpoint is on storage when the next begins.
    """

    bytes: float
    mtbf_s: float
    interval_s: float
    write_bytes_s: float


def checkpoint(need: CheckpointNeed) -> Checkpoint:
    """Size a job's checkpoints."""
    size = need.parameters * need.bytes_per_parameter
    mtbf = mtbf_s(need.interruption_per, need.accelerators)
    interval = math.sqrt(2 * need.pause * mtbf)
    return Checkpoint(size, mtbf, interval, size / interval)


def mtbf_s(accelerator_hours: float, accelerators: int) -> float:
    """Seconds between interruptions of a job on so many accelerators."""
    return accelerator_hours / accelerators * 3600
