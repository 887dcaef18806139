"""How many of everything, by arithmetic on blocks: nothing is expanded to be counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.plan.tables import reach, switching
from infra.spec import catalog, hosts

if TYPE_CHECKING:
    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.tables import Tables
    from infra.spec.tiers import ResolvedTier

LEVELS = ("leaf", "spine", "core")
"""What the tiers of a fabric are called by level, whatever their switches' names."""


def level_name(level: int) -> str:
    """Name of a tier's level."""
    return LEVELS[level] if level < len(LEVELS) else f"tier{level + 1}"


def step_name(level: int) -> str:
    """Name of the cables that end at a tier's lower side: `host_leaf`, `leaf_spine`, `spine_core`."""
    return f"{level_name(level - 1) if level else 'host'}_{level_name(level)}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of a scope.

    Attributes:
        racks: compute racks by form index.
        nodes: trays by platform.
        companions: other trays by kind.
        switches: (fabric, tier) → switches, also those above the pods where the scope is the site.
        cables: (fabric, step) → cables.
        watts: (fabric) → switch watts.
    """

    racks: Counter[int] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    companions: Counter[str] = field(default_factory=Counter)
    switches: Counter[tuple[str, str]] = field(default_factory=Counter)
    cables: Counter[tuple[str, str]] = field(default_factory=Counter)
    watts: dict[str, float] = field(default_factory=dict)

    @property
    def accelerators(self) -> int:
        """In all nodes."""
        return sum(catalog.platform(name).node.accelerators * count for name, count in self.nodes.items())

    @property
    def cpus(self) -> int:
        """In all nodes."""
        return sum(catalog.platform(name).node.cpus * count for name, count in self.nodes.items())


def counts(plan: Tables) -> Counts:
    """Count what is in a plan's scope, once; many rules and figures ask for it."""
    key = f"counts of {plan.scope} {plan.site_level}"
    known = plan.geometry.memo.get(key)
    if not isinstance(known, Counts):
        known = plan.geometry.memo[key] = _count(plan)
    return known


def _count(plan: Tables) -> Counts:
    geometry = plan.geometry
    total = Counts()
    touched = {
        area.pod
        for area, exception, form in geometry.areas
        if form is not None or exception.missing or exception.scalable_units or exception.racks
    }
    if geometry.sizes.until:
        touched.add(geometry.sizes.until.pods)
    plain = Counter(geometry.served(pod) for pod in plan.scope if pod not in touched)
    for served, times in plain.items():
        _add(total, pod_counts(geometry, None, served), times)
    for pod in sorted(touched & set(plan.scope)):
        _add(total, pod_counts(geometry, pod, geometry.served(pod)), 1)
    if plan.site_level and plan.scope:
        _above(plan, total)
    for fabric, number in _server_cables(plan).items():
        total.cables[fabric, step_name(0)] += number
    for fabric, number in _management_cables(plan).items():
        total.cables[fabric, step_name(0)] += number
    return total


def _management_cables(plan: Tables) -> Counter[str]:
    """Management cables of what stands outside compute racks."""
    result: Counter[str] = Counter()
    for name in plan.geometry.management_fabrics:
        first = plan.geometry.tiers[name][0]
        result[name] += reach.ends(plan, first, switching.intersect(plan.scope, first.pods), 0).height
    return result


def _above(plan: Tables, total: Counts) -> None:
    """Add the switches above pods, and the cables between them."""
    for fabric, own in plan.geometry.tiers.items():
        for level, tier in enumerate(own):
            if tier.per not in {"hall", "building", "site"}:
                continue
            pods = len(switching.intersect(plan.scope, tier.pods))
            number = -(-pods // plan.geometry.blocks_per(tier.per)) * tier.per_block
            total.switches[fabric, tier.name] += number
            total.watts[fabric] = total.watts.get(fabric, 0.0) + number * tier.model.power
            if level + 1 < len(own):
                total.cables[fabric, step_name(level + 1)] += number * tier.up


def _add(total: Counts, part: Counts, times: int) -> None:
    for name in Counts.__dataclass_fields__:
        target, source = getattr(total, name), getattr(part, name)
        for key, number in source.items():
            target[key] = target.get(key, 0) + number * times


def pod_counts(geometry: Geometry, pod: int | None, served: tuple[str, ...] = ()) -> Counts:
    """One pod's numbers; `pod` is None for one without exceptions. It is in the fabrics that are named."""
    key = f"counts of {pod} in {' '.join(served)}"
    known = geometry.memo.get(key)
    if not isinstance(known, Counts):
        known = geometry.memo[key] = _count_pod(geometry, pod, served)
    return known


def _count_pod(geometry: Geometry, pod: int | None, served: tuple[str, ...]) -> Counts:
    result = Counts()
    cabled: Counter[str] = Counter()
    for (form, empty), number in rack_kinds(geometry, pod).items():
        _count_racks(geometry, result, cabled, (form, empty, number))
    for fabric in served:
        own = geometry.tiers[fabric]
        ports = cabled[own[0].kind] * own[0].planes
        result.cables[fabric, step_name(0)] = min(ports, _capacity(geometry, own[0], pod))
        inside = [tier for tier in own if tier.per in {"rack", "scalable-unit", "pod"}]
        for tier in inside:
            switches = geometry.sizes.blocks(tier.per, pod) * tier.per_block
            result.switches[fabric, tier.name] = switches
            result.watts[fabric] = result.watts.get(fabric, 0.0) + switches * tier.model.power
            if tier.level + 1 < len(own):
                result.cables[fabric, step_name(tier.level + 1)] = switches * tier.up
        for leaf in geometry.leaves[fabric]:
            result.switches[fabric, leaf.name] = leaf.per_block
            result.watts[fabric] += leaf.per_block * leaf.model.power
            result.cables[fabric, step_name(1)] += leaf.per_block * leaf.up
    return result


def rack_kinds(geometry: Geometry, pod: int | None) -> Counter[tuple[int, frozenset[int]]]:
    """Racks of a pod by form and empty slots."""
    changed: dict[tuple[int, int, int], int] = {}
    gone: dict[tuple[int, int, int], set[int]] = {}
    if pod is not None:
        changed = geometry.overrides(range(pod, pod + 1))
        for area, exception, _ in geometry.areas_in(range(pod, pod + 1)):
            if exception.missing:
                for place in geometry.racks_of(area):
                    gone.setdefault(place, set()).update(exception.missing)
    result: Counter[tuple[int, frozenset[int]]] = Counter()
    usual = geometry.sizes.rule
    rows = [usual.racks] * usual.units if pod is None else geometry.sizes.rows(pod)
    for su, racks in enumerate(rows):
        for rack in range(racks):
            place = (pod or 0, su, rack)
            form = changed.get(place, geometry.default_form(rack))
            result[form, frozenset(gone.get(place, ()))] += 1
    return result


def _count_racks(
    geometry: Geometry, result: Counts, cabled: Counter[str], kind: tuple[int, frozenset[int], int]
) -> None:
    """Add equal racks (form, empty slots, how many) and their host ports by kind of fabric."""
    form, empty, number = kind
    entry = geometry.forms[form]
    result.racks[form] += number
    ports = hosts.management_ports(entry)
    for slot in entry.slots:
        node = catalog.platform(slot.platform).node
        if slot.number in empty:
            ports -= node.management_ports
            continue
        result.nodes[slot.platform] += number
        for group in node.nics:
            cabled[group.fabric] += group.count * number
    for companion, _ in entry.companions:
        result.companions[companion.name] += companion.count * number
    cabled["out-of-band"] += ports * number


def _capacity(geometry: Geometry, tier: ResolvedTier, pod: int | None) -> int:
    """Host ports of a pod's first tier."""
    return geometry.sizes.blocks(tier.per, pod) * tier.per_block * tier.down


def _server_cables(plan: Tables) -> Counter[str]:
    result: Counter[str] = Counter()
    for server in plan.site.servers:
        attached = range(0)
        if server.per == "pod":
            attached = plan.scope
        elif server.attach:
            pod = int(server.attach[4:]) - 1
            attached = switching.intersect(plan.scope, range(pod, pod + 1))
        for serving, pods in plan.geometry.alike(attached):
            for group in catalog.platform(server.platform).node.nics:
                if fabric := serving.get(group.fabric):
                    planes = plan.geometry.tiers[fabric][0].planes
                    result[fabric] += group.count * server.count * planes * len(pods)
    return result
