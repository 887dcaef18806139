"""What a change of the declaration does, across all layers: figures, racks, cables, addresses, findings.

Figures come from arithmetic on counts, racks from one frame of each side. Cables and addresses are only
expanded for the pods that the change touches, so a small change costs little however large the site is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from infra.plan.admission.admission import findings
from infra.plan.tables.power import rack_nodes, rack_watts
from infra.plan.views import declared
from infra.plan.views.change import Change
from infra.plan.views.materials import cable_kinds, chosen
from infra.plan.views.summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan


def diff(before: Plan, after: Plan) -> tuple[Change, ...]:
    """All changes from one plan to another, layer by layer."""
    changes: list[Change] = []
    changes += _figures(before, after)
    changes += _racks(before, after)
    changes += _feeds(before, after)
    changes += _expanded(before, after)
    changes += declared.stand_ins(before, after)
    changes += declared.keys(before, after)
    changes += _findings(before, after)
    order = {layer: index for index, layer in enumerate(LAYERS)}
    return tuple(sorted(changes, key=lambda change: order[change.layer]))


LAYERS = (
    "places",
    "racks",
    "nodes",
    "power",
    "cooling",
    "heat",
    "carbon",
    "switches",
    "ports",
    "cables",
    "optics",
    "addresses",
    "storage",
    "scheduler",
    "stand-ins",
    "declaration",
    "configuration",
    "findings",
)
"""Layers in the order in which they are told."""


_FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("places", "buildings", "buildings", ""),
    ("places", "halls", "halls", ""),
    ("places", "pods", "pods", ""),
    ("places", "scalable units", "scalable_units", ""),
    ("racks", "racks", "racks", ""),
    ("nodes", "nodes", "nodes", ""),
    ("nodes", "accelerators", "accelerators", ""),
    ("nodes", "CPUs", "cpus", ""),
    ("nodes", "servers", "servers", ""),
    ("power", "facility", "power.facility_mw", "MW"),
    ("power", "IT", "power.it_mw", "MW"),
    ("power", "compute", "power.compute_mw", "MW"),
    ("power", "a rack in the mean", "power.rack_kw", "kW"),
    ("power", "PUE", "power.pue", ""),
    ("cooling", "heat into liquid", "cooling.liquid_mw", "MW"),
    ("cooling", "coolant", "cooling.flow_m3_s", "m³/s"),
    ("cooling", "temperature rise", "cooling.rise_k", "K"),
    ("storage", "local", "storage.local_eb", "EB"),
    ("storage", "hot", "storage.hot_eb", "EB"),
    ("storage", "object", "storage.object_eb", "EB"),
    ("storage", "read", "storage.read_tb_s", "TB/s"),
    ("storage", "write", "storage.write_tb_s", "TB/s"),
    ("scheduler", "Slurm clusters", "schedulers.slurm.clusters", ""),
    ("scheduler", "nodes of a Slurm cluster", "schedulers.slurm.nodes_per_cluster", ""),
    ("scheduler", "Kubernetes clusters", "schedulers.kubernetes.clusters", ""),
    ("carbon", "energy a year", "energy.twh_per_year", "TWh"),
    ("carbon", "location-based CO2e a year", "energy.tco2e_location", "t"),
    ("heat", "highest ERF", "energy.erf_ceiling", ""),
)
"""Layer, item, key of the summary, unit."""


def _figures(before: Plan, after: Plan) -> Iterator[Change]:
    one, two = summary(before), summary(after)
    for layer, item, key, unit in _FIGURES:
        yield from _changed(layer, item, _at(one, key), _at(two, key), unit=unit)
    for layer, part in (("nodes", "platforms"), ("nodes", "companions")):
        for name in sorted({*one[part], *two[part]}):
            yield from _changed(layer, name, one[part].get(name), two[part].get(name))
    for layer, part, word in (("switches", "switches", ""), ("cables", "cables", "")):
        flat_one, flat_two = dict(_flat(one[part])), dict(_flat(two[part]))
        for name in {**flat_one, **flat_two}:
            yield from _changed(layer, f"{name}{word}", flat_one.get(name), flat_two.get(name))
    sold = [sum(entry.power * entry.hours for entry in plan.site.heat) / 1e9 for plan in (before, after)]
    yield from _changed("heat", "sold a year", sold[0], sold[1], unit="GWh")


def _at(figures: Any, key: str) -> Any:
    for step in key.split("."):
        figures = figures.get(step) if isinstance(figures, dict) else None
    return figures


def _flat(part: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for fabric, levels in part.items():
        name = fabric.replace("_", "-")
        if isinstance(levels, dict):
            for level, value in levels.items():
                if level != "total":
                    yield f"{name} {level.replace('_', '–')}", value
        else:
            yield name, levels


def _changed(
    layer: str, item: str, before: Any, after: Any, *, unit: str = "", where: str = ""
) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, float) and isinstance(after, float):
        scale = max(abs(before), abs(after))
        if abs(before - after) <= 1e-9 * scale:
            return
    yield Change(layer, item, before, after, where=where, unit=unit)


def _rack_frame(plan: Plan) -> pl.DataFrame:
    """Racks with what can change in them."""
    forms = pl.Series([form.platform for form in plan.geometry.forms], dtype=pl.String)
    flow = plan.cooling.filter(pl.col("kind") == "compute")["flow_l_min"]
    return plan.rack_frame.select(
        "name",
        forms.gather(plan.rack_frame["form"]).alias("platform"),
        rack_nodes(plan),
        (rack_watts(plan) / 1e3).round(3).alias("kW"),
        flow.round(2).alias("L/min"),
        pl.col("pool").fill_null(""),
        pl.lit(True).alias("is"),
    )


_RACK_COLUMNS = ("platform", "nodes", "kW", "L/min", "pool")


def _racks(before: Plan, after: Plan) -> Iterator[Change]:
    """Racks that come, go or change; equal changes of many racks are one line."""
    one, two = _rack_frame(before), _rack_frame(after)
    both = one.join(two, on="name", how="full", coalesce=True, suffix=" after", maintain_order="left_right")
    for column in _RACK_COLUMNS:
        far = f"{column} after"
        rows = both.filter(
            pl.col("is").is_not_null()
            & pl.col("is after").is_not_null()
            & pl.col(column).ne_missing(pl.col(far))
        )
        groups = rows.group_by(column, far, maintain_order=True).agg(
            pl.len().alias("count"),
            pl.col("name").first().alias("first"),
            pl.col("name").last().alias("last"),
        )
        for row in groups.iter_rows(named=True):
            unit = column if column in {"kW", "L/min"} else ""
            item = {"kW": "power of a rack", "L/min": "coolant of a rack", "nodes": "nodes of a rack",
                    "platform": "platform of a rack", "pool": "pool of a rack"}[column]  # fmt: skip
            yield Change("racks", item, row[column] or ("none" if column == "pool" else row[column]),
                         row[far] or ("none" if column == "pool" else row[far]), row["count"],
                         _range(row["first"], row["last"]), unit)  # fmt: skip
    for missing, word, side in (
        ("is", "new rack", "platform after"),
        ("is after", "removed rack", "platform"),
    ):
        rows = both.filter(pl.col(missing).is_null())
        for row in (
            rows.group_by(side, maintain_order=True)
            .agg(
                pl.len().alias("count"),
                pl.col("name").first().alias("first"),
                pl.col("name").last().alias("last"),
            )
            .iter_rows(named=True)
        ):
            old, new = (None, row[side]) if missing == "is" else (row[side], None)
            yield Change("racks", word, old, new, row["count"], _range(row["first"], row["last"]))


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} … {last}"


def _feeds(before: Plan, after: Plan) -> Iterator[Change]:
    """Megawatts of halls and kilowatts of rows whose racks change."""
    one, two = before.power, after.power
    for level, item, unit, scale in (("hall", "hall", "MW", 1e6), ("scalable-unit", "row", "kW", 1e3)):
        both = (
            one.filter(pl.col("level") == level)
            .join(
                two.filter(pl.col("level") == level),
                on="name",
                how="inner",
                suffix=" after",
                maintain_order="left",
            )
            .select(
                "name",
                (pl.col("it_w") / scale).round(4).alias("a"),
                (pl.col("it_w after") / scale).round(4).alias("z"),
            )
        )
        groups = (
            both.filter(pl.col("a") != pl.col("z"))
            .group_by("a", "z", maintain_order=True)
            .agg(
                pl.len().alias("count"),
                pl.col("name").first().alias("first"),
                pl.col("name").last().alias("last"),
            )
        )
        for row in groups.iter_rows(named=True):
            where = _range(row["first"], row["last"])
            yield Change("power", f"IT power of a {item}", row["a"], row["z"], row["count"], where, unit)


def changed_pods(before: Plan, after: Plan) -> tuple[list[int], list[int]]:
    """Pods of each side whose cables or addresses can differ from the other side's."""
    if _rule(before) != _rule(after):
        return list(before.scope), list(after.scope)
    own = [_local(plan) for plan in (before, after)]
    both = range(max(before.scope.start, after.scope.start), min(before.scope.stop, after.scope.stop))
    touched = [pod for pod in both if own[0].get(pod) != own[1].get(pod)]
    gone = [pod for pod in before.scope if pod not in both]
    new = [pod for pod in after.scope if pod not in both]
    return touched + gone, touched + new


def _rule(plan: Plan) -> Any:
    """All of the declaration that every pod's cables and addresses follow from."""
    site = plan.site
    layout = site.layout.model_copy(update={"pods": 1})
    tiers = [
        (tier.fabric, tier.level, tier.per_block, tier.down, tier.up) for tier in plan.geometry.every_tier
    ]
    rack = layout.rack.model_copy(update={"power": "rated"})
    return (
        layout.model_copy(update={"rack": rack}),
        site.fabrics,
        site.servers,
        site.addresses,
        site.stand_ins,
        tiers,
    )


def _local(plan: Plan) -> dict[int, list[Any]]:
    result: dict[int, list[Any]] = {}
    for area, exception, _ in plan.geometry.areas:
        rack = exception.rack.model_copy(update={"power": "rated"}) if exception.rack else None
        if rack or exception.missing:
            result.setdefault(area.pod, []).append((area, rack, exception.missing))
    return result


def _expanded(before: Plan, after: Plan) -> Iterator[Change]:
    """Cables by kind, optics, ports and addresses of the pods that the change touches."""
    left, right = changed_pods(before, after)
    if not left and not right:
        return
    one, two = [_pods(plan, pods) for plan, pods in ((before, left), (after, right))]
    ends = ["a", "a_port", "z", "z_port"]
    for word, these, those in (("cables removed", one, two), ("cables added", two, one)):
        only = these[0].join(those[0], on=ends, how="anti")
        for row in only.group_by("fabric", "tier").len("count").sort("fabric", "tier").iter_rows(named=True):
            pair = (row["count"], None) if word == "cables removed" else (None, row["count"])
            yield Change("cables", f"{word}: {row['fabric']} {row['tier'].replace('_', '–')}", *pair)
    names = [f"pod-{pod + 1:02d}" for pod in sorted({*left, *right})]
    where = f"in {_range(names[0], names[-1])}"
    yield from _changed("ports", "switch ports in use", _ports(one[0]), _ports(two[0]), where=where)
    stocks = [_stock(table[0]) for table in (one, two)]
    for kind in sorted({*stocks[0], *stocks[1]}):
        layer = "optics" if kind.startswith("optic ") else "cables"
        item = kind.removeprefix("optic ")
        yield from _changed(layer, item, stocks[0].get(kind, 0), stocks[1].get(kind, 0), where=where)
    yield from _addresses(one[1], two[1])


def _pods(plan: Plan, pods: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    slices = [plan.pod(f"pod-{pod + 1:02d}") for pod in pods]
    empty = plan.pod(plan.pods[0]) if plan.pods else plan
    links = [part.links for part in slices] or [empty.links.clear()]
    addresses = [part.addresses for part in slices] or [empty.addresses.clear()]
    return pl.concat(links), pl.concat(addresses)


def _ports(links: pl.DataFrame) -> int:
    """Switch ports: one for each host cable, two for the others."""
    hosts = links.filter(pl.col("tier") == "host_leaf").height
    return 2 * links.height - hosts


def _stock(links: pl.DataFrame) -> dict[str, int]:
    result: dict[str, int] = {}
    for row in cable_kinds(links).iter_rows(named=True):
        cable = chosen(row["gbit"], row["metres"])
        key = f"{cable.name} {row['metres']:g} m"
        result[key] = result.get(key, 0) + row["count"]
        if cable.optic:
            name = f"optic {cable.optic}"
            result[name] = result.get(name, 0) + 2 * row["count"]
    return result


def _addresses(one: pl.DataFrame, two: pl.DataFrame) -> Iterator[Change]:
    keys = ["pool", "owner", "interface"]
    both = one.join(two, on=keys, how="full", coalesce=True, suffix=" after")
    for word, rows in (
        ("renumbered", both.filter(pl.col("address") != pl.col("address after"))),
        ("freed", both.filter(pl.col("address after").is_null())),
        ("taken", both.filter(pl.col("address").is_null())),
    ):
        for pool, count in rows.group_by("pool").len("count").sort("pool").rows():
            pair = (count, None) if word == "freed" else (None, count)
            yield Change("addresses", f"{pool} addresses {word}", *pair)


def _findings(before: Plan, after: Plan) -> Iterator[Change]:
    one = {(f.id, f.path): f for f in findings(before)}
    two = {(f.id, f.path): f for f in findings(after)}
    for key in {**one, **two}:
        old, new = one.get(key), two.get(key)
        if old is None or new is None or old.message != new.message or old.severity != new.severity:
            yield Change("findings", key[0], f"{old.severity}: {old.message}" if old else None,
                         f"{new.severity}: {new.message}" if new else None, where=key[1])  # fmt: skip
