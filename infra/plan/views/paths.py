"""The worth of a fabric's paths in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.plan.tables.paths import FabricPaths


def speed(gbit: float) -> str:
    """Gbit/s as people read it."""
    for scale, unit in ((1e6, "Pbit/s"), (1e3, "Tbit/s")):
        if gbit >= scale:
            return f"{gbit / scale:.4g} {unit}"
    return f"{gbit:.4g} Gbit/s"


def sentence(judged: FabricPaths) -> str:
    """Paths, bisection and oversubscription in one line."""
    if len(judged.tiers) == 1:
        count = judged.tiers[0].switches // judged.blocks
        alone = "one switch" if count == 1 else f"{count:,} switches not joined by this fabric"
        return f"{alone} in each {judged.block}"
    if judged.islands > 1:
        parts = [f"leaves without a path to each other in each {judged.block}"]
    else:
        known = [paths for paths in (judged.paths_near, judged.paths_far) if paths is not None]
        paths = " or ".join(f"{paths:,}" for paths in known)
        parts = [f"{paths} paths"]
    where = "" if judged.blocks == 1 else f" of each of {judged.blocks:,} {judged.block} blocks"
    parts.append(f"bisection {speed(judged.bisection_gbit)} ({judged.bisection_share:.3g} of full){where}")
    ratios = [
        f"{tier.oversubscription:.3g}:1 above {tier.name}"
        for tier in judged.tiers
        if tier.oversubscription is not None
    ]
    if ratios:
        parts.append(", ".join(ratios))
    if judged.planes > 1:
        parts.append(f"{judged.planes} planes")
    return "; ".join(parts)
