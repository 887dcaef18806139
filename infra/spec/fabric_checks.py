"""Fabrics whose numbers contradict each other or the machines: rails without NICs, groups without rails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.spec import catalog, forms
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.fabric import Fabric
    from infra.spec.site import Site


def fabric_mistakes(site: Site) -> Iterator[Mistake]:
    """All of them; the site's platforms are known."""
    for name, fabric in site.fabrics.named().items():
        loc: Loc = ("fabrics", name.replace("-", "_"))
        yield from _rails(site, name, fabric, loc)
        yield from _groups(fabric, loc)


def _rails(site: Site, name: str, fabric: Fabric, loc: Loc) -> Iterator[Mistake]:
    """Each rail has a NIC: no node of the layout has fewer than there are rails."""
    if name == "out-of-band":
        if fabric.rails > 1 or fabric.planes > 1:
            yield Mistake(loc, "management ports have no rails and no planes", "leave both out")
        return
    platforms = {slot.platform for slot in forms.form_of(site.layout.rack).slots}
    for platform in sorted(platforms):
        count = sum(g.count for g in catalog.platform(platform).node.nics if g.fabric == name)
        if 0 < count < fabric.rails:
            message = f"{fabric.rails} rails, but a node of {platform} has {count} NICs on this fabric"
            yield Mistake((*loc, "rails"), message, f"at most {count}", (("layout", "rack"),))


def _groups(fabric: Fabric, loc: Loc) -> Iterator[Mistake]:
    """A tier by rail has a group for each rail."""
    sets = fabric.rails
    for level, tier in enumerate(fabric.tiers):
        if level == 0:
            if tier.groups > 1 or tier.group_by == "rail":
                message = "the first tier comes by rails, not in groups"
                yield Mistake((*loc, "tiers", 0, "groups"), message, "set the fabric's `rails`")
            continue
        if tier.group_by == "rail" and tier.groups != sets:
            message = f"{tier.groups} groups by rail, but {sets} rails come from below"
            hint = f"write `groups: {sets}`"
            yield Mistake((*loc, "tiers", level, "groups"), message, hint, ((*loc, "rails"),))
        sets = tier.groups
