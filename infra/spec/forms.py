"""A declared rack resolved against the catalog: which node stands in which slot and unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.spec import catalog

if TYPE_CHECKING:
    from infra.spec.catalog import Companion
    from infra.spec.layout import Layout, Rack


@dataclass(frozen=True, slots=True)
class Slot:
    """One node position: its number from 1, lower rack unit and platform."""

    number: int
    unit: int
    platform: str


@dataclass(frozen=True, slots=True)
class Form:
    """What one kind of rack holds.

    Attributes:
        platform: the platform that gives rack-level figures (shelves, liquid share, flow).
        slots: nodes, lowest first.
        companions: other trays with the rack unit of their first one.
        rated_w: watts by the platform's rating, in proportion to its nodes.
        top: first rack unit above everything.
        height: rack units of the rack.
    """

    platform: str
    slots: tuple[Slot, ...]
    companions: tuple[tuple[Companion, int], ...]
    rated_w: float
    top: int
    height: int

    @property
    def capacity(self) -> int:
        """Highest slot number."""
        return max((slot.number for slot in self.slots), default=0)


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
    if nodes is not None:
        places = dict(sorted(places.items())[:nodes])
    unit, slots = base.rack.first_unit, []
    for number in range(1, max(places, default=0) + 1):
        name = places.get(number)
        if name:
            slots.append(Slot(number, unit, name))
        unit += catalog.platform(name).node.height if name else base.node.height
    companions = []
    for companion in base.rack.companions:
        companions.append((companion, unit))
        unit += companion.count * companion.height
    return Form(base.name, tuple(slots), tuple(companions), _rated(slots), unit, base.rack.height)


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
