"""A declared rack resolved against the catalog: which node stands in which slot and unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog

if TYPE_CHECKING:
    from infra.spec.hardware import Companion, Platform
    from infra.spec.layout import Layout, Rack


@dataclass(frozen=True, slots=True)
class Slot:
    """One node position: its number from 1, lower rack unit and platform."""

    number: int
    unit: int
    platform: str


@dataclass(frozen=True, slots=True)
class Form:
    """Contents of one kind of rack.

    Attributes:
        platform: the platform that gives rack-level figures (shelves, liquid share, flow).
        slots: nodes, lowest first.
        companions: other trays with the rack unit of their first one.
        rated_w: watts by the platform's rating, in proportion to its nodes.
        top: first rack unit above everything, empty slots included.
        height: rack units of the rack.
        capacity: slots that positions in the rack have room for; see `_room`.
    """

    platform: str
    slots: tuple[Slot, ...]
    companions: tuple[tuple[Companion, int], ...]
    rated_w: float
    top: int
    height: int
    capacity: int


def form_of(rack: Rack, nodes: int | None = None) -> Form:
    """Resolve a rack.

    Args:
        rack: as declared; its platforms exist.
        nodes: put only this many nodes in (the last rack of a unit counted in nodes).
    """
    if rack.platform:
        base = catalog.platform(rack.platform)
        count = rack.nodes or base.rack.nodes
        places = dict.fromkeys(range(1, count + 1), base.name)
    else:
        base = catalog.platform(rack.trays[0].platform)
        places = {slot: trays.platform for trays in rack.trays for slot in trays.slots}
    capacity = max(places, default=1) if rack.platform else _room(rack, base, max(places, default=1))
    if nodes is not None:
        places = dict(sorted(places.items())[:nodes])
    unit, slots = base.rack.first_unit, []
    for number in range(1, capacity + 1):
        name = places.get(number)
        if name:
            slots.append(Slot(number, unit, name))
        unit += catalog.platform(name).node.height if name else base.node.height
    companions = []
    for companion in base.rack.companions:
        companions.append((companion, unit))
        unit += companion.count * companion.height
    return Form(base.name, tuple(slots), tuple(companions), _rated(slots), unit, base.rack.height, capacity)


def _room(rack: Rack, base: Platform, highest: int) -> int:
    """Slots that a mix of trays has room for, so that a tray more or less moves no other.

    That is its platform's full rack, or whole multiples of it where higher slots are declared, as far as the
    rack has units. A rack declared by its platform alone has room for the nodes that it is declared with.
    """
    full = max(catalog.platform(trays.platform).rack.nodes for trays in rack.trays)
    others = sum(companion.count * companion.height for companion in base.rack.companions)
    units = base.rack.height - base.rack.first_unit + 1 - others
    return max(highest, min(-(-highest // full) * full, units // base.node.height))


def _rated(slots: list[Slot]) -> float:
    """Each node draws its part of its own platform's full rack, overhead included."""
    platforms = [catalog.platform(slot.platform) for slot in slots]
    return float(sum(platform.rack.power / platform.rack.nodes for platform in platforms))


def racks_per_unit(layout: Layout) -> tuple[int, int | None]:
    """Racks in a scalable unit, and how many nodes the last one holds if that differs from the others."""
    if layout.racks_per_scalable_unit is not None:
        return layout.racks_per_scalable_unit, None
    assert layout.nodes_per_scalable_unit is not None
    each = len(form_of(layout.rack).slots)
    full, rest = divmod(layout.nodes_per_scalable_unit, each)
    return full + bool(rest), rest or None
