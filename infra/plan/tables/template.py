"""One pod's tables from another's: pods without exceptions differ only in their name and place.

The first slice that is asked for is computed like any table; the others are copies with their own pod's
name in front. Only the cables that leave the pod are computed anew, because their far ends follow from the
pod's index. A property test holds that a slice equals the same rows of the whole plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables import cabling, links, positions, reach, switching

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.tables import Tables
    from infra.spec.tiers import ResolvedTier

NAMED = {
    "racks": ("name", "pod", "su"),
    "nodes": ("name", "pod", "su", "rack"),
    "companions": ("name", "pod", "su", "rack"),
    "nics": ("node", "pod"),
    "switches": ("name", "pod", "su", "rack"),
}
"""Columns of each table that begin with the pod's name (or are empty)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Cables of one step: inside the pod with their ends as rows of `Template.names`, else None."""

    lower: ResolvedTier | None
    upper: ResolvedTier
    frame: pl.DataFrame | None


class Template:
    """Tables of a pod without exceptions."""

    def __init__(self, plan: Tables) -> None:
        self.pod = plan.scope.start
        self.prefix = plan.pods[0]
        self.tables: dict[str, pl.DataFrame] = {name: getattr(plan, name) for name in NAMED}
        self.tiers = {
            frame.tier.name: frame for frame in plan.tier_frames if frame.tier.per in switching.INSIDE
        }
        parts = list(links.link_parts(plan))
        inside = [frame for _, upper, frame in parts if upper.per in switching.INSIDE]
        columns = [frame[column] for frame in inside for column in ("a", "z", "a_rack", "z_rack")]
        self.names = (
            pl.concat(columns).unique(maintain_order=True) if columns else pl.Series([], dtype=pl.String)
        )
        rows = pl.DataFrame({"name": self.names}).with_row_index("row")
        self.parts = [
            Part(lower, upper, _rows(frame, rows) if upper.per in switching.INSIDE else None)
            for lower, upper, frame in parts
        ]

    def table(self, plan: Tables, name: str) -> pl.DataFrame:
        """A table of another pod."""
        columns = [self._renamed(plan, column) for column in NAMED[name]]
        frame = self.tables[name].with_columns(columns)
        if name == "racks":
            frame = frame.with_columns(*self._moved(plan))
        return frame

    def _renamed(self, plan: Tables, column: str) -> pl.Expr:
        return (pl.lit(plan.pods[0]) + pl.col(column).str.slice(len(self.prefix))).alias(column)

    def _moved(self, plan: Tables) -> tuple[pl.Expr, pl.Expr]:
        """Places of another pod's racks; computed from the corner as the whole plan does, to the last bit."""
        corners = pl.DataFrame({"pod": [self.pod, plan.scope.start]}).select(*_corner(plan.geometry))
        (old_x, old_y), (new_x, new_y) = corners.rows()
        return (
            (pl.col("x") - old_x + new_x).round(6),
            (pl.col("y") - old_y + new_y).round(6),
        )

    def links(self, plan: Tables) -> pl.DataFrame:
        """Cables of another pod."""
        names = pl.lit(plan.pods[0]) + self.names.str.slice(len(self.prefix))
        renamed = pl.select(names).to_series() if isinstance(names, pl.Expr) else names
        frames = [
            self._upward(plan, part)
            if part.frame is None
            else part.frame.with_columns(
                pl.lit(plan.pods[0]).alias("pod"),
                *(
                    renamed.gather(part.frame[column]).alias(column)
                    for column in ("a", "a_rack", "z", "z_rack")
                ),
            )
            for part in self.parts
        ]
        return pl.concat(frames) if frames else links.no_links(plan.geometry)

    def _upward(self, plan: Tables, part: Part) -> pl.DataFrame:
        """Cables that leave the pod."""
        below, upper = part.lower, part.upper
        assert below is not None, "cables of hosts stay in the pod"
        frame = self.tiers[below.name].frame
        blocks, move = plan.geometry.room_of(below.per), plan.scope.start - self.pod
        frame = frame.with_columns(
            pl.col("block") + move * blocks,
            (pl.col("pod") + move).cast(pl.Int32),
            self._renamed(plan, "name"),
            self._renamed(plan, "rack_name"),
            *self._moved(plan),
        )
        lower = switching.TierFrame(below, frame)
        top = switching.upper_frame(plan.geometry, upper, plan.scope)
        return links.name_ends(plan, cabling.uplinks(plan.geometry, lower, top, plan.scope), top, lower)


def _corner(geometry: Geometry) -> tuple[pl.Expr, pl.Expr]:
    x, y = positions.origin(geometry)
    return x.cast(pl.Float64).alias("x"), y.cast(pl.Float64).alias("y")


def _rows(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Names of both ends as rows of the template's names."""
    for column in ("a", "a_rack", "z", "z_rack"):
        found = frame.select(pl.col(column).alias("name")).join(
            rows, on="name", how="left", maintain_order="left"
        )
        frame = frame.with_columns(found["row"].alias(column))
    return frame


def template_for(plan: Tables) -> Template | None:
    """Return the slice that another is a copy of; None for a whole plan and for pods unlike the others."""
    geometry = plan.geometry
    if plan.site_level or len(plan.scope) != 1 or plan.scope.start in find_special_pods(geometry):
        return None
    key = f"template in {' '.join(geometry.served(plan.scope.start))}"
    known = geometry.memo.get(key)
    if not isinstance(known, Template):
        first = plan.alike()
        first.__dict__["template"] = None  # this one is computed
        known = geometry.memo[key] = Template(first)
    return known


def find_special_pods(geometry: Geometry) -> set[int]:
    """Find the pods that are not like the others: with exceptions, or with servers cabled to them."""
    known = geometry.memo.get("touched")
    if not isinstance(known, set):
        known = {area.pod for area, _, _ in geometry.areas}
        known |= reach.homes(geometry)
        known |= {int(server.attach[4:]) - 1 for server in geometry.site.servers if server.attach}
        if geometry.sizes.until:
            known.add(geometry.sizes.until.pods)
        geometry.memo["touched"] = known
    return known
