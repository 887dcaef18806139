"""The plan's machines and their groups by columns: where a roster comes from."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import polars as pl

from infra.plan import plan
from infra.plan.tables import cabling
from infra.plan.tables.feeds import feeds_of, loops_of
from infra.plan.tables.machines import Role
from infra.plan.tables.switching import intersect
from infra.roles import Subject, declared_parts, role_specs, select_roles
from infra.roles.plays import GROUP as OTHERS
from infra.roles.plays import other_roles
from infra.rollout.inventory.roster import Column, Roster, safe
from infra.spec.sizes import in_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import Plan
    from infra.spec.layout import Phase
    from infra.spec.site import Site


def roster_of(planned: Plan, pod: str | None = None) -> Roster:
    """Names and groups of a whole plan, or of its site level and one pod.

    Raises:
        UserError: the plan has no such pod.
    """
    parts = [planned] if pod is None else [planned.own_level(), planned.pod(pod)]
    frame = pl.concat([_frame(part) for part in parts], how="diagonal_relaxed", rechunk=True)
    frame = frame.sort("pod", nulls_last=False, maintain_order=True)
    named = frame.select(
        "name", "pod_name", *(expression.alias(kind) for kind, expression in _kinds(planned))
    )
    kinds = [kind for kind in named.columns[2:] if named[kind].null_count() < named.height]
    columns = {kind: _column(named[kind]) for kind in kinds}
    return Roster(
        planned.site.name,
        tuple(named["name"].to_list()),
        _column(named["pod_name"]),
        columns | _applied_roles(planned.site, frame),
    )


def _applied_roles(site: Site, frame: pl.DataFrame) -> dict[str, Column]:
    """A group for each Ansible role, named like it; one that is for no machine has none in it."""
    declared = declared_parts(site)
    keys = ("role", "platform", "group")
    subjects = frame.select(*keys).unique(maintain_order=True)
    selected = [
        select_roles(site.name, Subject(Role(role), platform, group), declared)
        for role, platform, group in subjects.iter_rows()
    ]
    numbers = subjects.with_columns(
        pl.Series(name, [0 if name in roles else -1 for roles in selected], pl.Int32)
        for name in role_specs(site.name)
    )
    rows = frame.select(*keys).join(numbers, on=keys, how="left", maintain_order="left", nulls_equal=True)
    groups = {name: rows[name] for name in role_specs(site.name)}
    others = [rows[name] for name in other_roles(site.name)]
    none = pl.Series("none", [-1], pl.Int32).new_from_index(0, rows.height)
    groups[OTHERS] = rows.select(pl.max_horizontal(none, *others)).to_series()
    return {
        f"applied {name}": Column((name,), array("i", column.to_list()).tobytes())
        for name, column in groups.items()
    }


def _column(values: pl.Series) -> Column:
    """Labels in order of their first row, and the label's number (or -1) of each row."""
    labels = values.drop_nulls().unique(maintain_order=True)
    if not len(labels):
        return Column((), bytes(4 * len(values)).replace(b"\0", b"\xff"))
    numbers = pl.DataFrame(
        {"label": labels, "number": pl.int_range(0, len(labels), dtype=pl.Int32, eager=True)}
    )
    found = pl.DataFrame({"label": values}).join(numbers, on="label", how="left", maintain_order="left")
    return Column(tuple(labels.to_list()), array("i", found["number"].fill_null(-1).to_list()).tobytes())


def _frame(planned: Plan) -> pl.DataFrame:
    """Servers, data switches and trays of a plan, with what their groups follow from."""
    scope = {"name": "name", "role": "role", "platform": "platform"}
    none = pl.lit(None, pl.String)
    servers = planned.servers_in_scope.select(
        *scope, "group", "pod", "pod_name", none.alias("row"),
        pl.col("rack_name").alias("rack"),
    )  # fmt: skip
    table = planned.switches
    switches = table.filter(~table["fabric"].is_in(planned.geometry.management_fabrics)).select(
        "name", pl.lit(Role.SWITCH.value).alias("role"), pl.col("model").alias("platform"),
        pl.col("pod").str.slice(4).cast(pl.Int32).sub(1).alias("pod"), pl.col("pod").alias("pod_name"),
        pl.col("su").alias("row"), "rack",
    )  # fmt: skip
    trays = planned.node_frame.select(
        "name", pl.lit(Role.TRAY.value).alias("role"), "platform", "pod", "pod_name", "row",
        pl.col("rack_name").alias("rack"), "pool", _leaf_pairs(planned).alias("leaf"),
    )  # fmt: skip
    parts = [servers, switches.with_columns(none.alias("group")), trays]
    return pl.concat(parts, how="diagonal_relaxed")


def _kinds(planned: Plan) -> Iterator[tuple[str, pl.Expr]]:
    """Kinds of groups and the name of each machine's."""
    site, layout = planned.site, planned.site.layout
    tray = pl.col("role") == Role.TRAY.value
    pod = pl.col("pod")

    def block(word: str, size: int) -> pl.Expr:
        return _group(word, pl.format(word + "-{}", (pod // size + 1).cast(pl.String).str.zfill(2)))

    yield "role", _group("role", pl.col("role"))
    yield "site", pl.lit(f"site_{safe(site.name)}")
    yield "building", block("building", layout.pods_per_hall * layout.halls_per_building)
    yield "hall", block("hall", layout.pods_per_hall)
    yield "pod", _group("pod", pl.col("pod_name"))
    yield "su", _group("su", pl.col("row"))
    yield "rack", _group("rack", pl.col("rack"))
    yield "platform", _group("platform", pl.col("platform"))
    yield "leaf_pair", _group("leaf_pair", pl.col("leaf"))
    # A row's busways are redundant to one another, and all its racks hang on them; so with its coolers.
    name = pl.col("pod_name")
    busways = [own for feeds, _, own in feeds_of(site, name) if feeds.busway is not None]
    if busways:
        fed = pod.is_not_null() & pl.any_horizontal(busways)
        yield "feed", pl.when(fed).then(_group("feed", pl.col("row")))
    coolers = [own for loop, _, own in loops_of(site, name) if loop.cooler]
    if coolers:
        yield "cdu", pl.when(tray & pl.any_horizontal(coolers)).then(_group("cdu", pl.col("row")))
    joined = {
        form.platform
        for form in planned.geometry.forms
        if any(c.name == "nvlink" for c, _ in form.companions)
    }
    yield "nvlink", pl.when(tray & pl.col("platform").is_in(joined)).then(_group("nvlink", pl.col("rack")))
    phase: pl.Expr = pl.lit(None, pl.String)
    for entry in reversed(site.phases):
        phase = pl.when(_in_service(site, entry)).then(pl.lit(f"phase_{safe(entry.name)}")).otherwise(phase)
    yield "phase", phase
    yield "pool", _group("pool", pl.col("pool"))
    if site.schedulers.slurm:
        for partition in site.schedulers.slurm.partitions:
            scheduled = tray & pl.col("pool").is_null()
            yield (
                f"partition {partition.name}",
                pl.when(scheduled).then(pl.lit(f"partition_{safe(partition.name)}")),
            )


def _in_service(site: Site, phase: Phase) -> pl.Expr:
    """Whether a machine is in service by the end of a phase."""
    until, pod = in_service(phase), pl.col("pod")
    if until.scope == until.pods:
        return pod < until.pods
    part = plan(site, phase.name).pod(f"pod-{until.scope:02d}")
    there = pl.concat([part.nodes["name"], part.switches["name"]])
    return (pod < until.pods) | ((pod == until.pods) & pl.col("name").is_in(there.implode()))


def _leaf_pairs(planned: Plan) -> pl.Series:
    """First of the north-south leaves that each tray is cabled to, one of each rail and plane, or None."""
    trays = planned.node_frame
    names = pl.DataFrame({"a": range(trays.height)}, schema={"a": pl.Int32})
    parts = [pl.DataFrame(schema={"a": pl.Int32, "leaf": pl.String})]
    for own in planned.geometry.tiers.values():
        first, pods = own[0], intersect(planned.scope, own[0].pods)
        block = {"rack": "rack_name", "scalable-unit": "row", "pod": "pod_name"}.get(first.per)
        if first.kind != "north-south" or block is None or not pods:
            continue
        ends = cabling.nic_ends(planned.geometry, first, trays, pods)
        leaf = ends.group_by("a").agg(pl.col("position").min() // first.down + 1)
        parts.append(
            leaf.select(
                "a",
                pl.format(
                    "{}-{}-{}",
                    pl.lit(trays[block]).gather(pl.col("a")),
                    pl.lit(first.name),
                    pl.col("position").cast(pl.String).str.zfill(2),
                ).alias("leaf"),
            )
        )
    return names.join(pl.concat(parts), on="a", how="left", maintain_order="left")["leaf"]


def _group(kind: str, name: pl.Expr) -> pl.Expr:
    """`group_name` of a column."""
    return pl.format(kind + "_{}", name.str.replace_all(r"[^0-9A-Za-z_]", "_"))
