"""Drawings of a site as SVG text: rack elevations, and machines with their cables.

Colours come from the page's style sheet by class, so that a drawing follows its light or dark theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Machine, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_RACKS = 6
MOST_MACHINES = 48
"""Beyond these a drawing says nothing that a table does not."""

_U = 26  # height of a rack unit in a drawing
_RACK = 210
_GAP = 24
_BOX_W, _BOX_H = 196, 46


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
    """Switches above, machines below, one line per cable; empty text if there are too many or no cables."""
    if len(machines) > MOST_MACHINES:
        return ""
    upper = [machine for machine in machines if machine.role is Role.SWITCH]
    lower = [machine for machine in machines if machine.role is not Role.SWITCH]
    if not upper or not lower:
        return ""
    width = max(len(upper), len(lower)) * (_BOX_W + _GAP) - _GAP
    boxes = {
        box.machine.name: box for row, y in ((upper, 4.0), (lower, 150.0)) for box in _row(row, y, width)
    }
    parts, drawn = [], set()
    for box in boxes.values():
        for nic in box.machine.nics:
            if nic.peer is None or nic.peer[0] not in boxes:
                continue
            cable = frozenset({(box.machine.name, nic.name), nic.peer})
            if cable in drawn:
                continue
            drawn.add(cable)
            other = boxes[nic.peer[0]]
            high, low = (box, other) if box.y < other.y else (other, box)
            near, far = (nic.name, nic.peer[1]) if high is box else (nic.peer[1], nic.name)
            x1, y1 = high.x + _BOX_W / 2, high.y + _BOX_H
            x2, y2 = low.x + _BOX_W / 2, low.y
            parts.append(f'<line class="cable {nic.fabric}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
            # Near the lower end lines are apart, near the switch they meet: both labels go below, outside.
            anchor, text_x = ("end", x2 - 8) if x2 < x1 else ("start", x2 + 8)
            parts.append(
                f'<text class="dim" text-anchor="{anchor}" x="{text_x}" y="{y2 - 8}">'
                f"{escape(f'{far} – {near}')}</text>"
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
    return _svg(width, 150 + _BOX_H + 4, "Machines and cables", parts)


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
