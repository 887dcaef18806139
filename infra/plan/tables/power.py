"""Watts: the site's balance, what a rack may draw, and every place from the site down to the rack.

Two views of each place. Dealt: what is not compute (switches, storage, management) is spread evenly over the
pods and within them over the scalable units and compute racks, so that the sums of every level agree; grid,
phases and halls are judged by it. Own: what stands in a place, racks of switches and servers and CDUs too, as
it hangs on busways and feeds. What is declared but stands in no planned rack is in the first view only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.plan.tables.cabinets import rack_switches
from infra.plan.tables.counts import counts, rack_kinds
from infra.plan.tables.geometry import Geometry
from infra.spec import catalog
from infra.spec.fabric import KINDS

if TYPE_CHECKING:
    from infra.plan.tables.tables import Tables
    from infra.spec.site import Site
    from infra.spec.sizes import InService


@dataclass(frozen=True, slots=True)
class Balance:
    """IT watts of a whole site by what takes them, and the facility's watts at its PUE.

    Attributes:
        compute, east_west, north_south, storage_network, out_of_band, storage, management: watts.
        rack: watts of a rack of the layout's form.
        pue: facility over IT; None where the site declares none, and then nobody knows the facility's watts.
        cap: watts of the grid connection; infinite where none is declared.
        forms: watts of a full rack by form index.
        racks: compute racks; each has an even part of all that is not compute.
    """

    compute: float
    east_west: float
    north_south: float
    storage_network: float
    out_of_band: float
    storage: float
    management: float
    rack: float
    pue: float | None
    cap: float
    forms: tuple[float, ...]
    racks: int

    @property
    def other(self) -> float:
        """IT watts of all that is not compute."""
        switches = self.east_west + self.north_south + self.storage_network + self.out_of_band
        return switches + self.storage + self.management

    @property
    def it(self) -> float:
        """IT watts."""
        return self.compute + self.other

    @property
    def least_pue(self) -> float:
        """The declared PUE; where there is none, 1, which no facility is below."""
        return self.pue or 1.0

    @property
    def facility(self) -> float:
        """Watts at the connection point; where no PUE is declared, of IT alone."""
        return self.it * self.least_pue


def pue_of(site: Site) -> float | None:
    """The declared PUE; None where the site declares no energy use."""
    return site.energy.pue if site.energy else None


def balance(plan: Tables) -> Balance:
    """The whole site's balance, whatever the plan's scope: all pods of the declaration in service."""
    known = plan.geometry.memo.get("balance")
    if not isinstance(known, Balance):
        known = plan.geometry.memo["balance"] = _balance(plan.whole())
    return known


def _balance(whole: Tables) -> Balance:
    geometry = whole.geometry
    site = geometry.site
    number = counts(whole)
    storage = site.storage.power or server_watts(site, "storage")
    management = site.services.power or server_watts(site, "management")
    switches = dict.fromkeys(KINDS, 0.0)
    for name, watts in number.watts.items():
        switches[geometry.kinds[name]] += watts
    other = sum(switches.values()) + storage + management
    pue = pue_of(site)
    cap = site.grid.power if site.grid else math.inf
    # Every place has its part of what the grid leaves, whatever stands in other places: an exception in one
    # row changes that row only, and the site may then draw a little less (or more, which admission sees).
    share = (cap / (pue or 1.0) - other) / max(_full_racks(geometry), 1e-9)
    forms = tuple(
        share if rack.power == "share" else form.rated_w if rack.power == "rated" else float(rack.power)
        for rack, form in zip(geometry.declared, geometry.forms, strict=True)
    )
    if geometry.default_form(geometry.sizes.rule.racks - 1) and geometry.site.layout.rack.power != "rated":
        part = len(geometry.forms[1].slots) / len(geometry.forms[0].slots)
        forms = (forms[0], forms[0] * part, *forms[2:])
    racks = _weights(geometry)
    compute = sum(each * racks[index] for index, each in enumerate(forms))
    return Balance(
        compute, switches["east-west"], switches["north-south"], switches["storage"], switches["out-of-band"],
        storage, management, forms[0], pue, cap, forms, geometry.sizes.racks_in(range(geometry.pods)),
    )  # fmt: skip


def server_watts(site: Site, role: str) -> float:
    """Rated watts of the site's servers of a role."""
    return sum(
        s.all(site.layout.pods) * catalog.platform(s.platform).node.power.total
        for s in site.servers
        if s.role == role
    )


def _full_racks(geometry: Geometry) -> float:
    """Racks of the site; the last of a unit by the rule counts for the part of it that is filled."""
    rule = geometry.sizes.rule
    last = len(geometry.forms[geometry.default_form(rule.racks - 1)].slots)
    part = last / max(len(geometry.forms[0].slots), 1)
    if geometry.sizes.uniform:
        return geometry.pods * rule.units * (rule.racks - 1 + part)
    units = geometry.sizes.units_in(range(geometry.pods)) if part != 1 else 0
    return geometry.sizes.racks_in(range(geometry.pods)) - units * (1 - part)


def _weights(geometry: Geometry) -> dict[int, float]:
    """Racks of each form over the whole site; a rack with empty slots counts for its part."""
    touched = {area.pod for area, _, _ in geometry.areas} & set(range(geometry.pods))
    rule, result = weights(geometry, None), dict.fromkeys(range(len(geometry.forms)), 0.0)
    parts = [(rule, geometry.pods - len(touched)), *((weights(geometry, pod), 1) for pod in touched)]
    for part, times in parts:
        for form, weight in part.items():
            result[form] += weight * times
    return result


def it_in_service(plan: Tables, until: InService) -> float:
    """IT watts of what is in service: its racks, and their even part of all that is not compute."""
    totals, own = balance(plan), plan.geometry
    geometry = Geometry(own.site, until) if until.scope > until.pods else own
    touched = {area.pod for area, _, _ in own.areas} | {until.pods}
    rule, compute = weights(geometry, None), 0.0
    for pod in range(until.scope):
        parts = weights(geometry, pod) if pod in touched else rule
        compute += sum(totals.forms[form] * weight for form, weight in parts.items())
    return compute + totals.other * geometry.sizes.racks_in(range(until.scope)) / max(totals.racks, 1)


def weights(geometry: Geometry, pod: int | None) -> dict[int, float]:
    """Racks of each form in a pod (None: one without exceptions); with empty slots they count in part."""
    result: dict[int, float] = {}
    for (form, empty), number in rack_kinds(geometry, pod).items():
        slots = {slot.number for slot in geometry.forms[form].slots}
        part = 1 - len(slots & empty) / max(len(slots), 1)
        result[form] = result.get(form, 0.0) + number * part
    return result


def empty_slots(geometry: Geometry, pods: range) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Racks with empty slots: place → (form, number of empty slots that the form would fill)."""
    gone: dict[tuple[int, int, int], set[int]] = {}
    for area, exception, _ in geometry.areas_in(pods):
        if exception.missing:
            for place in geometry.racks_of(area):
                gone.setdefault(place, set()).update(exception.missing)
    if not gone:
        return {}
    changed = geometry.overrides(pods)
    result = {}
    for place, slots in gone.items():
        form = changed.get(place, geometry.default_form(place[2]))
        result[place] = (form, len(slots & {slot.number for slot in geometry.forms[form].slots}))
    return result


def rack_watts(plan: Tables) -> pl.Series:
    """Compute watts of each row of the plan's rack frame."""
    geometry = plan.geometry
    forms = balance(plan).forms
    watts = pl.Series("compute_w", forms, dtype=pl.Float64).gather(plan.rack_frame["form"])
    lost = empty_slots(geometry, plan.scope)
    if lost:
        values, rows = watts.to_list(), _rows_of(plan)
        for place, (form, number) in lost.items():
            if place in rows:
                values[rows[place]] *= 1 - number / len(geometry.forms[form].slots)
        watts = pl.Series("compute_w", values, dtype=pl.Float64)
    return watts


def rack_nodes(plan: Tables) -> pl.Series:
    """Nodes in each row of the plan's rack frame."""
    geometry = plan.geometry
    slots = [len(form.slots) for form in geometry.forms]
    nodes = pl.Series("nodes", slots, dtype=pl.Int64).gather(plan.rack_frame["form"])
    lost = empty_slots(geometry, plan.scope)
    if not lost:
        return nodes
    values, rows = nodes.to_list(), _rows_of(plan)
    for place, (_, number) in lost.items():
        if place in rows:
            values[rows[place]] -= number
    return pl.Series("nodes", values, dtype=pl.Int64)


def _rows_of(plan: Tables) -> dict[tuple[int, int, int], int]:
    """Rows of the plan's rack frame by place."""
    places = plan.rack_frame.select("pod", "su", "rack").rows()
    return {(pod, su, rack): row for row, (pod, su, rack) in enumerate(places)}


def power(plan: Tables) -> pl.DataFrame:
    """Watts of every place in scope.

    Returns:
        level, name, kind (of racks: compute, network, servers, cdu), parent, pod; compute_w, other_w (an even
        part of all that is not compute; compute racks only), it_w (their sum), facility_w (at the PUE; None
        where none is declared); own_w (IT watts of what stands there), cooling_w (watts of its CDUs, which
        are a part of the facility's).
    """
    totals = balance(plan)
    per_rack = totals.other / max(totals.racks, 1)
    watts = rack_watts(plan)
    racks = plan.rack_frame.select(
        pl.lit("rack").alias("level"), "name", pl.lit("compute").alias("kind"),
        pl.col("row").alias("parent"), pl.col("pod_name").alias("pod"), watts,
        pl.lit(per_rack).alias("other_w"), pl.col("pod").alias("index"),
        (watts + rack_switches(plan)["own_w"]).alias("own_w"), pl.lit(0.0).alias("cooling_w"),
    )  # fmt: skip
    others = plan.cabinet_frame.select(
        "above", pl.lit("rack").alias("level"), "name", "kind", "parent", "pod",
        pl.lit(0.0).alias("compute_w"), pl.lit(0.0).alias("other_w"), "index", "own_w", "cooling_w",
    )  # fmt: skip
    layout = plan.site.layout
    columns = ("compute_w", "other_w", "own_w", "cooling_w")

    def rise(frame: pl.DataFrame, level: str, parent: pl.Expr, pod: pl.Expr) -> pl.DataFrame:
        here = others.filter(pl.col("above") == level).select(frame.columns)
        grouped = pl.concat([frame, here]).group_by("parent", maintain_order=True).agg(
            pl.col(columns).sum(), pl.col("index", "pod").first()
        )  # fmt: skip
        return grouped.select(
            pl.lit(level).alias("level"), pl.col("parent").alias("name"), none.alias("kind"),
            parent.alias("parent"), pod.alias("pod"), "compute_w", "other_w", "index", "own_w", "cooling_w",
        )  # fmt: skip

    def numbered(word: str, size: int) -> pl.Expr:
        return pl.format(word + "-{}", (pl.col("index") // size + 1).cast(pl.String).str.zfill(2))

    halls, none = layout.pods_per_hall, pl.lit(None, pl.String)
    units = rise(racks, "scalable-unit", pl.col("pod"), pl.col("pod"))
    pods = rise(units, "pod", numbered("hall", halls), pl.col("pod"))
    frames = [others.select(racks.columns), racks, units, pods]
    if plan.site_level and plan.scope:
        frames.append(rise(pods, "hall", numbered("building", halls * layout.halls_per_building), none))
        frames.append(rise(frames[-1], "building", pl.lit(plan.site.name), none))
        frames.append(rise(frames[-1], "site", none, none))
    it = pl.col("compute_w") + pl.col("other_w")
    return pl.concat(reversed(frames)).select(
        "level", "name", "kind", "parent", "pod", "compute_w", "other_w", it.alias("it_w"),
        (it * pl.lit(totals.pue, pl.Float64)).alias("facility_w"), "own_w", "cooling_w",
    )  # fmt: skip
