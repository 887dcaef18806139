"""Load of every link under all-to-all traffic, from the switches' forwarding tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from infra.render.network.subnet import Discovered

_SWITCH = re.compile(r"^Unicast lids .* guid \S+ \('(.*)'\):$")
MOST_HOPS = 8
"""Switches on the longest path that is followed: more is a loop."""


@dataclass(frozen=True, slots=True)
class Balance:
    """All-to-all traffic of one unit from each adapter to each other one.

    Attributes:
        pairs: ordered pairs of adapters.
        delivered: pairs whose packets arrive.
        longest: switches on the longest path.
        worst: load of the most loaded link between switches over the mean of those that its switch has to the
            same tier, the worst of all.
        idle: links between switches that carry nothing.
        links: links between switches, each direction counted.
    """

    pairs: int
    delivered: int
    longest: int
    worst: float
    idle: int
    links: int


def forwarding(text: str) -> pl.DataFrame:
    """OpenSM's `opensm-lfts.dump` as rows: switch, lid, port (0 is the switch itself, and left out)."""
    switches: list[str] = []
    lids: list[int] = []
    ports: list[int] = []
    name = ""
    for line in text.splitlines():
        if line.startswith("0x"):
            port = int(line[7:10])
            if port:
                switches.append(name)
                lids.append(int(line[2:6], 16))
                ports.append(port)
        elif match := _SWITCH.match(line):
            name = match[1]
    return pl.DataFrame(
        {"switch": switches, "lid": lids, "port": ports},
        schema={"switch": pl.String, "lid": pl.Int32, "port": pl.Int32},
    )


def balance(routes: pl.DataFrame, found: Discovered) -> Balance:
    """Follow all packets through the tables, hop by hop, all at once."""
    numbers = {name: index for index, name in enumerate(sorted(found.switches))}
    hops = pl.DataFrame(
        [
            (numbers[entry.own.device], int(entry.own.port), numbers.get(entry.other.device),
             found.lids[entry.other.device])
            for entry in found.seen
            if entry.own.device in numbers
        ],
        schema={"at": pl.Int32, "port": pl.Int32, "next": pl.Int32, "arrives": pl.Int32}, orient="row",
    )  # fmt: skip
    adapters = pl.DataFrame({"lid": [found.lids[name] for name in found.adapters]}, schema={"lid": pl.Int32})
    table = (
        routes.with_columns(pl.col("switch").replace_strict(numbers, return_dtype=pl.Int32).alias("at"))
        .join(adapters, on="lid", how="semi")
        .join(hops, on=["at", "port"], how="inner")
        .select("at", "lid", "port", "next", "arrives")
    )
    sources = [(numbers[e.own.device], found.lids[e.other.device]) for e in found.seen
               if e.own.device in numbers and e.other.device in found.adapters]  # fmt: skip
    hosts = pl.DataFrame(sources, schema={"at": pl.Int32, "source": pl.Int32}, orient="row")
    flow = hosts.group_by("at").agg(pl.len().cast(pl.Int64).alias("load")).join(adapters, how="cross")
    own = hosts.select("at", pl.col("source").alias("lid"), pl.lit(1, pl.Int64).alias("mine"))
    flow = flow.join(own, on=["at", "lid"], how="left").select(
        "at", "lid", (pl.col("load") - pl.col("mine").fill_null(0)).alias("load")
    )
    carried, delivered, longest = [], 0, 0
    for hop in range(1, MOST_HOPS + 1):
        flow = flow.filter(pl.col("load") > 0).join(table, on=["at", "lid"], how="inner")
        if not flow.height:
            break
        longest = hop
        carried.append(flow.group_by("at", "port").agg(pl.col("load").sum()))
        delivered += int(flow.filter(pl.col("arrives") == pl.col("lid"))["load"].sum())
        flow = flow.filter(pl.col("next").is_not_null())
        flow = flow.group_by(pl.col("next").alias("at"), "lid").agg(pl.col("load").sum())
    count = adapters.height
    loads = pl.concat(carried).group_by("at", "port").agg(pl.col("load").sum()) if carried else None
    between = hops.filter(pl.col("next").is_not_null()).select("at", "port", "next")
    if loads is None or not between.height:
        return Balance(count * (count - 1), delivered, longest, 1.0, 0, between.height)
    ends = hosts.select("at").unique().with_columns(pl.lit(value=True).alias("leaf"))
    joined = between.join(loads, on=["at", "port"], how="left").with_columns(pl.col("load").fill_null(0))
    joined = joined.join(ends, left_on="next", right_on="at", how="left").with_columns(
        pl.col("leaf").fill_null(value=False)
    )
    share = joined.with_columns((pl.col("load") / pl.col("load").mean().over("at", "leaf")).alias("share"))
    worst = share["share"].fill_nan(1.0).max()
    assert isinstance(worst, float)
    return Balance(
        count * (count - 1), delivered, longest, worst, int((joined["load"] == 0).sum()), joined.height
    )
