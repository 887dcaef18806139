"""Front view of a rack by units: what is in each, and the ports that have cables, by fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from infra.errors import UserError
from infra.report.diagrams.svg import Drawing
from infra.spec import catalog

if TYPE_CHECKING:
    from infra.plan import Plan

_U = 22
"""Pixels of a rack unit."""
_LEFT, _TOP, _WIDE = 40, 52, 560
_NAME = 150
_PORT, _PITCH = 8, 10.0
_LINES = 4
"""Lines of ports on a front: makers put two in each unit."""


class Device(NamedTuple):
    """Device in a rack: lowest unit, and number of units."""

    name: str
    title: str
    kind: str
    unit: int
    height: int
    ports: tuple[str, ...]


def draw_rack(plan: Plan, rack: str) -> Drawing:
    """Draw a rack's front.

    Raises:
        UserError: the plan has no such rack.
    """
    found = plan.racks.filter(pl.col("name") == rack)
    if not found.height:
        raise UserError(f"the plan of {plan.site.name} has no rack `{rack}`")
    devices = devices_of(plan, rack)
    links = plan.links
    here = pl.concat(
        [
            links.filter(pl.col("a_rack") == rack).select("fabric", pl.col("a").alias("device"),
                pl.col("a_port").alias("port"), pl.col("z").alias("peer"),
                pl.col("z_port").alias("peer_port"), pl.lit(True).alias("up")),
            links.filter(pl.col("z_rack") == rack).select("fabric", pl.col("z").alias("device"),
                pl.col("z_port").alias("port"), pl.col("a").alias("peer"),
                pl.col("a_port").alias("peer_port"), pl.lit(False).alias("up")),
        ]
    )  # fmt: skip
    cables = {name[0]: part for name, part in here.group_by("device", maintain_order=True)}
    tall = max([plan.site.layout.rack_height, *(d.unit + d.height - 1 for d in devices)])
    drawing = Drawing(f"Front of rack {rack}", plan.geometry.kinds)
    drawing.text(0, 16, rack, "head")
    drawing.text(0, 36, _about(devices, here), "dim")
    bottom = _TOP + tall * _U
    drawing.box(_LEFT - 4, _TOP - 4, _WIDE + 8, tall * _U + 8, "frame")
    for unit in range(1, tall + 1):
        y = bottom - unit * _U
        drawing.text(_LEFT - 10, y + 15, f"{unit}", "dim", end=True)
        drawing.line(_LEFT, y + _U, _LEFT + _WIDE, y + _U)
    for device in devices:
        y = bottom - (device.unit + device.height - 1) * _U
        _draw_device(drawing, device, y, rack, cables.get(device.name))
    own = {device.name for device in devices if device.ports}
    ends = here.select("fabric", "device", "up").unique().iter_rows()
    kinds = {f"{fabric} up" if up and device in own else str(fabric) for fabric, device, up in ends}
    _key(drawing, bottom + 26, sorted(kinds))
    return drawing


def _about(devices: list[Device], cables: pl.DataFrame) -> str:
    kinds: dict[str, int] = {}
    for device in devices:
        kinds[device.title] = kinds.get(device.title, 0) + 1
    parts = [f"{count} × {title}" for title, count in kinds.items()]
    return "; ".join([*parts, f"{cables.height:,} cable ends"])


def _draw_device(drawing: Drawing, device: Device, y: float, rack: str, cables: pl.DataFrame | None) -> None:
    high = device.height * _U - 2
    drawing.box(_LEFT, y + 1, _WIDE, high, f"box {device.kind}", about=f"{device.name}: {device.title}")
    drawing.text(_LEFT + 6, y + 15, _short(device.name, rack))
    if cables is None:
        return
    # A port's place is its index on the switch; a host's ports follow in the order of its cables.
    used = {row["port"]: row for row in cables.iter_rows(named=True)}
    order = device.ports or tuple(used)
    lines = min(2 * device.height, _LINES) if device.ports else 1
    each = -(-len(order) // lines)
    for index, port in enumerate(order):
        line, column = divmod(index, each)
        x, top = _LEFT + _NAME + column * _PITCH, y + 3 + line * _PITCH
        row = used.get(port)
        kind = f"port {row['fabric']}{' up' if row['up'] and device.ports else ''}" if row else "port"
        about = f"{port} → {row['peer']} {row['peer_port']}" if row else f"{port}: free"
        drawing.box(x, top, _PORT, _PORT, kind, about=about, round_=0)
    if not device.ports:
        names = ", ".join(_runs(order))
        drawing.text(_LEFT + _NAME + len(order) * _PITCH + 8, y + 15, names, "dim")


def _short(name: str, rack: str) -> str:
    """Leave out what the rack's own name says already."""
    parts, known = name.split("-"), rack.split("-")
    while len(parts) > 2 and known and parts[0] == known[0]:
        parts, known = parts[1:], known[1:]
    return "-".join(parts)


def _runs(ports: tuple[str, ...]) -> list[str]:
    """`rail0`, `rail1`, `rail2` as `rail0–2`."""
    groups: dict[str, list[str]] = {}
    for port in ports:
        stem = port.rstrip("0123456789")
        groups.setdefault(stem, []).append(port[len(stem) :])
    return [f"{stem}{n[0]}" + (f"–{n[-1]}" if len(n) > 1 else "") for stem, n in groups.items()]


def _key(drawing: Drawing, y: float, kinds: list[str]) -> None:
    x = float(_LEFT)
    for kind in [*kinds, ""]:
        fabric, _, up = kind.partition(" ")
        words = f"{fabric}, to above" if up else fabric or "free"
        drawing.box(x, y - 8, _PORT, _PORT, f"port {kind}".rstrip(), round_=0)
        drawing.text(x + 14, y, words, "dim")
        x += 34 + len(words) * 6.5


def devices_of(plan: Plan, rack: str) -> list[Device]:
    """Everything in a rack, lowest first."""
    from infra.spec import tiers  # noqa: PLC0415 (only for the names of ports)

    found: list[Device] = []
    for row in plan.nodes.filter(pl.col("rack") == rack).iter_rows(named=True):
        platform = catalog.platform(row["platform"])
        kind = {"tray": "tray", "storage": "storage"}.get(row["role"], "management")
        found.append(Device(row["name"], platform.title, kind, row["unit"], platform.node.height, ()))
    heights = {
        companion.name: companion.height for form in plan.geometry.forms for companion, _ in form.companions
    }
    found += [
        Device(row["name"], row["kind"], "other", row["unit"], heights[row["kind"]], ())
        for row in plan.companions.filter(pl.col("rack") == rack).iter_rows(named=True)
    ]
    splits = {(tier.fabric, tier.level): tier.breakout for tier in plan.geometry.every_tier}
    managed = set(plan.managed_frame["name"])
    for row in plan.switches.filter(pl.col("rack") == rack).iter_rows(named=True):
        model = catalog.switch(row["model"])
        names = tuple(tiers.port_names(model, splits[row["fabric"], row["level"]]))
        if row["name"] in managed:
            names += ("mgmt0",)
        found.append(Device(row["name"], model.title, "switch", row["unit"], model.height, names))
    return sorted(found, key=lambda device: device.unit)
