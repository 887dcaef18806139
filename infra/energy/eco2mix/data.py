"""éCO2mix data as one frame in UTC, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from infra.energy.eco2mix.columns import ENERGY

if TYPE_CHECKING:
    from infra.energy.findings import Finding

SCHEMA: dict[str, pl.DataType] = {
    "time": pl.Datetime("us", "UTC"),
    "minutes": pl.Int32(),
    "gco2_per_kwh": pl.Float64(),
    **{name: pl.Float64() for name in ENERGY.values()},
    "nature": pl.String(),
    "rank": pl.Int8(),
}
"""`time` is the start of a step in UTC, `minutes` its length; `rank` orders natures: 2 definitive,
1 consolidated, 0 real time or unknown."""


@dataclass(frozen=True)
class Eco2mix:
    """One or more éCO2mix files.

    Attributes:
        frame: one row a step with a gCO2/kWh value, sorted by `time`, each time once; columns as in SCHEMA.
        findings: every oddity met, in file order.
        files: names of the files.
    """

    frame: pl.DataFrame
    findings: tuple[Finding, ...]
    files: tuple[str, ...]

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """[first step's start, last step's end), or None without any row."""
        if self.frame.is_empty():
            return None
        last = self.frame.row(-1, named=True)
        return self.frame["time"][0], last["time"] + timedelta(minutes=last["minutes"])

    @property
    def step_minutes(self) -> tuple[int, ...]:
        """The lengths of step that occur: (15,), (30,) or both."""
        return tuple(sorted(self.frame["minutes"].unique().to_list()))

    def between(self, start: datetime, end: datetime) -> pl.DataFrame:
        """`time`, `hours` (of the step inside [start, end)), `gco2_per_kwh` of the steps that overlap it."""
        begin = pl.col("time")
        finish = begin + pl.duration(minutes=pl.col("minutes"))
        inside = pl.min_horizontal(finish, pl.lit(end)) - pl.max_horizontal(begin, pl.lit(start))
        return self.frame.filter((begin < end) & (finish > start)).select(
            "time", hours=inside.dt.total_microseconds() / 3.6e9, gco2_per_kwh="gco2_per_kwh"
        )

    def mean(self) -> float | None:
        """gCO2/kWh averaged over time, as a flat load sees it; None without any row."""
        if self.frame.is_empty():
            return None
        weighted = self.frame.select(
            (pl.col("gco2_per_kwh") * pl.col("minutes")).sum() / pl.col("minutes").sum()
        )
        return float(weighted.item())

    def latest(self, now: datetime) -> tuple[datetime, int, float] | None:
        """The newest step that had begun at `now`: start, minutes, gCO2/kWh; None if there is none."""
        past = self.frame.filter(pl.col("time") <= now)
        if past.is_empty():
            return None
        return past["time"][-1], int(past["minutes"][-1]), float(past["gco2_per_kwh"][-1])


def gaps(frame: pl.DataFrame) -> list[tuple[datetime, datetime, int]]:
    """Stretches without a value between the first and last step: start, end (UTC), and steps missing."""
    ends = pl.col("time") + pl.duration(minutes=pl.col("minutes"))
    holes = (
        frame.select(start=ends, end=pl.col("time").shift(-1), minutes="minutes")
        .filter(pl.col("end") > pl.col("start"))
        .with_columns(steps=((pl.col("end") - pl.col("start")).dt.total_minutes() // pl.col("minutes")))
    )
    return list(holes.select("start", "end", "steps").iter_rows())


def merge(parts: tuple[Eco2mix, ...]) -> Eco2mix:
    """Several files as one: where they overlap, definitive data wins over consolidated over real time.

    A half hour of better data replaces both quarters of a worse file; of equal natures the later file wins.
    """
    frames = [part.frame.with_columns(order=pl.lit(index, pl.Int32)) for index, part in enumerate(parts)]
    if not frames:
        return Eco2mix(pl.DataFrame(schema=SCHEMA), (), ())
    whole = (
        pl.concat(frames)
        .with_columns(half_hour=pl.col("time").dt.truncate("30m"))
        .filter(pl.col("rank") == pl.col("rank").max().over("half_hour"))
        # Equal natures in other steps must not be mixed within one half hour.
        .filter(pl.col("minutes") == pl.col("minutes").sort_by("order").last().over("half_hour"))
        .sort("time", "order")
        .unique("time", keep="last", maintain_order=True)
        .drop("half_hour", "order")
    )
    return Eco2mix(
        whole,
        tuple(finding for part in parts for finding in part.findings),
        tuple(name for part in parts for name in part.files),
    )
