"""Racks, nodes, companions, NICs and servers, as columns of indices and names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from infra.spec import catalog, hosts, rooms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from infra.plan.tables.geometry import Geometry, Unit
    from infra.spec.services import Server
    from infra.spec.site import Site

RACK_UNIT_M = 0.04445
"""Height of a rack unit (EIA-310): 44.45 mm."""


def two(column: str) -> pl.Expr:
    """An index column as a number from 1 with at least two digits."""
    return (pl.col(column) + 1).cast(pl.String).str.zfill(2)


def origin(geometry: Geometry) -> tuple[pl.Expr, pl.Expr]:
    """Metres east and north of a pod's corner on the site, from its index `pod`.

    Halls lie along x, their pods side by side along y, buildings further along x. Nothing here depends on how
    many there are, so that an added pod moves no other.
    """
    layout, far = geometry.site.layout, geometry.site.layout.distances
    hall = pl.col("pod") // layout.pods_per_hall
    x = (hall // layout.halls_per_building) * far.building_pitch + (
        hall % layout.halls_per_building
    ) * far.hall_pitch
    return x, (pl.col("pod") % layout.pods_per_hall) * far.pod_pitch


def racks(geometry: Geometry, pods: range) -> pl.DataFrame:
    """Compute racks.

    Returns:
        pod, su, rack (indices); name, row (scalable unit's name), pod_name; form; stride (slots of the
        largest rack of its scalable unit), ports (management ports of that), nics (interfaces of its
        largest node); first_node, first_port, first_nic (how many of each the pod has room for before this
        rack); x, y
        (metres); pool.
    """
    sus, each = geometry.sus, geometry.racks
    index = pl.int_range(0, len(pods) * sus * each, dtype=pl.Int32, eager=True).alias("i").to_frame()
    frame = index.select(
        (pl.col("i") // (sus * each) + pods.start).alias("pod"),
        (pl.col("i") // each % sus).alias("su"),
        (pl.col("i") % each).alias("rack"),
    )
    if not geometry.sizes.uniform:
        frame = frame.filter(pl.col("rack") < geometry.sizes.standing(pl.col("pod"), pl.col("su")))
    usual = geometry.sizes.rule.racks
    last = geometry.default_form(usual - 1)
    form: pl.Expr = pl.lit(0, pl.Int16)
    if last:
        form = pl.when(pl.col("rack") == usual - 1).then(pl.lit(last, pl.Int16)).otherwise(form)
    unit = geometry.unit
    before = pl.col("su") * geometry.sizes.racks(pl.col("pod")) + pl.col("rack")
    frame = frame.with_columns(
        form.alias("form"),
        pl.lit(unit.stride, pl.Int32).alias("stride"),
        pl.lit(unit.ports, pl.Int32).alias("ports"),
        pl.lit(unit.nics, pl.Int32).alias("nics"),
        (before * unit.stride).cast(pl.Int32).alias("first_node"),
        (before * unit.ports).cast(pl.Int32).alias("first_port"),
        (before * unit.stride * unit.nics).cast(pl.Int32).alias("first_nic"),
        pl.lit(None, pl.String).alias("pool"),
    )
    frame = _excepted(frame, geometry, pods)
    east, north = origin(geometry)
    far = geometry.site.layout.distances
    frame = frame.with_columns(pl.format("pod-{}", two("pod")).alias("pod_name"))
    frame = frame.with_columns(pl.format("{}-su-{}", "pod_name", two("su")).alias("row"))
    return frame.with_columns(
        pl.format("{}-rack-{}", "row", two("rack")).alias("name"),
        (east + pl.col("rack") * far.rack_pitch).cast(pl.Float64).alias("x"),
        (north + pl.col("su") * far.row_pitch).cast(pl.Float64).alias("y"),
    )


def _excepted(frame: pl.DataFrame, geometry: Geometry, pods: range) -> pl.DataFrame:
    keys = ["pod", "su", "rack"]
    types = dict.fromkeys(keys, pl.Int32)
    changed = geometry.overrides(pods)
    if changed:
        rows = [(*place, form) for place, form in changed.items()]
        other = pl.DataFrame(rows, schema={**types, "other": pl.Int16}, orient="row")
        frame = frame.join(other, on=keys, how="left", maintain_order="left")
        frame = frame.with_columns(pl.coalesce("other", "form").alias("form")).drop("other")
    units = geometry.units(pods)
    if units:
        frame = _widened(frame, geometry, units)
    pools = {
        place: exception.pool
        for area, exception, _ in geometry.areas
        if exception.pool and area.pod in pods
        for place in geometry.racks_of(area)
    }
    if pools:
        kept = [(*place, pool) for place, pool in pools.items()]
        other = pl.DataFrame(kept, schema={**types, "other": pl.String}, orient="row")
        frame = frame.drop("pool").join(other, on=keys, how="left", maintain_order="left")
        frame = frame.rename({"other": "pool"})
    return frame


_STRIDES = ("stride", "ports", "nics", "first_node", "first_port", "first_nic")


def _widened(frame: pl.DataFrame, geometry: Geometry, units: dict[tuple[int, int], Unit]) -> pl.DataFrame:
    """Strides of the pods that have scalable units of other sizes than the rule's."""
    rows = []
    for pod in {pod for pod, _ in units}:
        node = port = nic = 0
        pod_units, racks = geometry.sizes.of(pod)
        for su in range(pod_units):
            unit = units.get((pod, su), geometry.unit)
            for rack in range(racks):
                rows.append((pod, su, rack, unit.stride, unit.ports, unit.nics, node, port, nic))
                node, port = node + unit.stride, port + unit.ports
                nic += unit.stride * unit.nics
    keys = ["pod", "su", "rack"]
    schema = dict.fromkeys([*keys, *(f"{name}_" for name in _STRIDES)], pl.Int32)
    other = pl.DataFrame(rows, schema=schema, orient="row")
    frame = frame.join(other, on=keys, how="left", maintain_order="left")
    return frame.with_columns(pl.coalesce(f"{name}_", name).alias(name) for name in _STRIDES).drop(
        f"{name}_" for name in _STRIDES
    )


def nodes(geometry: Geometry, rack_frame: pl.DataFrame, pods: range) -> pl.DataFrame:
    """Trays in slot order.

    Returns:
        pod, su, rack, slot (from 0); node (position in the pod, with room for empty slots); name,
        rack_name, row, pod_name, platform, unit, x, y, pool.
    """
    rows = [
        (form, slot.number - 1, slot.unit, slot.platform)
        for form, entry in enumerate(geometry.forms)
        for slot in entry.slots
    ]
    schema = {"form": pl.Int16, "slot": pl.Int32, "unit": pl.Int16, "platform": pl.String}
    slots = pl.DataFrame(rows, schema=schema, orient="row")
    frame = rack_frame.join(slots, on="form", how="inner", maintain_order="left_right")
    missing = [
        (*place, slot - 1)
        for area, exception, _ in geometry.areas
        if exception.missing and area.pod in pods
        for place in geometry.racks_of(area)
        for slot in exception.missing
    ]
    if missing:
        keys = ["pod", "su", "rack", "slot"]
        gone = pl.DataFrame(missing, schema=dict.fromkeys(keys, pl.Int32), orient="row")
        frame = frame.join(gone, on=keys, how="anti", maintain_order="left")
    return frame.select(
        "pod", "su", "rack", "slot", "form", "first_port", "ports",
        (pl.col("first_node") + pl.col("slot")).alias("node"),
        (pl.col("rack") * pl.col("stride") + pl.col("slot")).alias("in_unit"),
        (pl.col("first_nic") + pl.col("slot") * pl.col("nics")).alias("first_nic"),
        pl.format("{}-tray-{}", "name", two("slot")).alias("name"),
        pl.col("name").alias("rack_name"),
        "row", "pod_name", "platform", "unit", "x", "y", "pool",
    )  # fmt: skip


def companions(geometry: Geometry, rack_frame: pl.DataFrame) -> pl.DataFrame:
    """NVLink switch trays, power shelves and the like: pod, su, rack, kind, name, rack_name, unit, x, y."""
    rows: list[tuple[int, str, str, int]] = []
    for form, entry in enumerate(geometry.forms):
        for companion, unit in entry.companions:
            for index in range(companion.count):
                text = f"{companion.name}-{index + 1:02d}"
                rows.append((form, companion.name, text, unit + index * companion.height))
    schema = {"form": pl.Int16, "kind": pl.String, "text": pl.String, "unit": pl.Int16}
    parts = pl.DataFrame(rows, schema=schema, orient="row")
    frame = rack_frame.join(parts, on="form", how="inner", maintain_order="left_right")
    return frame.select(
        "pod", "su", "rack", "kind", "form", "text", "first_port", "ports",
        pl.format("{}-{}", "name", "text").alias("name"),
        pl.col("name").alias("rack_name"),
        "row", "pod_name", "unit", "x", "y",
    )  # fmt: skip


def nic_frame(platforms: Collection[str]) -> pl.DataFrame:
    """Interfaces of each platform's node.

    Returns:
        platform, kind (of fabric), nic (index on that), port (index over all), interface, gbit.
    """
    return _nic_frame(tuple(sorted(platforms)))


@cache
def _nic_frame(platforms: tuple[str, ...]) -> pl.DataFrame:
    rows = []
    for name in platforms:
        seen: dict[str, int] = {}
        port = 0
        for group in catalog.platform(name).node.nics:
            for index in range(group.count):
                nic = seen.get(group.fabric, 0)
                rows.append((name, group.fabric, nic, port, f"{group.name}{index}", group.speed))
                seen[group.fabric] = nic + 1
                port += 1
    schema = {"platform": pl.String, "kind": pl.String, "nic": pl.Int32, "port": pl.Int32,
              "interface": pl.String, "gbit": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def management_frame(geometry: Geometry) -> pl.DataFrame:
    """Management ports of each rack form, in order.

    Returns:
        form, slot (of a node) or text (name of a companion), interface, position (index in the rack, with
        room for empty slots).
    """
    rows: list[tuple[int, int | None, str | None, str, int]] = []
    for form, entry in enumerate(geometry.forms):
        width = hosts.management_width(entry)
        for slot in entry.slots:
            own, first = catalog.platform(slot.platform).node.management_ports, (slot.number - 1) * width
            rows += [(form, slot.number - 1, None, f"mgmt{port}", first + port) for port in range(own)]
        position = entry.capacity * width
        for companion, _ in entry.companions:
            for index in range(companion.count):
                for port in range(companion.management_ports):
                    rows.append((form, None, f"{companion.name}-{index + 1:02d}", f"mgmt{port}", position))
                    position += 1
        assert position == hosts.management_room(entry)
    schema = {"form": pl.Int16, "slot": pl.Int32, "text": pl.String, "interface": pl.String,
              "position": pl.Int32}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def management(geometry: Geometry, nodes: pl.DataFrame, companions: pl.DataFrame) -> pl.DataFrame:
    """Management ports of trays, then of companions.

    Args:
        geometry: of the site.
        nodes: see `nodes`.
        companions: see `companions`; their rows are counted after the nodes'.

    Returns:
        a (row of the device), name, pod, su, rack, position (in its rack), ports, first_port, interface.
    """
    ports = management_frame(geometry)
    keys = ["a", "name", "pod", "su", "rack", "position", "ports", "first_port", "interface"]

    def joined(frame: pl.DataFrame, column: str, first: int) -> pl.DataFrame:
        frame = frame.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.Int32).alias("a"))
        own = ports.filter(pl.col(column).is_not_null()).select("form", column, "interface", "position")
        return frame.join(own, on=["form", column], how="inner", maintain_order="left_right").select(keys)

    return pl.concat([joined(nodes, "slot", 0), joined(companions, "text", nodes.height)])


def servers(geometry: Geometry, pods: range) -> pl.DataFrame:
    """Servers of the site, then those of some pods, pod by pod.

    A group's first server of the site has the group's name, the others a number behind it, so that a second
    one does not rename the first. Places and rack units have room for more of each group; see `rooms`.

    Returns:
        name, group, role, platform; attach (index of the pod that it is cabled to), place (on the site),
        pod, number (index of its pod, and its place there; None of the site's), pod_name, rack_name, unit, x,
        y.
    """
    site, far = geometry.site, geometry.site.layout.distances
    rows: list[tuple[Any, ...]] = []
    for server, number, tail, rack, unit in _in_racks(site, "site"):
        attach = int(server.attach[4:]) - 1 if server.attach else None
        rows.append((f"{site.name}-{server.name}{tail if number[1] else ''}", server.name, server.role,
                     server.platform, attach, number[0], None, None, None,
                     f"{site.name}-servers-{rack + 1:02d}", unit, rack * far.rack_pitch,
                     -far.row_pitch))  # fmt: skip
    in_pods = list(_in_racks(site, "pod"))
    for pod in pods if in_pods else ():
        base, (east, north) = f"pod-{pod + 1:02d}", corner(geometry, pod)
        for server, number, tail, rack, unit in in_pods:
            # Racks of servers stand at the other end of the row that the pod's switches begin.
            rows.append((f"{base}-{server.name}{tail}", server.name, server.role, server.platform, pod,
                         rooms.place(site.servers, pod, number[0]), pod, number[0], base,
                         f"{base}-servers-{rack + 1:02d}", unit, east - (rack + 1) * far.rack_pitch,
                         north + geometry.sizes.of(pod).units * far.row_pitch))  # fmt: skip
    schema = {
        "name": pl.String,
        "group": pl.String,
        "role": pl.String,
        "platform": pl.String,
        "attach": pl.Int32,
        "place": pl.Int32,
        "pod": pl.Int32,
        "number": pl.Int32,
        "pod_name": pl.String,
        "rack_name": pl.String,
        "unit": pl.Int16,
        "x": pl.Float64,
        "y": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _in_racks(site: Site, per: str) -> Iterator[tuple[Server, tuple[int, int], str, int, int]]:
    """Servers of the site or of a pod: group, (place, index in the group), tail of its name, rack, unit."""
    own = rooms.own(site.servers, per)
    starts = rooms.starts([(server.count, 1) for server in own])
    heights = [catalog.platform(server.platform).node.height for server in own]
    bottoms = rooms.starts(list(zip((server.count for server in own), heights, strict=True)))
    for server, start, bottom, height in zip(own, starts, bottoms, heights, strict=True):
        for index in range(server.count):
            rack, free = divmod(bottom + index * height, site.layout.rack_height // height * height)
            yield server, (start + index, index), f"-{index + 1:02d}", rack, free + 1


def corner(geometry: Geometry, pod: int) -> tuple[float, float]:
    """Metres east and north of one pod's corner; see `origin`."""
    x, y = origin(geometry)
    found = pl.DataFrame({"pod": [pod]}).select(x.cast(pl.Float64).alias("x"), y.cast(pl.Float64).alias("y"))
    return found["x"][0], found["y"][0]
