"""Drawings of a site as SVG text: rack elevations, and machines with their cables.

Colours come from the page's style sheet by class, so that a drawing follows its light or dark theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Machine, Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_RACKS = 6
MOST_MACHINES = 48
"""Beyond these a drawing says nothing that a table does not."""

_U = 26  # height of a rack unit in a drawing
_RACK = 210
_GAP = 24
_BOX_W, _BOX_H = 196, 46
_TIER = 146  # from one row of boxes to the next


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    machine: Machine


def racks(machines: Sequence[Machine]) -> str:
    """Front view of each rack, machines at their units; empty text if there are too many or none."""
    by_rack: dict[str, list[Machine]] = {}
    for machine in machines:
        by_rack.setdefault(machine.rack or "not in a rack of the plan", []).append(machine)
    if not by_rack or len(by_rack) > MOST_RACKS:
        return ""
    parts, right, bottom = [], 0.0, 0.0
    for index, (rack, members) in enumerate(by_rack.items()):
        x = index * (_RACK + _GAP)
        # Only the units that hold something, and one free one where some are left out: a rack has 42 or more.
        units = sorted({member.unit for member in members}, reverse=True)
        parts.append(f'<text class="name" x="{x}" y="14">{escape(rack)}</text>')
        y = 24.0
        parts.append(f'<rect class="frame" x="{x}" y="{y}" width="{_RACK}" height="HEIGHT{index}" rx="4"/>')
        top, previous = y, None
        y += 6
        for unit in units:
            if previous is not None and previous - unit > 1:
                parts.append(f'<text class="dim" x="{x + 12}" y="{y + 12}">⋮</text>')
                y += 18
            for member in (m for m in members if m.unit == unit):
                parts.append(
                    f"<g><title>{escape(_about(member))}</title>"
                    f'<rect class="box {member.role}" x="{x + 34}" y="{y}" '
                    f'width="{_RACK - 42}" height="{_U - 4}" rx="3"/>'
                    f'<text class="dim" x="{x + 8}" y="{y + 15}">{f"U{unit}" if unit else ""}</text>'
                    f'<text class="label" x="{x + 42}" y="{y + 15}">{escape(_short(member, rack))}</text></g>'
                )
                y += _U
            previous = unit
        y += 2
        parts = [part.replace(f"HEIGHT{index}", str(y - top)) for part in parts]
        right, bottom = x + _RACK, max(bottom, y)
    return _svg(right + 2, bottom + 6, "Rack elevations", parts)


def topology(machines: Sequence[Machine]) -> str:
    """Hosts below, switches above them tier by tier, a line for each cable; empty if too many or none."""
    if len(machines) > MOST_MACHINES:
        return ""
    rows = _rows(machines)
    if len(rows) < 2 or not rows[0]:
        return ""
    width = max(len(row) for row in rows) * (_BOX_W + _GAP) - _GAP
    bottom = 4.0 + (len(rows) - 1) * _TIER
    boxes = {
        box.machine.name: box
        for level, row in enumerate(rows)
        for box in _row(row, bottom - level * _TIER, width)
    }
    parts = []
    for box in boxes.values():
        cables = [nic for nic in box.machine.nics if nic.peer and boxes.get(nic.peer[0], box).y < box.y]
        for place, nic in enumerate(cables):
            assert nic.peer is not None
            above = boxes[nic.peer[0]]
            x1, y1 = _foot(above, nic.peer[1], boxes), above.y + _BOX_H
            x2, y2 = box.x + _BOX_W * (place + 1) / (len(cables) + 1), box.y
            parts.append(f'<line class="cable {nic.fabric}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
            # Near the lower end lines are apart; each label has a line of its own.
            parts.append(
                f'<text class="dim" x="{x2 + 6}" y="{y2 - 6 - 12 * (len(cables) - 1 - place)}">'
                f"{escape(f'{nic.peer[1]} – {nic.name}')}</text>"
            )
    for box in boxes.values():
        address = box.machine.loopback or box.machine.management_address
        parts.append(
            f"<g><title>{escape(_about(box.machine))}</title>"
            f'<rect class="box {box.machine.role}" x="{box.x}" y="{box.y}" '
            f'width="{_BOX_W}" height="{_BOX_H}" rx="5"/>'
            f'<text class="label" x="{box.x + 10}" y="{box.y + 19}">{escape(_short(box.machine))}</text>'
            f'<text class="dim" x="{box.x + 10}" y="{box.y + 36}">{escape(address)}</text></g>'
        )
    return _svg(width, bottom + _BOX_H + 4, "Machines and cables", parts)


def _rows(machines: Sequence[Machine]) -> list[list[Machine]]:
    """Hosts, then switches by how many cables away from the nearest host they are."""
    level = {machine.name: 0 for machine in machines if machine.role is not Role.SWITCH}
    rows = [[machine for machine in machines if machine.name in level]]
    while True:
        row = [
            machine
            for machine in machines
            if machine.name not in level and any(nic.peer and nic.peer[0] in level for nic in machine.nics)
        ]
        if not row:
            return rows
        level |= dict.fromkeys((machine.name for machine in row), len(rows))
        rows.append(row)


def _foot(box: _Box, port: str, boxes: Mapping[str, _Box]) -> float:
    """Where a cable from below ends at a box: its cables from below side by side."""
    below = [nic.name for nic in box.machine.nics if nic.peer and boxes.get(nic.peer[0], box).y > box.y]
    return box.x + _BOX_W * (below.index(port) + 1) / (len(below) + 1)


def _row(machines: Sequence[Machine], y: float, width: float) -> list[_Box]:
    own = len(machines) * (_BOX_W + _GAP) - _GAP
    left = (width - own) / 2
    return [_Box(left + index * (_BOX_W + _GAP), y, machine) for index, machine in enumerate(machines)]


def _short(machine: Machine, inside: str = "") -> str:
    """The name without what its surroundings say already, and not longer than a box."""
    name = machine.name.removeprefix(f"{inside}-").removeprefix(f"{machine.site}-")
    return name if len(name) <= 30 else f"…{name[-29:]}"


def _about(machine: Machine) -> str:
    return f"{machine.name}: {machine.role}, platform {machine.platform}, BMC {machine.bmc.url}"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" aria-label="{title}">'
        + "".join(parts)
        + "</svg>"
    )
