"""Numbers that contradict each other: sizes that no plan holds, spares without what they spare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.spec import catalog, forms, sizes, tiers
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.grid import Cooling, Feeds
    from infra.spec.site import Site


def range_mistakes(site: Site) -> Iterator[Mistake]:
    """All of them but sizes; the site's platforms are known."""
    yield from _heights(site)
    yield from _spares(site)
    yield from _exceptions(site)


MOST_NODES = 2_000_000
"""Nodes, servers and switches of a plan: ten times the largest site that was announced anywhere."""
MOST_OF_A_TIER = 100_000
"""Switches of a tier in one block."""


def size_mistakes(site: Site) -> Iterator[Mistake]:
    """A slip of the keyboard is told before tables of it are made."""
    layout = site.layout
    units, racks = sizes.rule(layout)
    own = sizes.sizes(site)
    every = (layout.pods - len(own)) * units * racks + sum(one * other for one, other in own.values())
    nodes = every * forms.form_of(layout.rack).capacity
    if nodes > MOST_NODES:
        message = f"{nodes:,} nodes are more than a plan can hold ({MOST_NODES:,})"
        yield Mistake(("layout",), message, "check the counts of each level")
        return
    servers = sum(server.all(layout.pods) for server in site.servers)
    if servers > MOST_OF_A_TIER:
        message = f"{servers:,} servers are more than a plan can hold ({MOST_OF_A_TIER:,})"
        yield Mistake(("servers",), message, "check `count` of each")
    known = catalog.names("switches")
    for name, fabric in site.fabrics.named().items():
        if any(tier.switch not in known for tier in fabric.tiers):
            continue
        for tier in tiers.resolve(site, name, fabric):
            total = tier.per_block * max(tiers.blocks_within(layout, tier.per, "site"), 1)
            if tier.per_block > MOST_OF_A_TIER or total > MOST_NODES:
                message = f"{total:,} {tier.name} switches are more than a plan can hold"
                key = name.replace("-", "_")
                yield Mistake(("fabrics", key, "tiers", tier.level), message, "check `count` and `groups`")


def _heights(site: Site) -> Iterator[Mistake]:
    """Find network racks and server racks whose machines are higher than the rack."""
    most = site.layout.rack_height
    above: tuple[Loc, ...] = (("layout", "rack_height"), ("layout",))
    switches, platforms = catalog.names("switches"), catalog.names("platforms")
    for name, fabric in site.fabrics.named().items():
        for path, tier in fabric.switches().items():
            if tier.switch in switches and getattr(tier, "per", "pod") != "rack":
                height = catalog.switch(tier.switch).height
                if height > most:
                    message = f"a {tier.switch} is {height} U high, racks of switches have {most} U"
                    loc: Loc = ("fabrics", name.replace("-", "_"), *path, "switch")
                    yield Mistake(loc, message, "raise `layout.rack_height`", above)
    for index, server in enumerate(site.servers):
        if server.platform in platforms:
            height = catalog.platform(server.platform).node.height
            if height > most:
                message = f"a {server.platform} is {height} U high, racks of servers have {most} U"
                yield Mistake(("servers", index, "platform"), message, "raise `layout.rack_height`", above)


def _spares(site: Site) -> Iterator[Mistake]:
    """Spares are some of what is there, never all of it."""
    places: list[tuple[Loc, str, int, int]] = []
    if site.grid:
        places.append(
            (("grid", "spare_circuits"), "circuits", site.grid.spare_circuits, len(site.grid.circuits))
        )
    loops: list[tuple[Loc, Cooling]] = [(("cooling",), site.cooling)] if site.cooling else []
    loops += [(("exceptions", i, "cooling"), e.cooling) for i, e in enumerate(site.exceptions) if e.cooling]
    every: list[tuple[Loc, Feeds]] = [(("feeds",), site.feeds)] if site.feeds else []
    every += [(("exceptions", i, "feeds"), e.feeds) for i, e in enumerate(site.exceptions) if e.feeds]
    for at, feeds in every:
        places += [
            ((*at, "spare_busways"), "busways in a row", feeds.spare_busways, feeds.busways_per_row),
            ((*at, "spare_feeds"), "feeds of a rack", feeds.spare_feeds, feeds.feeds_per_rack),
        ]
    for at, loop in loops:
        places.append(((*at, "spare_coolers"), "CDUs in a row", loop.spare_coolers, loop.coolers_per_row))
    for loc, word, spare, count in places:
        if spare >= count:
            message = f"{spare} of {count} {word} are spare, so none is left to carry the load"
            yield Mistake(loc, message, f"at most {count - 1}", (loc[:-1],))


def _exceptions(site: Site) -> Iterator[Mistake]:
    """Each place has one exception, is written in full, and its empty slots are there."""
    first: dict[str, int] = {}
    rule = {slot.number for slot in forms.form_of(site.layout.rack).slots}
    racks = [entry for entry in site.exceptions if entry.rack]
    for index, exception in enumerate(site.exceptions):
        loc: Loc = ("exceptions", index)
        words = exception.at.split("-")
        name = "-".join(f"{int(word):02d}" if word.isdigit() else word for word in words)
        if name != exception.at:
            message = f"`{exception.at}` is not how the plan names this place"
            yield Mistake((*loc, "at"), message, f"write `{name}`")
        elif name in first:
            message = f"exceptions[{first[name]}] speaks of `{name}` already"
            yield Mistake((*loc, "at"), message, "make them one", (("exceptions",),))
        first.setdefault(name, index)
        slots = {slot.number for slot in forms.form_of(exception.rack).slots} if exception.rack else rule
        for entry in racks if exception.missing and not exception.rack else ():
            if entry.rack and sizes.covers(site.layout, entry.at, exception.at):
                slots |= {slot.number for slot in forms.form_of(entry.rack).slots}
        for number, slot in enumerate(exception.missing):
            if slot not in slots:
                message = f"there is no slot {slot}: the rack has slots 1 to {max(slots)}"
                yield Mistake((*loc, "missing", number), message, None, (("layout", "rack"),))
