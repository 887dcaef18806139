"""Mistakes that types cannot see: names of nothing, one slot used twice, ranges that are too small."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, sizes
from infra.spec.checks.addresses import address_mistakes
from infra.spec.checks.drivers import driver_mistakes
from infra.spec.checks.energy import energy_mistakes
from infra.spec.checks.fabric import fabric_mistakes
from infra.spec.checks.network import network_mistakes
from infra.spec.checks.objects import object_mistakes
from infra.spec.checks.phases import phase_mistakes
from infra.spec.checks.ranges import range_mistakes, size_mistakes
from infra.spec.checks.system import system_mistakes
from infra.spec.checks.words import word_mistakes
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.layout import Rack
    from infra.spec.site import Site
    from infra.spec.sizes import Declared

LAST_PORT = 65535


def mistakes(site: Site) -> Iterator[Mistake]:
    """All mistakes of a declaration whose types are right."""
    known = _with_known_platforms(site)
    own = sizes.read_declared(known)
    racks: list[tuple[Loc, Rack]] = [(("layout", "rack"), site.layout.rack)]
    racks += [(("exceptions", i, "rack"), e.rack) for i, e in enumerate(site.exceptions) if e.rack]
    for loc, rack in racks:
        yield from _rack(loc, rack)
    for index, server in enumerate(site.servers):
        yield from _known(
            ("servers", index, "platform"), "platform", server.platform, catalog.names("platforms")
        )
        if server.attach:
            yield from _place(("servers", index, "attach"), server.attach, known, own)
            if server.per == "pod":
                message = "servers of each pod are cabled to their own pod"
                yield Mistake(("servers", index, "attach"), message, "leave `attach` out")
    yield from _fabrics(site)
    yield from _references(site)
    yield from _unique(site)
    yield from (Mistake(*mistake) for mistake in energy_mistakes(site))
    yield from _exceptions(known, own)
    yield from phase_mistakes(known, own)
    yield from driver_mistakes(site, [rack for _, rack in racks])
    power = [(loc, rack) for loc, rack in racks if rack.power == "share"]
    if power and site.grid is None:
        yield Mistake(
            (*power[0][0], "power"),
            "a share of the grid's power needs a grid",
            "declare `grid`, or watts",
            (("grid",),),
        )
    too_large = list(size_mistakes(known))
    yield from too_large
    if own.pods and any(mistake.loc == ("layout",) for mistake in too_large):
        return  # each pod of its own size would be worked out many times
    yield from address_mistakes(known)
    yield from system_mistakes(site)
    yield from object_mistakes(site)
    yield from word_mistakes(site)
    yield from range_mistakes(known)
    yield from network_mistakes(known)
    yield from fabric_mistakes(known)


def _exceptions(site: Site, own: Declared) -> Iterator[Mistake]:
    """Exceptions are at places that are there, and say what such a place can have."""
    for index, exception in enumerate(site.exceptions):
        yield from _place(("exceptions", index, "at"), exception.at, site, own)
        row, one = "-su-" in exception.at, "-rack-" in exception.at
        if exception.missing and not one:
            yield Mistake(
                ("exceptions", index, "missing"),
                "empty slots need a rack",
                "write `at: pod-01-su-01-rack-01`",
            )
        wrong = {"feeds": row, "cooling": row, "scalable_units": row, "racks": one}
        for key in (key for key, held in wrong.items() if held and getattr(exception, key) is not None):
            words = _NEEDS_A_POD[key]
            yield Mistake(("exceptions", index, key), words, "write `at: pod-01`")
        if exception.racks is not None and site.layout.nodes_per_scalable_unit is not None:
            message = "the layout counts nodes, not racks, in a scalable unit"
            yield Mistake(
                ("exceptions", index, "racks"), message, "write `racks_per_scalable_unit`", (("layout",),)
            )
        elif exception.racks is not None and row and not one:
            pod = int(exception.at.split("-")[1]) - 1
            most = own.pods.get(pod, sizes.rule(site.layout)).racks
            if exception.racks > most:
                message = f"{exception.racks} racks in one row of a pod whose rows have room for {most}"
                yield Mistake(
                    ("exceptions", index, "racks"), message, f"at most {most}", (("layout",), ("exceptions",))
                )
        if exception.cooling and exception.cooling.cooler:
            loc: Loc = ("exceptions", index, "cooling", "cooler")
            yield from _known(loc, "cooler", exception.cooling.cooler, catalog.names("coolers"))
        if (
            exception.feeds
            and not row
            and exception.feeds.hall is not None
            and exception.at.startswith("pod")
        ):
            number, each = int(exception.at[4:]), site.layout.pods_per_hall
            if (number - 1) % each:
                yield Mistake(
                    ("exceptions", index, "feeds", "hall"),
                    f"a hall goes by its first pod, and {exception.at} is not the first of its {each}",
                    f"write it at pod-{(number - 1) // each * each + 1:02d}",
                )


def _known(
    loc: Loc, kind: str, name: str, known: tuple[str, ...], depends: tuple[Loc, ...] = ()
) -> Iterator[Mistake]:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}"
        yield Mistake(loc, f"unknown {kind} `{name}`", hint, depends)


def _rack(loc: Loc, rack: Rack) -> Iterator[Mistake]:
    known = catalog.names("platforms")
    if rack.platform:
        yield from _known((*loc, "platform"), "platform", rack.platform, known)
    taken: dict[int, int] = {}
    unknown = bool(rack.platform and rack.platform not in known)
    for index, trays in enumerate(rack.trays):
        here = (*loc, "trays", index)
        unknown |= trays.platform not in known
        yield from _known((*here, "platform"), "platform", trays.platform, known)
        for slot in trays.slots:
            if slot in taken:
                message = f"two trays in slot {slot}: trays[{taken[slot]}] has it already"
                free = next(number for number in range(1, 100) if number not in taken)
                yield Mistake((*here, "slots"), message, f"slot {free} is free")
            taken.setdefault(slot, index)
    if not unknown:
        form = forms.form_of(rack)
        if form.top - 1 > form.height:
            message = f"needs {form.top - 1} rack units, the rack has {form.height}"
            yield Mistake(loc, message, "take trays out")


_NEEDS_A_POD = {
    "feeds": "feeds of their own need a whole pod",
    "cooling": "a coolant loop of its own needs a whole pod",
    "scalable_units": "scalable units are those of a whole pod",
    "racks": "racks are those of a row or a whole pod",
}
"""Keys of an exception that speak of more than its place."""


def _place(loc: Loc, name: str, site: Site, own: Declared) -> Iterator[Mistake]:
    if instead := sizes.not_there(site.layout, own, name):
        yield Mistake(loc, f"there is no `{name}`", instead, (("layout",), ("exceptions",)))


def _fabrics(site: Site) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    models = catalog.names("switches")
    for name, fabric in site.fabrics.named().items():
        key = name.replace("-", "_")
        order = ["rack", "scalable-unit", "pod", "hall", "building", "site"]
        for index, tier in enumerate(fabric.tiers):
            loc = ("fabrics", key, "tiers", index)
            yield from _known((*loc, "switch"), "switch model", tier.switch, models)
            if tier.name in first:
                yield Mistake(
                    (*loc, "name"),
                    f"two tiers are named `{tier.name}`",
                    f"the other is in {first[tier.name]}",
                )
            first.setdefault(tier.name, f"fabrics.{key}")
            if index and order.index(tier.per) < order.index(fabric.tiers[index - 1].per):
                message = f"is counted per {tier.per}, the tier below it per {fabric.tiers[index - 1].per}"
                yield Mistake((*loc, "per"), message, "a tier's block holds the blocks of the tier below")
            if index == 0 and tier.per not in {"rack", "scalable-unit", "pod"}:
                message = f"the tier that machines are cabled to is counted per {tier.per}"
                yield Mistake((*loc, "per"), message, "use rack, scalable-unit or pod")
        for index, leaf in enumerate(fabric.leaves):
            loc = ("fabrics", key, "leaves", index)
            yield from _known((*loc, "switch"), "switch model", leaf.switch, models)
            if leaf.name in first:
                message, hint = f"two tiers are named `{leaf.name}`", f"the other is in {first[leaf.name]}"
                yield Mistake((*loc, "name"), message, hint)
            first.setdefault(leaf.name, f"fabrics.{key}")


def _references(site: Site) -> Iterator[Mistake]:
    every = tuple(server.name for server in site.servers if server.count)
    servers = tuple(server.name for server in site.servers if server.count and server.per == "site")
    own: tuple[Loc, ...] = (("servers",),)
    for field in ("ntp", "dns", "registry", "monitoring"):
        name = getattr(site.services, field)
        if name is not None:
            yield from _site_servers(("services", field), name, servers, every)
    yield from _rollout(site, servers, every)
    for index, tier in enumerate(site.storage.tiers):
        if tier.servers is not None:
            loc = ("storage", "tiers", index, "servers")
            if tier.kind == "nfs":
                yield from _site_servers(loc, tier.servers, servers, every)
            else:
                yield from _known(loc, "servers", tier.servers, every, own)
    if site.schedulers.slurm:
        controller = site.schedulers.slurm.controller
        yield from _site_servers(("schedulers", "slurm", "controller"), controller, servers, every)
    if site.cooling and site.cooling.cooler:
        yield from _known(("cooling", "cooler"), "cooler", site.cooling.cooler, catalog.names("coolers"))
    yield from _zones(site)


def _zones(site: Site) -> Iterator[Mistake]:
    """Allowed pairs name zones and ports that there are."""
    zones = tuple(zone.name for zone in site.security.zones)
    declared: tuple[Loc, ...] = (("security", "zones"),)
    for index, allow in enumerate(site.security.allow):
        yield from _known(("security", "allow", index, "source"), "zone", allow.source, zones, declared)
        yield from _known(("security", "allow", index, "target"), "zone", allow.target, zones, declared)
        for number, (_, first, last) in enumerate(allow.spans()):
            if not 1 <= first <= last <= LAST_PORT:
                message = f"`{allow.ports[number]}` is no port and no range of ports"
                yield Mistake(
                    ("security", "allow", index, "ports", number), message, f"ports go from 1 to {LAST_PORT}"
                )


def _site_servers(loc: Loc, name: str, known: tuple[str, ...], every: tuple[str, ...]) -> Iterator[Mistake]:
    """Servers that all pods use are the site's."""
    if name in every and name not in known:
        message = f"`{name}` are servers of each pod, but the whole site uses these"
        yield Mistake(loc, message, f"the site's are: {', '.join(known) or 'none'}", (("servers",),))
    else:
        yield from _known(loc, "servers", name, known, (("servers",),))


def _rollout(site: Site, servers: tuple[str, ...], every: tuple[str, ...]) -> Iterator[Mistake]:
    """Who logs in to every machine of the site are its management servers."""
    cluster = site.services.rollout
    if cluster is None:
        return
    own: tuple[Loc, ...] = (("servers",),)
    yield from _site_servers(("services", "rollout", "scheduler"), cluster.scheduler, servers, every)
    yield from _known(("services", "rollout", "workers"), "servers", cluster.workers, every, own)
    known = [server.name for server in site.servers if server.count and server.role == "management"]
    for part, name in (("scheduler", cluster.scheduler), ("workers", cluster.workers)):
        if name in every and name not in known:
            message = f"`{name}` are no management servers"
            hint = f"these are: {', '.join(known) or 'none'}"
            yield Mistake(("services", "rollout", part), message, hint, own)


def _unique(site: Site) -> Iterator[Mistake]:
    groups: list[tuple[Loc, str, str, tuple[object, ...]]] = [
        (("servers",), "name", "servers", tuple(s.name for s in site.servers)),
        (("users",), "name", "users", tuple(u.name for u in site.users)),
        (("users",), "uid", "users", tuple(u.uid for u in site.users)),
        (("storage", "tiers"), "name", "storage tiers", tuple(t.name for t in site.storage.tiers)),
        (("drivers",), "platform", "drivers", tuple(d.platform for d in site.drivers)),
        (("phases",), "name", "phases", tuple(p.name for p in site.phases)),
        (("security", "zones"), "name", "zones", tuple(z.name for z in site.security.zones)),
    ]
    for loc, key, word, values in groups:
        seen: Counter[object] = Counter()
        for index, value in enumerate(values):
            if seen[value]:
                message = f"two {word} have the {key} `{value}`"
                yield Mistake((*loc, index, key), message, "give each its own", (loc,))
            seen[value] += 1


def _with_known_platforms(site: Site) -> Site:
    """The site with unknown platforms replaced by the nearest known ones, so that sizes can be judged too."""
    known = catalog.names("platforms")

    def nearest(name: str) -> str:
        return name if name in known else (difflib.get_close_matches(name, known, 1) or [known[0]])[0]

    def mended(rack: Rack) -> Rack:
        platform = nearest(rack.platform) if rack.platform else None
        trays = tuple(entry.model_copy(update={"platform": nearest(entry.platform)}) for entry in rack.trays)
        return rack.model_copy(update={"platform": platform, "trays": trays})

    layout = site.layout.model_copy(update={"rack": mended(site.layout.rack)})
    exceptions = tuple(
        entry.model_copy(update={"rack": mended(entry.rack)}) if entry.rack else entry
        for entry in site.exceptions
    )
    servers = tuple(entry.model_copy(update={"platform": nearest(entry.platform)}) for entry in site.servers)
    return site.model_copy(update={"layout": layout, "exceptions": exceptions, "servers": servers})
