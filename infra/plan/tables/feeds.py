"""Which power distribution and which coolant loop serve which pods: the site's, or pods' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import polars as pl

from infra.spec.sizes import pods_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.spec.grid import Cooling, Feeds
    from infra.spec.site import Site

T = TypeVar("T")


def feeds_of(site: Site, pod: pl.Expr | None = None) -> Iterator[tuple[Feeds, str, pl.Expr]]:
    """Feeds, where they are declared, and which rows of a table they are for.

    Args:
        site: the declaration.
        pod: names of pods in the table; by default its column `pod`.
    """
    yield from _parts(site, site.feeds, "feeds", [entry.feeds for entry in site.exceptions], pod)


def loops_of(site: Site, pod: pl.Expr | None = None) -> Iterator[tuple[Cooling, str, pl.Expr]]:
    """Coolant loops, as `feeds_of`."""
    yield from _parts(site, site.cooling, "cooling", [entry.cooling for entry in site.exceptions], pod)


def feeds_in(site: Site, pod: str | None) -> Feeds | None:
    """Feeds of one pod, or of what is in none."""
    return _in(site, site.feeds, [entry.feeds for entry in site.exceptions], pod)


def loop_in(site: Site, pod: str | None) -> Cooling | None:
    """The coolant loop of one pod."""
    return _in(site, site.cooling, [entry.cooling for entry in site.exceptions], pod)


def _owners(site: Site, own: Sequence[object]) -> dict[str, int]:
    """Exception that counts for each pod that has something of its own: the last one."""
    return {
        f"pod-{pod + 1:02d}": index
        for index, (entry, part) in enumerate(zip(site.exceptions, own, strict=True))
        if part is not None
        for pod in pods_at(site.layout, entry.at)
    }


def _parts(
    site: Site, rule: T | None, key: str, own: Sequence[T | None], pod: pl.Expr | None
) -> Iterator[tuple[T, str, pl.Expr]]:
    pod, owners = pl.col("pod") if pod is None else pod, _owners(site, own)
    if rule is not None:
        yield rule, f"$.{key}", pod.is_null() | ~pod.is_in(list(owners))
    for index, part in enumerate(own):
        names = [name for name, owner in owners.items() if owner == index]
        if part is not None and names:
            yield part, f"$.exceptions[{index}].{key}", pod.is_in(names)


def _in(site: Site, rule: T | None, own: Sequence[T | None], pod: str | None) -> T | None:
    index = _owners(site, own).get(pod or "")
    return rule if index is None else own[index]
