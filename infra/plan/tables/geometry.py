"""A site with everything resolved once that all tables need: forms, tiers, strides, blocks.

Every position on the site is an index, and every name, port and address is arithmetic on indices. Pods are
numbered over the whole site and each has room of its own, so that nothing is renamed when another is added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.plan.tables.sizes import Sizes
from infra.spec import catalog, forms, hosts, seats, tiers
from infra.spec.sizes import pods_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.forms import Form
    from infra.spec.layout import Exception_, Layout, Rack
    from infra.spec.site import Site
    from infra.spec.sizes import InService
    from infra.spec.tiers import ResolvedTier

_PLACE = re.compile(r"^pod-(\d+)(?:-su-(\d+)(?:-rack-(\d+))?)?$")


@dataclass(frozen=True, slots=True)
class Area:
    """The racks that an exception speaks of: indices from 0, None for all."""

    pod: int
    su: int | None
    rack: int | None


@dataclass(frozen=True, slots=True)
class Unit:
    """Strides of a scalable unit, as its racks make them.

    Attributes:
        stride: slots that its largest rack has room for.
        lanes: NICs of its largest node on a rail, by data fabric.
        ports: management ports that its largest rack has room for.
        nics: interfaces of its largest node, over all fabrics.
    """

    stride: int
    lanes: tuple[tuple[str, int], ...]
    ports: int
    nics: int

    def width(self, fabric: str, racks: int) -> int:
        """Host ports on one rail that it takes on a fabric; management ports on an out-of-band one."""
        lanes = dict(self.lanes).get(fabric)
        if lanes is None:
            return self.ports * racks
        return self.stride * racks * lanes


class Geometry:
    """See the module. Made once for a site; tables of the site or of one pod share it."""

    def __init__(self, site: Site, until: InService | None = None) -> None:
        layout = site.layout
        self.site = site
        self.pods = layout.pods
        self.sizes = Sizes(site, until)
        self.sus, self.racks = self.sizes.most
        """The most scalable units and racks in one that any pod has."""
        _, self._last = forms.racks_per_unit(layout)
        self.tiers = tiers.resolve_all(site)
        self.kinds = site.fabrics.kinds()
        self.leaves = {
            name: tiers.server_leaves(site, name, fabric) for name, fabric in site.fabrics.named().items()
        }
        """Leaves for racks of servers, by fabric."""
        self._forms: list[Form] = [forms.form_of(layout.rack)]
        self.declared: list[Rack] = [layout.rack]
        self.areas: list[tuple[Area, Exception_, int | None]] = []
        """Exceptions: place, declaration, form (or None if it keeps the form)."""
        if self._last is not None:
            self._forms.append(forms.form_of(layout.rack, self._last))
            self.declared.append(layout.rack)
        for exception in site.exceptions:
            form = None
            if exception.rack:
                form = len(self._forms)
                self._forms.append(forms.form_of(exception.rack))
                self.declared.append(exception.rack)
            self.areas += [(area, exception, form) for area in areas_of(layout, exception.at)]
        self.forms: tuple[Form, ...] = tuple(self._forms)
        self.memo: dict[str, object] = {}
        """Figures of the whole site that several tables ask for."""

    @property
    def pod_names(self) -> tuple[str, ...]:
        """Names of all pods in order."""
        return tuple(f"pod-{index + 1:02d}" for index in range(self.pods))

    def default_form(self, rack: int) -> int:
        """Form of a rack (by its index in its scalable unit) without exceptions."""
        return 1 if self._last is not None and rack == self.sizes.rule.racks - 1 else 0

    @cached_property
    def unit(self) -> Unit:
        """Strides of a scalable unit without exceptions."""
        return self._unit({self.default_form(rack) for rack in range(self.sizes.rule.racks)})

    def _unit(self, used: set[int]) -> Unit:
        chosen = [self.forms[form] for form in used]
        lanes = []
        for name, fabric in self.site.fabrics.named().items():
            if self.kinds[name] == "out-of-band":
                continue
            most = max(
                (nics(slot.platform, self.kinds[name]) for form in chosen for slot in form.slots),
                default=0,
            )
            lanes.append((name, -(-most // fabric.rails)))
        return Unit(
            stride=max(form.capacity for form in chosen),
            lanes=tuple(lanes),
            ports=max(hosts.management_room(form) for form in chosen),
            nics=max((_interfaces(slot.platform) for form in chosen for slot in form.slots), default=0),
        )

    def overrides(self, pods: range) -> dict[tuple[int, int, int], int]:
        """Racks (pod, scalable unit, rack) in these pods whose form is an exception."""
        result: dict[tuple[int, int, int], int] = {}
        for area, _, form in self.areas_in(pods):
            if form is not None:
                result |= dict.fromkeys(self.racks_of(area), form)
        return result

    def areas_in(self, pods: range) -> list[tuple[Area, Exception_, int | None]]:
        """Exceptions in some pods, in the order of the declaration."""
        if len(pods) == 1:
            return self._by_pod.get(pods.start, [])
        return [entry for entry in self.areas if entry[0].pod in pods]

    @cached_property
    def _by_pod(self) -> dict[int, list[tuple[Area, Exception_, int | None]]]:
        found: dict[int, list[tuple[Area, Exception_, int | None]]] = {}
        for entry in self.areas:
            found.setdefault(entry[0].pod, []).append(entry)
        return found

    def racks_of(self, area: Area) -> Iterator[tuple[int, int, int]]:
        """Indices of the racks in an area."""
        for su, count in enumerate(self.sizes.declared_rows(area.pod)):
            if area.su in {None, su}:
                for rack in range(count):
                    if area.rack in {None, rack}:
                        yield area.pod, su, rack

    def units(self, pods: range) -> dict[tuple[int, int], Unit]:
        """Scalable units in these pods whose strides are not the rule's."""
        changed = self.overrides(pods)
        touched = {(pod, su) for pod, su, _ in changed}
        result = {}
        for pod, su in touched:
            racks = range(self.sizes.declared_rows(pod)[su])
            unit = self._unit({changed.get((pod, su, rack), self.default_form(rack)) for rack in racks})
            if unit != self.unit:
                result[pod, su] = unit
        return result

    def lanes_of(self, form: int, fabric: str) -> int:
        """NICs of a rack's largest node on one rail of a data fabric."""
        most = max((nics(slot.platform, self.kinds[fabric]) for slot in self.forms[form].slots), default=0)
        return -(-most // self.site.fabrics.named()[fabric].rails)

    def rack_widths(self, pod: int, su: int, fabric: str) -> list[int]:
        """Ports of one rail that each rack of a scalable unit takes on a data fabric.

        A unit by the rule has room for its largest rack everywhere; one of other racks counts what is there.
        """
        if (pod, su) not in self.units(range(pod, pod + 1)):
            return [self.unit.width(fabric, 1)] * self.sizes.of(pod).racks
        changed = self.overrides(range(pod, pod + 1))
        racks = range(self.sizes.declared_rows(pod)[su])
        forms = [changed.get((pod, su, rack), self.default_form(rack)) for rack in racks]
        return [self.forms[form].capacity * self.lanes_of(form, fabric) for form in forms]

    def width(self, tier: ResolvedTier, pod: int, su: int) -> int:
        """Ports of one rail and plane that hosts need in a scalable unit's block of a first tier."""
        units = self.units(range(pod, pod + 1))

        def of(index: int) -> int:
            if tier.kind == "out-of-band":
                return units.get((pod, index), self.unit).width(tier.fabric, self.sizes.of(pod).racks)
            return sum(self.rack_widths(pod, index, tier.fabric))

        if tier.per == "rack":
            unit = units.get((pod, su), self.unit)
            data = tier.kind != "out-of-band"
            return max(self.rack_widths(pod, su, tier.fabric)) if data else unit.width(tier.fabric, 1)
        if tier.per == "scalable-unit":
            return of(su)
        return sum(of(index) for index in range(self.sizes.of(pod).units))

    def serving(self, pod: int) -> dict[str, str]:
        """Fabrics that a pod is in: kind → name."""
        return {own[0].kind: name for name, own in self.tiers.items() if pod in own[0].pods}

    def alike(self, scope: range) -> Iterator[tuple[dict[str, str], range]]:
        """Runs of pods in the same fabrics: kind → name, and the pods."""
        start = scope.start
        while start < scope.stop:
            serving, stop = self.serving(start), start + 1
            while stop < scope.stop and self.serving(stop) == serving:
                stop += 1
            yield serving, range(start, stop)
            start = stop

    @cached_property
    def management_fabrics(self) -> list[str]:
        """Names of the out-of-band fabrics, whose switches are no machines of the site."""
        return [name for name, kind in self.kinds.items() if kind == "out-of-band"]

    def served(self, pod: int) -> tuple[str, ...]:
        """Names of the fabrics that a pod is in."""
        return tuple(name for name, own in self.tiers.items() if pod in own[0].pods)

    def layout_of(self, tier: ResolvedTier) -> Layout:
        """The layout with only the pods that a tier's fabric is in."""
        return tiers.layout_of(self.site, self.site.fabrics.named()[tier.fabric])

    def racks_in_row(self, name: str) -> int:
        """Racks that stand in a scalable unit, by its name."""
        area = next(areas_of(self.site.layout, name))
        return self.sizes.rows(area.pod)[area.su or 0]

    def blocks_in(self, tier: ResolvedTier, per: str) -> int:
        """Blocks of a tier in a block of a level above pods, at the most."""
        return tiers.blocks_in(self.site, self.site.fabrics.named()[tier.fabric], tier.per, per)

    def room_of(self, per: str) -> int:
        """Blocks of a level (rack, scalable-unit, pod) that the largest pod has."""
        return {"rack": self.sus * self.racks, "scalable-unit": self.sus, "pod": 1}[per]

    def blocks_per(self, per: str) -> int:
        """Pods in a block at or above pod level; for `site`, more than there can ever be."""
        layout = self.site.layout
        return {
            "pod": 1,
            "hall": layout.pods_per_hall,
            "building": layout.pods_per_hall * layout.halls_per_building,
            "site": 1_000_000,
        }[per]

    @cached_property
    def switches_per_pod(self) -> int:
        """Switches whose block lies in one pod."""
        return seats.switches_per_pod(self.site)

    @cached_property
    def every_tier(self) -> tuple[ResolvedTier, ...]:
        """Tiers of all fabrics in order, then leaves for racks of servers, which so move no other switch."""
        every = (*self.tiers.values(), *self.leaves.values())
        return tuple(tier for fabric in every for tier in fabric)


def areas_of(layout: Layout, name: str) -> Iterator[Area]:
    """An exception's place, as indices: of a hall or building each of its pods."""
    match = _PLACE.match(name)
    if match is None:
        yield from (Area(pod, None, None) for pod in pods_at(layout, name))
        return
    pod, su, rack = (int(text) - 1 if text else None for text in match.groups())
    assert pod is not None
    yield Area(pod, su, rack)


def nics(platform: str, kind: str) -> int:
    """NICs of a platform's node on a kind of fabric."""
    return sum(group.count for group in catalog.platform(platform).node.nics if group.fabric == kind)


def _interfaces(platform: str) -> int:
    """NICs of a platform's node on all fabrics."""
    return sum(group.count for group in catalog.platform(platform).node.nics)
