"""Phases: what is in service is there, comes in the order of dates, and is never taken back."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from infra.spec import sizes
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.layout import Phase
    from infra.spec.site import Site
    from infra.spec.sizes import Declared


def phase_mistakes(site: Site, known: Declared) -> Iterator[Mistake]:
    """All of them; the site's platforms are known."""
    for index, phase in enumerate(site.phases):
        yield from _there(site, known, ("phases", index), phase)
    for index, (before, phase) in enumerate(pairwise(site.phases), 1):
        loc: Loc = ("phases", index)
        if phase.date < before.date:
            message = f"{phase.date} is before {before.date} of the phase before it"
            yield Mistake((*loc, "date"), message, "write phases in the order of their dates", (("phases",),))
        if sizes.in_service(phase) < sizes.in_service(before):
            message = f"{_words(phase)} in service, fewer than the {_words(before)} of the phase before it"
            hint = "a phase counts all that is in service"
            yield Mistake((*loc, "pods"), message, hint, (("phases",),))
    if not site.grid:
        return
    for index, (earlier, later) in enumerate(pairwise(site.grid.phases), 1):
        loc = ("grid", "phases", index)
        above: tuple[Loc, ...] = (("grid", "phases"),)
        if later.date < earlier.date:
            message = f"{later.date} is before {earlier.date} of the phase before it"
            yield Mistake((*loc, "date"), message, "write phases in the order of their dates", above)
        if later.power < earlier.power:
            message = "grants less power than the phase before it"
            yield Mistake((*loc, "power"), message, "a phase counts all power that is granted", above)


def _there(site: Site, known: Declared, loc: Loc, phase: Phase) -> Iterator[Mistake]:
    """The layout has all that is in service, and a whole pod or scalable unit is counted as one."""
    pods, units, racks = sizes.in_service(phase)
    if sizes.in_service(phase).scope > site.layout.pods:
        message = f"{_words(phase)} in service, but the layout has {site.layout.pods}"
        yield Mistake((*loc, "pods"), message, f"at most {site.layout.pods}", (("layout", "pods"),))
        return
    if not units and not racks:
        return
    size = known.pods.get(pods, sizes.rule(site.layout))
    name = f"pod-{pods + 1:02d}"
    if units >= size.units:
        message = f"{name} has {size.units} scalable units"
        hint = f"write `pods: {pods + 1}`" if units == size.units else f"at most {size.units - 1}"
        yield Mistake((*loc, "scalable_units"), message, hint, (("layout",), ("exceptions",)))
        return
    most = known.rows.get((pods, units), size.racks)
    if racks >= most:
        message = f"{name}-su-{units + 1:02d} has {most} racks"
        hint = f"write `scalable_units: {units + 1}`" if racks == most else f"at most {most - 1}"
        yield Mistake((*loc, "racks"), message, hint, (("layout",), ("exceptions",)))


def _words(phase: Phase) -> str:
    pods, units, racks = sizes.in_service(phase)
    parts = [(pods, "pods"), (units, "scalable units"), (racks, "racks")]
    said = [f"{count} {word if count > 1 else word[:-1]}" for count, word in parts if count]
    return " and ".join(said) or "nothing"
