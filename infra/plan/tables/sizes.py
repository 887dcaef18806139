"""How large each pod of a site is, as numbers and as expressions over the index columns of tables."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import polars as pl

from infra.spec import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.spec.site import Site
    from infra.spec.sizes import InService, PodSize


class Sizes:
    """Sizes of all pods.

    Attributes:
        rule: of a pod without exceptions.
        most: the most of each that any pod has; indices of blocks over the site have room for it.
        own: of the pods that differ from the rule.
        until: where what is in service ends amid a pod; all that is there keeps its place, port and address.
    """

    def __init__(self, site: Site, until: InService | None = None) -> None:
        self.until = until if until and until.scope > until.pods else None
        self.pods = site.layout.pods
        self.rule, (self.own, self._short) = sizes.rule(site.layout), sizes.read_declared(site)
        self.most = sizes.most(site, range(self.pods))
        self.uniform = not self.own and not self._short and self.until is None

    def of(self, pod: int) -> PodSize:
        """Size of a pod."""
        return self.own.get(pod, self.rule)

    def rows(self, pod: int) -> list[int]:
        """Racks that stand in each scalable unit of a pod."""
        rows = self.declared_rows(pod)
        if self.until and pod == self.until.pods:
            last = [min(self.until.racks, rows[self.until.units])] if self.until.racks else []
            rows = rows[: self.until.units] + last
        return rows

    def declared_rows(self, pod: int) -> list[int]:
        """Racks of each scalable unit of a pod, in service or not."""
        units, racks = self.of(pod)
        return [min(self._short.get((pod, su), racks), racks) for su in range(units)]

    def units_in(self, pods: range) -> int:
        """Scalable units in some pods."""
        if self.uniform:
            return len(pods) * self.rule.units
        return sum(len(self.rows(pod)) for pod in pods)

    def racks_in(self, pods: range) -> int:
        """Racks in some pods."""
        if self.uniform:
            return len(pods) * self.rule.units * self.rule.racks
        return sum(sum(self.rows(pod)) for pod in pods)

    def blocks(self, per: str, pod: int | None) -> int:
        """Blocks of a level (rack, scalable-unit, pod) in a pod; None is one without exceptions."""
        rows = [self.rule.racks] * self.rule.units if pod is None else self.rows(pod)
        return {"rack": sum(rows), "scalable-unit": len(rows), "pod": 1}[per]

    def room(self, pod: int, per: str) -> int:
        """Blocks of a level that a pod has room for; short rows have room too."""
        units, racks = self.of(pod)
        return {"rack": units * racks, "scalable-unit": units, "pod": 1}[per]

    def places(self, per: str, first: int, size: int, pod: pl.Expr) -> pl.Expr:
        """Blocks of a level before a pod in its block of `size` pods; blocks begin with the pod `first`.

        What is there is counted, whatever the largest pod has.
        """
        if not self.own:
            return (pod - first) % size * self.room(0, per)
        before, values = 0, []
        for index in range(self.pods):
            if index < first or (index - first) % size == 0:
                before = 0
            values.append(before)
            before += self.room(index, per)
        return self._by(values, pod)

    # Over columns of indices: a number where all pods are alike.

    def _by(self, values: Sequence[int], pod: pl.Expr) -> pl.Expr:
        if len(set(values)) == 1:
            return pl.lit(values[0], pl.Int32)
        return pl.lit(pl.Series(values, dtype=pl.Int32)).gather(pod.cast(pl.UInt32))

    @cached_property
    def _every(self) -> list[PodSize]:
        return [self.of(pod) for pod in range(self.pods)]

    def units(self, pod: pl.Expr) -> pl.Expr:
        """Scalable units of the pod at an index column."""
        return self._by([size.units for size in self._every], pod)

    def racks(self, pod: pl.Expr) -> pl.Expr:
        """Racks that a scalable unit of the pod at an index column has room for."""
        return self._by([size.racks for size in self._every], pod)

    def before(self, pod: pl.Expr) -> pl.Expr:
        """Racks that all pods before the one at an index column have room for."""
        if not self.own:
            return pod * (self.rule.units * self.rule.racks)
        return self._by([0, *accumulate(size.units * size.racks for size in self._every)], pod)

    def standing(self, pod: pl.Expr, su: pl.Expr) -> pl.Expr:
        """Racks that stand in a scalable unit, by index columns; 0 where the pod has no such unit."""
        size = self.most.units
        counts = []
        for index in range(self.pods):
            rows = self.rows(index)
            counts += [*rows, *[0] * (size - len(rows))]
        return self._by(counts, pod * size + su)

    def ranks(self, per: str, pods: range) -> pl.Series | None:
        """Row of each block of a level in a table that has only blocks that there are.

        Args:
            per: rack, scalable-unit or pod.
            pods: the scope; blocks are counted from its first one with room for the largest pod's.

        Returns:
            Rows by block; None where rows are blocks.
        """
        if self.uniform or per == "pod":
            return None
        there: list[bool] = []
        for pod in pods:
            rows = self.rows(pod)
            rows += [0] * (self.most.units - len(rows))
            if per == "scalable-unit":
                there += [count > 0 for count in rows]
            else:
                there += [rack < count for count in rows for rack in range(self.most.racks)]
        return pl.Series(there, dtype=pl.Boolean).cast(pl.Int32).cum_sum() - 1
