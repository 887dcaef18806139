"""Fabrics whose numbers contradict each other or the machines: rails without NICs, groups without rails."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, hosts
from infra.spec.fabric import KINDS
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.fabric import Fabric
    from infra.spec.site import Site


def fabric_mistakes(site: Site) -> Iterator[Mistake]:
    """All of them; the site's platforms are known."""
    kinds = site.fabrics.kinds()
    for name, fabric in site.fabrics.named().items():
        loc: Loc = ("fabrics", name.replace("-", "_"))
        if kinds[name] not in KINDS:
            yield _without_kind(name, loc)
            continue
        yield from _pods(site, fabric, loc)
        yield from _rails(site, name, fabric, loc)
        yield from _groups(fabric, loc)
        yield from _leaves(site, fabric, loc)
    yield from _kinds(site)
    yield from _names(site)


_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _without_kind(name: str, loc: Loc) -> Mistake:
    """A fabric of the site's own, or one whose name is mistyped."""
    near = difflib.get_close_matches(name, KINDS, 1, 0.6)
    hint = f"did you mean `{near[0].replace('-', '_')}`?" if near else f"write `kind:` {', '.join(KINDS)}"
    return Mistake(loc, f"`{loc[-1]}` does not say what kind of fabric it is", hint)


def _pods(site: Site, fabric: Fabric, loc: Loc) -> Iterator[Mistake]:
    """Its pods are there, and its blocks above pods begin with the first of them."""
    if not _KEY.fullmatch(str(loc[-1])):
        yield Mistake(loc, f"`{loc[-1]}` is no name of a fabric", "lower-case letters, digits and `_`")
    if fabric.pods is None:
        return
    layout, scope = site.layout, fabric.scope(site.layout.pods)
    if scope.stop > layout.pods:
        message = f"is in pods up to {scope.stop}, but the layout has {layout.pods}"
        yield Mistake((*loc, "pods"), message, f"at most {layout.pods}", (("layout", "pods"),))
    sizes = {"hall": layout.pods_per_hall, "building": layout.pods_per_hall * layout.halls_per_building}
    for tier in fabric.tiers:
        size = sizes.get(tier.per, 1)
        if scope.start % size:
            message = (
                f"begins with pod {scope.start + 1}, in the middle of a {tier.per} that `{tier.name}` is for"
            )
            hint = (
                f"begin with pod {scope.start // size * size + 1} or {scope.start // size * size + size + 1}"
            )
            yield Mistake((*loc, "pods"), message, hint, (("layout",),))
            return


def _leaves(site: Site, fabric: Fabric, loc: Loc) -> Iterator[Mistake]:
    """Leaves for servers have servers of pods, and a tier above them."""
    in_pods = {server.name for server in site.servers if server.per == "pod"}
    first: dict[str, str] = {}
    for index, leaf in enumerate(fabric.leaves):
        here: Loc = (*loc, "leaves", index)
        if len(fabric.tiers) < 2:
            yield Mistake(
                here, f"no tier is above `{leaf.name}`: it would join no trays", "add a second tier"
            )
        for number, name in enumerate(leaf.servers):
            if name not in in_pods:
                hint = f"servers with `per: pod` are: {', '.join(sorted(in_pods)) or 'none'}"
                yield Mistake(
                    (*here, "servers", number),
                    f"there are no servers `{name}` in pods",
                    hint,
                    (("servers",),),
                )
            elif name in first:
                message = f"`{name}` is cabled to `{first[name]}` already"
                yield Mistake((*here, "servers", number), message, "each group has one kind of leaf")
            first.setdefault(name, leaf.name)


def _names(site: Site) -> Iterator[Mistake]:
    """Servers are named beside the switches, scalable units and racks of their pod, or of the site."""
    in_pods = {"su": "scalable units", "net": "network racks", "servers": "racks of servers"}
    in_site: dict[str, str] = {}
    for fabric in site.fabrics.named().values():
        in_pods |= {part.name: "switches" for part in fabric.switches().values()}
        in_site |= {tier.name: "switches" for tier in fabric.tiers if tier.per == "site"}
    for index, server in enumerate(site.servers):
        block, taken = ("pod-01", in_pods) if server.per == "pod" else (site.name, in_site)
        if server.name in taken:
            message = (
                f"`{block}-{server.name}-01` is how one of the {server.per}'s {taken[server.name]} is named"
            )
            yield Mistake(
                ("servers", index, "name"), message, "give the servers another name", (("fabrics",),)
            )


def _kinds(site: Site) -> Iterator[Mistake]:
    """A pod has one fabric of a kind: its NICs could not say which of two."""
    kinds, every = site.fabrics.kinds(), list(site.fabrics.named().items())
    for index, (name, fabric) in enumerate(every):
        own = fabric.scope(site.layout.pods)
        for other, earlier in every[:index]:
            theirs = earlier.scope(site.layout.pods)
            shared = range(max(own.start, theirs.start), min(own.stop, theirs.stop))
            if shared and kinds[name] == kinds[other] and kinds[name] in KINDS:
                loc: Loc = ("fabrics", name.replace("-", "_"))
                key = other.replace("-", "_")
                message = f"pod {shared.start + 1} has `{key}` of the kind {kinds[name]} already"
                yield Mistake(loc, message, "give each `pods` of its own, or another kind")


def _rails(site: Site, name: str, fabric: Fabric, loc: Loc) -> Iterator[Mistake]:
    """Each rail has a NIC: no node of the layout has fewer than there are rails."""
    kind = fabric.kind or name
    if kind == "out-of-band":
        if fabric.rails > 1 or fabric.planes > 1:
            yield Mistake(loc, "management ports have no rails and no planes", "leave both out")
        return
    racks = [rack for _, rack in hosts.kinds_in(site, fabric)]
    platforms = {slot.platform for rack in racks for slot in forms.form_of(rack).slots}
    for platform in sorted(platforms):
        count = sum(g.count for g in catalog.platform(platform).node.nics if g.fabric == kind)
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
