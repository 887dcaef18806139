"""Names of racks and machines: by the declaration's patterns, or as they stand already."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.tables import Tables

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "place": pl.String,
    "kind": pl.String,
    "name": pl.String,
}


def names(plan: Tables) -> pl.DataFrame:
    """Racks and machines of a scope.

    Returns:
        place (the name that everything goes by), kind (rack, tray, storage, management, switch), name (on
        labels and lists).
    """
    frame = pl.concat([pl.DataFrame(schema=SCHEMA), *_by_pattern(plan)])
    declared = plan.site.names
    if declared is None or not declared.as_is:
        return frame
    own = pl.col("place").replace_strict(declared.as_is, default=None, return_dtype=pl.String)
    return frame.with_columns(pl.coalesce(own, "name").alias("name"))


def _by_pattern(plan: Tables) -> Iterator[pl.DataFrame]:
    declared = plan.site.names
    patterns = {} if declared is None else declared.model_dump()
    layout, geometry = plan.site.layout, plan.geometry
    hall = pl.col("pod") // layout.pods_per_hall
    where = {
        "site": pl.lit(plan.site.name),
        "building": hall // layout.halls_per_building + 1,
        "hall": hall + 1,
        "pod": pl.col("pod") + 1,
        "su": pl.col("su") + 1,
        "rack": pl.col("rack") + 1,
        "site_rack": (
            geometry.sizes.before(pl.col("pod"))
            + pl.col("su") * geometry.sizes.racks(pl.col("pod"))
            + pl.col("rack")
            + 1
        ),
        "slot": pl.col("slot") + 1,
    }

    def named(frame: pl.DataFrame, kind: str, fields: dict[str, pl.Expr]) -> pl.DataFrame:
        pattern = patterns.get(kind)
        text = _text(pattern, fields) if pattern else pl.col("name")
        return frame.select(pl.col("name").alias("place"), pl.lit(kind).alias("kind"), text.alias("name"))

    yield named(plan.rack_frame, "rack", where)
    others = plan.cabinet_frame.select("name")
    yield others.select(pl.col("name").alias("place"), pl.lit("rack").alias("kind"), "name")
    yield named(plan.node_frame, "tray", where)
    servers = plan.servers_in_scope
    index = pl.int_range(0, pl.len()).over("group", "pod") + 1
    for role in ("storage", "management"):
        own = servers.with_columns(index.alias("number")).filter(pl.col("role") == role)
        yield named(own, role, where)
    for tier in plan.tier_frames:
        if plan.site_level or tier.tier.per in {"rack", "scalable-unit", "pod"}:
            more = {**where, "tier": pl.lit(tier.tier.name), "number": pl.col("ordinal") + 1}
            yield named(tier.frame, "switch", more)


def _text(pattern: str, fields: dict[str, pl.Expr]) -> pl.Expr:
    """A pattern over columns."""
    parts: list[pl.Expr] = []
    for before, field, form, _ in Formatter().parse(pattern):
        if before:
            parts.append(pl.lit(before))
        if field is not None:
            value = fields.get(field, pl.col(field)).cast(pl.String)
            parts.append(value.str.zfill(int(form)) if form else value)
    return pl.concat_str(parts)


def called_names(plan: Tables) -> pl.DataFrame | None:
    """Names of the whole site's racks and machines by `place`, to look many up; None if places are the names.

    Returns:
        place, called.
    """
    if plan.site.names is None:
        return None
    return names(plan.whole()).select("place", pl.col("name").alias("called"))


def look_up_names(known: pl.DataFrame | None, column: pl.Series) -> pl.Series:
    """Look up what the racks or machines of a column of places are called, by `called_names`."""
    if known is None:
        return column
    found = pl.DataFrame({"place": column}).join(known, on="place", how="left", maintain_order="left")
    return found.select(pl.coalesce("called", "place").alias(column.name)).to_series()


def port_label(plan: Tables, machine: pl.Series, port: pl.Series) -> pl.Series:
    """Label one end of each cable.

    Args:
        plan: for the declared pattern.
        machine: names of machines, as `look_up_names` gives them.
        port: names of their ports.
    """
    pattern = plan.site.names.port if plan.site.names else "{machine}:{port}"
    frame = pl.DataFrame({"machine": machine, "port": port})
    return frame.select(_text(pattern, {}).alias("label")).to_series()
