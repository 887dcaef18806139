"""Cables, harnesses and optics of links: what is bought for them, by cage and by how a cage is split.

A cage whose port is split holds one optic for all its parts. Where one end is split further than the other,
the links of its cage are the legs of one harness; where both ends are split alike, each link is a cable from
a connector of one cage to one of the other.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from infra.errors import UserError
from infra.plan.tables.counts import step_name
from infra.spec import catalog, tiers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.geometry import Geometry
    from infra.spec.hardware import Cable
    from infra.spec.tiers import ResolvedTier

LENGTHS = (
    0.5,
    1,
    1.5,
    2,
    2.5,
    3,
    4,
    5,
    7,
    10,
    15,
    20,
    25,
    30,
    40,
    50,
    75,
    100,
    150,
    200,
    300,
    500,
    750,
    1000,
    1500,
    2000,
)
"""Metres in which cables are stocked; a cable is the shortest that is long enough (makers' usual steps)."""


def cable_kinds(links: pl.DataFrame) -> pl.DataFrame:
    """Cables grouped: fabric, tier, gbit, metres (stocked length), count."""
    return (
        links.select("fabric", "tier", "gbit", _stocked(links).alias("metres"))
        .group_by("fabric", "tier", "gbit", "metres")
        .len("count")
        .sort(pl.col("fabric").cast(pl.String), pl.col("tier").cast(pl.String), "gbit", "metres")
    )


def _stocked(links: pl.DataFrame) -> pl.Series:
    """Stocked length for each link.

    Raises:
        UserError: one is longer than any that is stocked.
    """
    stock = pl.Series(LENGTHS, dtype=pl.Float32)
    index = stock.search_sorted(links["length"].cast(pl.Float32), side="left")
    longest = links["length"].max()
    if isinstance(longest, float) and longest > LENGTHS[-1]:
        raise UserError(f"a cable of {longest:,.0f} m is longer than any stocked ({LENGTHS[-1]:,} m)",
                        hint="check `layout.distances`")  # fmt: skip
    return stock.gather(index)


def choose_cable(gbit: float, metres: float, *, optical: bool = False) -> Cable:
    """Return the first kind of cable, by rank, that reaches; the slowest one that is fast enough.

    Args:
        gbit: speed.
        metres: length.
        optical: only one with an optic at each end.

    Raises:
        UserError: the catalog has none.
    """
    able = [
        cable
        for cable in catalog.cables().values()
        if cable.speed >= gbit and cable.reach >= metres and (cable.optic or not optical)
    ]
    if not able:
        word = "optical cable" if optical else "cable"
        raise UserError(
            f"no {word} of the catalog carries {gbit:g} Gbit/s over {metres:g} m",
            hint="add one under infra/spec/catalog/cables, or move what it joins together",
        )
    return min(able, key=lambda cable: (cable.speed, cable.rank))


class Item(NamedTuple):
    """Equal things to buy.

    Attributes:
        kind: cable, harness or optic.
        item: name in the catalog; of a harness with its legs, `fibre-mm-800g 1:8`.
        cage: of an optic or harness, speed of the cage and how it is split: `800G`, `800G split in 8`.
        metres: stocked length of a cable; of a harness, of its longest leg.
        use: fabric and step.
    """

    kind: str
    item: str
    cage: str | None
    metres: float | None
    use: str


def fittings(geometry: Geometry, links: pl.DataFrame) -> Counter[Item]:
    """All that the links are made of, with how many of each."""
    found: Counter[Item] = Counter()
    for lower, upper, part in _steps(geometry, links):
        below = tiers.split_below(lower, upper)
        if below == upper.breakout == 1:
            _plain(found, part)
        else:
            _split(found, part, (lower, below), (upper, upper.breakout))
    return found


def _steps(
    geometry: Geometry, links: pl.DataFrame
) -> Iterator[tuple[ResolvedTier | None, ResolvedTier, pl.DataFrame]]:
    """Links by the tiers at their ends (None: hosts)."""
    for fabric, own in geometry.tiers.items():
        leaves = geometry.leaves[fabric]
        inside = links.filter(pl.col("fabric") == fabric)
        for level, tier in enumerate(own):
            part = inside.filter(pl.col("tier") == step_name(level))
            above = [tier, *(leaves if level == 0 else ())]
            below = [None] if level == 0 else [own[level - 1], *(leaves if level == 1 else ())]
            pairs = list(product(below, above))
            for lower, upper in pairs:
                rows = part
                if len(pairs) > 1:
                    end, name = ("z", upper.name) if lower is None else ("a", lower.name)
                    rows = part.filter(pl.col(end).str.contains(f"-{name}-[0-9]+$"))
                if rows.height:
                    yield lower, upper, rows


def _use(links: pl.DataFrame) -> str:
    return f"{links['fabric'][0]} {links['tier'][0]}"


def _plain(found: Counter[Item], links: pl.DataFrame) -> None:
    """Cables between ports that are not split: two optics each, or none."""
    for row in cable_kinds(links).iter_rows(named=True):
        cable, use = choose_cable(row["gbit"], row["metres"]), f"{row['fabric']} {row['tier']}"
        found[Item("cable", cable.name, None, row["metres"], use)] += row["count"]
        if cable.optic:
            found[Item("optic", cable.optic, f"{row['gbit']:g}G", None, use)] += 2 * row["count"]


def _split(
    found: Counter[Item],
    links: pl.DataFrame,
    lower: tuple[ResolvedTier | None, int],
    upper: tuple[ResolvedTier, int],
) -> None:
    """Cables of which an end is split; see `_cages` for what they share."""
    use = _use(links)
    most, least = max(lower[1], upper[1]), min(lower[1], upper[1])
    wide, narrow = _wide(lower[1], upper[1])
    frame = _cages(links, lower, upper)
    for (gbit, reach), part in frame.group_by("gbit", "reach", maintain_order=True):
        assert isinstance(gbit, float)
        assert isinstance(reach, float)
        cable = choose_cable(gbit * most, reach)
        word = f"{gbit * most:g}G split in {most}"
        cages = part.select(wide, f"cage_{wide}").unique().height
        if most > least:
            found[Item("harness", f"{cable.name} 1:{most}", word, reach, use)] += cages
        else:
            for metres, count in part.group_by("metres", maintain_order=True).len().rows():
                found[Item("cable", cable.name, None, metres, use)] += count
        if not cable.optic:
            continue
        found[Item("optic", cable.optic, word, None, use)] += cages
        other = choose_cable(gbit * least, reach, optical=True).optic
        if least == 1:
            found[Item("optic", str(other), f"{gbit:g}G", None, use)] += part.height
        else:
            ends = part.select(narrow, f"cage_{narrow}").unique().height
            found[Item("optic", str(other), f"{gbit * least:g}G split in {least}", None, use)] += ends


def _wide(below: int, above: int) -> tuple[str, str]:
    """The end that is split further, and the other."""
    return ("z", "a") if above >= below else ("a", "z")


def _cages(
    links: pl.DataFrame, lower: tuple[ResolvedTier | None, int], upper: tuple[ResolvedTier, int]
) -> pl.DataFrame:
    """Links with their cages: a, z, cage_a, cage_z, gbit, metres, and reach.

    `reach` is the length that decides the medium: the longest leg of a harness; where both ends are split, of
    the whole step, because a cage has one optic.
    """
    frame = links.select(
        "a", "z", "gbit", _stocked(links).alias("metres"), _cage("a", *lower), _cage("z", *upper)
    )
    wide, _ = _wide(lower[1], upper[1])
    frame = frame.with_columns(pl.col("gbit").max().over(wide, f"cage_{wide}"))
    longest = pl.col("metres").max()
    if lower[1] == upper[1] == 1:
        return frame.with_columns(pl.col("metres").alias("reach"))
    shared = min(lower[1], upper[1]) > 1
    return frame.with_columns((longest if shared else longest.over(wide, f"cage_{wide}")).alias("reach"))


def cable_types(geometry: Geometry, links: pl.DataFrame) -> pl.DataFrame:
    """Stocked length and type of each link, in order: metres, type (a cable's name, or its harness's)."""
    rows = links.with_row_index("row")
    parts = [pl.DataFrame(schema={"row": pl.UInt32, "metres": pl.Float32, "type": pl.String})]
    for lower, upper, part in _steps(geometry, rows):
        below, above = tiers.split_below(lower, upper), upper.breakout
        frame = _cages(part, (lower, below), (upper, above)).with_columns(part["row"])
        most = max(below, above)
        tail = "" if below == above else f" 1:{most}"
        kinds = frame.select("gbit", "reach").unique()
        names = [f"{choose_cable(gbit * most, reach).name}{tail}" for gbit, reach in kinds.rows()]
        kinds = kinds.with_columns(pl.Series("type", names, dtype=pl.String))
        typed = frame.join(kinds, on=["gbit", "reach"], how="left", maintain_order="left")
        parts.append(typed.select("row", "metres", "type"))
    return pl.concat(parts).sort("row").select("metres", "type")


def _cage(end: str, tier: ResolvedTier | None, split: int) -> pl.Expr:
    """Number or name of the cage that a port is a part of."""
    port = pl.col(f"{end}_port")
    if split == 1:
        return port.alias(f"cage_{end}")
    if tier is None:
        # An interface that is split into planes has their number behind it.
        return port.str.replace(r"p[0-9]+$", "").alias(f"cage_{end}")
    names = tiers.port_names(tier.model, tier.breakout)
    cages = {name: str(index // split) for index, name in enumerate(names)}
    return port.replace_strict(cages, return_dtype=pl.String).alias(f"cage_{end}")
