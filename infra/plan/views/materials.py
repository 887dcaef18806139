"""The bill of materials: systems, switches, cables by kind and length, optics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from infra.errors import UserError
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan.plan import Plan

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
    stock = pl.Series(LENGTHS, dtype=pl.Float32)
    index = stock.search_sorted(links["length"].cast(pl.Float32), side="left")
    longest = links["length"].max()
    if isinstance(longest, float) and longest > LENGTHS[-1]:
        raise UserError(f"a cable of {longest:,.0f} m is longer than any stocked ({LENGTHS[-1]:,} m)",
                        hint="check `layout.distances`")  # fmt: skip
    return (
        links.select("fabric", "tier", "gbit", stock.gather(index).alias("metres"))
        .group_by("fabric", "tier", "gbit", "metres")
        .len("count")
        .sort(pl.col("fabric").cast(pl.String), pl.col("tier").cast(pl.String), "gbit", "metres")
    )


def chosen(gbit: float, metres: float) -> catalog.Cable:
    """The first kind of cable, by rank, that reaches; the slowest one that is fast enough.

    Raises:
        UserError: the catalog has none.
    """
    able = [cable for cable in catalog.cables().values() if cable.speed >= gbit and cable.reach >= metres]
    if not able:
        raise UserError(
            f"no cable of the catalog carries {gbit:g} Gbit/s over {metres:g} m",
            hint="add one under infra/spec/catalog/cables, or move what it joins together",
        )
    return min(able, key=lambda cable: (cable.speed, cable.rank))


def bill(plan: Plan) -> pl.DataFrame:
    """The bill of materials.

    Returns:
        kind (system, server, switch, cable, optic), item, metres (cables), use, count.
    """
    rows: list[tuple[str, str, float | None, str, int]] = []
    for (platform,), part in plan.node_frame.group_by("platform", maintain_order=True):
        rows.append(("system", str(platform), None, "tray", part.height))
    for (kind,), part in plan.companion_frame.group_by("kind", maintain_order=True):
        rows.append(("system", str(kind), None, "rack", part.height))
    for (platform, role), part in plan.servers_in_scope.group_by("platform", "role", maintain_order=True):
        rows.append(("server", str(platform), None, str(role), part.height))
    if plan.switches.height:
        for (model, tier), part in plan.switches.group_by("model", "tier", maintain_order=True):
            rows.append(("switch", str(model), None, str(tier), part.height))
    optics: dict[tuple[str, str], int] = {}
    for row in cable_kinds(plan.links).iter_rows(named=True):
        cable = chosen(row["gbit"], row["metres"])
        use = f"{row['fabric']} {row['tier']}"
        rows.append(("cable", cable.name, row["metres"], use, row["count"]))
        if cable.optic:
            optics[cable.optic, use] = optics.get((cable.optic, use), 0) + 2 * row["count"]
    rows += [("optic", optic, None, use, count) for (optic, use), count in optics.items()]
    schema = {"kind": pl.String, "item": pl.String, "metres": pl.Float32, "use": pl.String, "count": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
