"""One plane of a fabric as a graph of switches: which upper switches each leaf reaches, over how many paths.

The graph follows the dealing of `cabling.uplinks`, which is arithmetic; so a leaf's ancestors are too, and
leaves with the same ancestors are one kind. Where each lower switch reaches all switches of its upper set,
blocks are alike and two of each level stand for all; so a million cables cost what a hundred do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from infra.spec.tiers import blocks_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.tables.geometry import Geometry
    from infra.spec.tiers import ResolvedTier

INSIDE = ("rack", "scalable-unit", "pod")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One first-tier switch: indices of its block, rail and place in its rail."""

    block: int
    rail: int
    index: int


class Kind(NamedTuple):
    """Leaves with the same ancestors.

    Attributes:
        leaf: the first of them.
        paths: by level from 1, upper switch → paths up to it.
        masks: by level from 1, the same switches as bits.
    """

    leaf: Leaf
    paths: tuple[dict[int, int], ...]
    masks: tuple[int, ...]


class Graph:
    """The switches of a plane in the first block of the fabric's top tier, which is the fullest."""

    def __init__(self, geometry: Geometry, tiers: tuple[ResolvedTier, ...]) -> None:
        self.geometry, self.tiers = geometry, tiers
        self.layout = geometry.layout_of(tiers[0])
        self.full = all(below.up >= above.count for below, above in pairwise(tiers))
        """Whether each lower switch reaches every switch of its upper set."""
        self.by_rail = all(tier.by_rail for tier in tiers[1:])
        """Whether rails never meet: then only leaves of one rail need paths."""

    def blocks(self, tier: ResolvedTier) -> int:
        """Blocks of a tier in the top block."""
        layout, top = self.layout, self.tiers[-1].per
        if tier.per == top:
            return 1
        if top in INSIDE:
            return blocks_within(layout, tier.per, top)
        pods = min(self.geometry.blocks_per(top), layout.pods)
        if tier.per in INSIDE:
            return self._inside(tier, top, pods)
        return math.ceil(pods / self.geometry.blocks_per(tier.per))

    def _ratio(self, below: ResolvedTier, above: ResolvedTier) -> int:
        """Lower blocks in an upper block; two stand for all where blocks are alike."""
        if below.per == above.per:
            return 1
        if above.per == self.tiers[-1].per:
            ratio = self.blocks(below)
        elif above.per in INSIDE:
            ratio = blocks_within(self.layout, below.per, above.per)
        else:
            pods = self.geometry.blocks_per(above.per)
            inside = below.per in INSIDE
            ratio = (
                self._inside(below, above.per, pods)
                if inside
                else math.ceil(pods / self.geometry.blocks_per(below.per))
            )
        return min(ratio, 2) if self.full else ratio

    def _inside(self, tier: ResolvedTier, per: str, pods: int) -> int:
        """Blocks of a tier in a block of so many pods."""
        if self.geometry.sizes.own:
            return self.geometry.blocks_in(tier, per)
        return pods * blocks_within(self.layout, tier.per, "pod")

    @cached_property
    def _ratios(self) -> list[int]:
        return [self._ratio(below, above) for below, above in pairwise(self.tiers)]

    def _uplinks(self, level: int, place: Leaf) -> tuple[tuple[int, int], list[int]]:
        """Upper block and set that a switch's uplinks go to, and the indices in it (each once)."""
        below, above = self.tiers[level], self.tiers[level + 1]
        block, own_set, own = place.block, place.rail, place.index
        upper, position = divmod(block, self._ratios[level])
        spread = -(-below.count // above.sets)
        if above.by_rail:
            target, within, each = own_set % above.sets, own, below.count
        elif above.sets > 1:
            target, within, each = own % above.sets, own_set * spread + own // above.sets, below.sets * spread
        else:
            target, within, each = 0, own_set * below.count + own, below.sets * below.count
        first = (position * each + within) * below.up
        width = min(below.up, above.count)
        return (upper, target), sorted((first + step) % above.count for step in range(width))

    @cached_property
    def _known(self) -> dict[tuple[int, int, int, tuple[int, ...]], tuple[dict[int, int], ...]]:
        return {}

    def _ancestors(self, level: int, place: Leaf) -> tuple[dict[int, int], ...]:
        """By level above: upper switch → number of paths."""
        if level + 1 == len(self.tiers):
            return ()
        above = self.tiers[level + 1]
        (block, target), reached = self._uplinks(level, place)
        key = (level, block, target, tuple(reached))
        known = self._known.get(key)
        if known is None:
            own = {(block * above.sets + target) * above.count + index: 1 for index in reached}
            higher: list[dict[int, int]] = [{} for _ in self.tiers[level + 2 :]]
            for index in reached:
                for sums, paths in zip(
                    higher, self._ancestors(level + 1, Leaf(block, target, index)), strict=True
                ):
                    for switch, number in paths.items():
                        sums[switch] = sums.get(switch, 0) + number
            known = self._known[key] = (own, *higher)
        return known

    def leaves(self) -> Iterator[Leaf]:
        """All leaves of the plane, or those that stand for all."""
        tier = self.tiers[0]
        for block in range(math.prod(self._ratios)):
            for rail in range(tier.sets):
                for index in range(tier.count):
                    yield Leaf(block, rail, index)

    @cached_property
    def kinds(self) -> dict[int, list[Kind]]:
        """Kinds of leaves by rail, where rails never meet; under 0 else."""
        found: dict[int, dict[int, Kind]] = {}
        for leaf in self.leaves():
            group = found.setdefault(leaf.rail if self.by_rail else 0, {})
            paths = self._ancestors(0, leaf)
            # Ancestors are shared objects, so their identity tells kinds apart. A leaf that reaches
            # nothing is a kind of its own.
            key = id(paths) if paths else -1 - leaf.block * self.tiers[0].count - leaf.index
            if key not in group:
                masks = tuple(sum(1 << switch for switch in level) for level in paths)
                group[key] = Kind(leaf, paths, masks)
        return {rail: list(group.values()) for rail, group in found.items()}

    def pairs(self) -> Iterator[tuple[Kind, Kind]]:
        """Pairs of kinds that need a path between them, a kind with itself too."""
        for kinds in self.kinds.values():
            for index, one in enumerate(kinds):
                for other in kinds[index:]:
                    yield one, other

    @cached_property
    def apart(self) -> tuple[Leaf, Leaf] | None:
        """Two leaves without a path, if there are any."""
        for one, other in self.pairs():
            if one is not other and not any(a & b for a, b in zip(one.masks, other.masks, strict=True)):
                return one.leaf, other.leaf
        return None

    def islands(self) -> int:
        """The most leaves found of which no two have a path, of one rail where rails never meet.

        1 if every leaf reaches every other. Where leaves fall into islands, it is their number; where paths
        only chain them (A meets B and B meets C, but A not C), it is more than 1 too.
        """
        most = 0
        for kinds in self.kinds.values():
            alone: list[Kind] = []
            for kind in kinds:
                if not any(a & b for other in alone for a, b in zip(kind.masks, other.masks, strict=True)):
                    alone.append(kind)
            most = max(most, len(alone))
        return max(most, 2) if self.apart else most

    def fewest_paths(self) -> tuple[int | None, int | None]:
        """Shortest paths between the worst-off leaves that share a second-tier switch, and of any others.

        Each path goes up and down through other switches; parallel cables between two switches are one.
        None where there is no such pair.
        """
        near: list[int] = []
        far: list[int] = []
        for one, other in self.pairs():
            shared = [level for level, mask in enumerate(one.masks) if mask & other.masks[level]]
            if not shared:
                continue
            level = shared[0]
            mine, theirs = one.paths[level], other.paths[level]
            number = sum(count * theirs[switch] for switch, count in mine.items() if switch in theirs)
            (near if level == 0 else far).append(number)
        return min(near, default=None), min(far, default=None)

    def survives(self, level: int) -> bool:
        """Whether any two leaves keep a path when any one switch of an upper level is lost."""
        return all(self._hops(one, other, level) != 1 for one, other in self.pairs())

    def _hops(self, one: Kind, other: Kind, level: int) -> int:
        """Switches of a level over which two leaves have paths; more than one where none is needed."""
        if any(a & b for a, b in zip(one.masks[: level - 1], other.masks[: level - 1], strict=True)):
            return 2
        shared = (one.masks[level - 1] & other.masks[level - 1]).bit_count()
        if level == len(self.tiers) - 1 or shared > 1:
            return shared
        mine, theirs = one.masks[level - 1].bit_count(), other.masks[level - 1].bit_count()
        above = any(a & b for a, b in zip(one.masks[level:], other.masks[level:], strict=True))
        return min(mine, theirs) if above else shared


def block_name(geometry: Geometry, per: str, block: int) -> str:
    """Name of a block of a level by its index on the site."""
    if per == "site":
        return geometry.site.name
    if per in {"hall", "building"}:
        return f"{per}-{block + 1:02d}"
    pod, rest = divmod(block, geometry.room_of(per))
    name = f"pod-{pod + 1:02d}"
    if per == "scalable-unit":
        name += f"-su-{rest + 1:02d}"
    elif per == "rack":
        su, rack = divmod(rest, geometry.racks)
        name += f"-su-{su + 1:02d}-rack-{rack + 1:02d}"
    return name


def leaf_name(geometry: Geometry, tier: ResolvedTier, leaf: Leaf) -> str:
    """Name of a leaf of the first plane."""
    ordinal = leaf.rail * tier.count + leaf.index
    pod, rest = 0, leaf.block
    while (inside := geometry.sizes.room(tier.pods.start + pod, tier.per)) <= rest:
        pod, rest = pod + 1, rest - inside
    if tier.per == "rack":
        racks = geometry.sizes.of(tier.pods.start + pod).racks
        rest = rest // racks * geometry.racks + rest % racks
    block = (tier.pods.start + pod) * geometry.room_of(tier.per) + rest
    return f"{block_name(geometry, tier.per, block)}-{tier.name}-{ordinal + 1:02d}"
