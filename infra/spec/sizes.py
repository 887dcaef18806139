"""Pods that differ from the layout: which of them an exception speaks of, and how large each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from infra.spec import forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.spec.layout import Exception_, Layout, Phase, Rack
    from infra.spec.site import Site


class PodSize(NamedTuple):
    """Size of a pod.

    Attributes:
        units: scalable units in it.
        racks: racks that each of them has room for.
    """

    units: int
    racks: int


def pods_at(layout: Layout, at: str) -> range:
    """Indices of the pods of a place: a pod, a hall, a building, or what is in a pod."""
    word, number = at.split("-")[:2]
    size = {"pod": 1, "hall": layout.pods_per_hall}.get(
        word, layout.pods_per_hall * layout.halls_per_building
    )
    first = min((int(number) - 1) * size, layout.pods)
    return range(max(first, 0), min(first + size, layout.pods))


def covers(layout: Layout, outer: str, inner: str) -> bool:
    """Whether a place lies in another one."""
    if outer.startswith("pod"):
        return f"{inner}-".startswith(f"{outer}-")
    own, other = pods_at(layout, outer), pods_at(layout, inner)
    return own.start <= other.start and other.stop <= own.stop


def rule(layout: Layout) -> PodSize:
    """Size of a pod that no exception changes."""
    return PodSize(layout.scalable_units_per_pod, forms.racks_per_unit(layout)[0])


def sizes(site: Site) -> dict[int, PodSize]:
    """Sizes of the pods that are not as large as the layout says; of two exceptions the later one counts."""
    entries = [
        entry for entry in _each(site) if (entry.scalable_units or entry.racks) and "-su-" not in entry.at
    ]
    if not entries:
        return {}
    found: dict[int, PodSize] = {}
    usual = rule(site.layout)
    for entry in entries:
        for pod in pods_at(site.layout, entry.at):
            units, racks = found.get(pod, usual)
            found[pod] = PodSize(entry.scalable_units or units, entry.racks or racks)
    return {pod: size for pod, size in found.items() if size != usual}


class Declared(NamedTuple):
    """Places of a site that are not as large as the layout says.

    Attributes:
        pods: size of each such pod, by its index.
        rows: racks of each scalable unit that has fewer than its pod's others, by the indices of both.
    """

    pods: Mapping[int, PodSize]
    rows: Mapping[tuple[int, int], int]


def read_declared(site: Site) -> Declared:
    """Read all declared sizes of a site."""
    rows = {
        (int(words[1]) - 1, int(words[3]) - 1): entry.racks
        for entry in site.exceptions
        if entry.racks is not None and len(words := entry.at.split("-")) == 4
    }
    return Declared(sizes(site), rows)


def most(site: Site, pods: range) -> PodSize:
    """The most scalable units, and the most racks in one of them, that any of some pods has."""
    own = sizes(site)
    every = [size for pod, size in own.items() if pod in pods]
    if len(every) < len(pods) or not every:
        every.append(rule(site.layout))
    return PodSize(max(size.units for size in every), max(size.racks for size in every))


class InService(NamedTuple):
    """How much of a site is in service, from its first pod on.

    Attributes:
        pods: whole ones.
        units: scalable units of the next pod.
        racks: of the scalable unit after those.
    """

    pods: int
    units: int
    racks: int

    @property
    def scope(self) -> int:
        """Pods of which anything is in service."""
        return self.pods + (self.units > 0 or self.racks > 0)


def in_service(phase: Phase) -> InService:
    """Read how much of the site a phase has in service."""
    return InService(phase.pods, phase.scalable_units, phase.racks)


def racks(site: Site) -> dict[int, Rack]:
    """Racks of the pods that have others than the layout's, by the last exception for each."""
    found: dict[int, Rack] = {}
    for entry in _each(site):
        if entry.rack and "-su-" not in entry.at:
            found |= dict.fromkeys(pods_at(site.layout, entry.at), entry.rack)
    return found


def _each(site: Site) -> Iterable[Exception_]:
    """Exceptions, of each place the last one: a second is a mistake that is told, and must not take time."""
    return {entry.at: entry for entry in site.exceptions}.values()


def name_of(place: str) -> str:
    """Name of a place in a pod as the plan writes it: `pod-1-su-2` → `pod-01-su-02`."""
    words = place.split("-")
    return "-".join(f"{word}-{int(number):02d}" for word, number in zip(words[::2], words[1::2], strict=True))


def not_there(layout: Layout, known: Declared, name: str) -> str | None:
    """Say what the site has instead of a place that it does not have; None if it has the place.

    Args:
        layout: of the site.
        known: its other sizes.
        name: of a building, hall, pod, scalable unit or rack.
    """
    words = name.split("-")
    numbers = [int(word) for word in words[1::2]]
    each = {"building": layout.pods_per_hall * layout.halls_per_building, "hall": layout.pods_per_hall}
    (units, racks), places = rule(layout), [("the layout", "")] * 3
    if words[0] == "pod":
        pod, su, _ = (number - 1 for number in [*numbers, 0, 0][:3])
        places[1:] = [("the layout", " in a pod"), ("the layout", " in a scalable unit")]
        if pod in known.pods:
            units, racks = known.pods[pod]
            places[1:] = [(f"pod-{pod + 1:02d}", ""), (f"pod-{pod + 1:02d}", " in a scalable unit")]
        if (pod, su) in known.rows:
            racks = known.rows[pod, su]
            places[2] = (f"pod-{pod + 1:02d}-su-{su + 1:02d}", "")
    first = -(-layout.pods // each.get(words[0], 1))
    limits = [(first, f"{words[0]}s"), (units, "scalable units"), (racks, "racks")]
    for number, (limit, word), (who, where) in zip(numbers, limits, places, strict=False):
        if not 1 <= number <= limit:
            return f"{who} has {limit} {word}{where}"
    return None
