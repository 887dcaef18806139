"""Mistakes that types cannot see: names that refer to nothing, one slot used twice, ranges that are too small."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections import Counter
from typing import TYPE_CHECKING

from infra.spec import catalog, forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.layout import Rack
    from infra.spec.site import Site

Mistake = tuple["Loc", str, str | None]
"""Location, message, hint."""


def mistakes(site: Site) -> Iterator[Mistake]:
    """All mistakes of a declaration whose types are right."""
    racks: list[tuple[Loc, Rack]] = [(("layout", "rack"), site.layout.rack)]
    racks += [(("exceptions", i, "rack"), e.rack) for i, e in enumerate(site.exceptions) if e.rack]
    sound = True
    for loc, rack in racks:
        for mistake in _rack(loc, rack):
            sound = False
            yield mistake
    for index, server in enumerate(site.servers):
        yield from _known(
            ("servers", index, "platform"), "platform", server.platform, catalog.names("platforms")
        )
        if server.attach:
            yield from _place(("servers", index, "attach"), server.attach, site)
    yield from _fabrics(site)
    yield from _references(site)
    yield from _unique(site)
    for index, exception in enumerate(site.exceptions):
        yield from _place(("exceptions", index, "at"), exception.at, site)
        if exception.missing and "-rack-" not in exception.at:
            yield (
                ("exceptions", index, "missing"),
                "empty slots need a rack",
                "write `at: pod-01-su-01-rack-01`",
            )
    for index, phase in enumerate(site.phases):
        if phase.pods > site.layout.pods:
            message = f"{phase.pods} pods in service, but the layout has {site.layout.pods}"
            yield ("phases", index, "pods"), message, f"at most {site.layout.pods}"
    if sound:
        yield from _addresses(site)


def _known(loc: Loc, kind: str, name: str, known: tuple[str, ...]) -> Iterator[Mistake]:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}"
        yield loc, f"unknown {kind} `{name}`", hint


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
                yield (*here, "slots"), message, f"slot {free} is free"
            taken.setdefault(slot, index)
    if not unknown:
        form = forms.form_of(rack)
        if form.top - 1 > form.height:
            message = f"needs {form.top - 1} rack units, the rack has {form.height}"
            yield loc, message, "take trays out"


_PLACE = re.compile(r"^pod-(\d+)(?:-su-(\d+)(?:-rack-(\d+))?)?$")


def _place(loc: Loc, name: str, site: Site) -> Iterator[Mistake]:
    match = _PLACE.match(name)
    assert match, "the type's pattern has been checked"
    limits = [("pods", site.layout.pods), ("scalable units in a pod", site.layout.scalable_units_per_pod)]
    if site.layout.racks_per_scalable_unit:
        limits.append(("racks in a scalable unit", site.layout.racks_per_scalable_unit))
    for text, (word, limit) in zip(match.groups(), limits, strict=False):
        if text is not None and not 1 <= int(text) <= limit:
            yield loc, f"there is no `{name}`", f"the layout has {limit} {word}"
            return


def _fabrics(site: Site) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    models = catalog.names("switches")
    for key in ("east_west", "north_south", "out_of_band"):
        fabric = getattr(site.fabrics, key)
        if fabric is None:
            continue
        order = ["rack", "scalable-unit", "pod", "hall", "building", "site"]
        for index, tier in enumerate(fabric.tiers):
            loc = ("fabrics", key, "tiers", index)
            yield from _known((*loc, "switch"), "switch model", tier.switch, models)
            if tier.name in first:
                yield (
                    (*loc, "name"),
                    f"two tiers are named `{tier.name}`",
                    f"the other is in {first[tier.name]}",
                )
            first.setdefault(tier.name, f"fabrics.{key}")
            if index and order.index(tier.per) < order.index(fabric.tiers[index - 1].per):
                message = f"is counted per {tier.per}, the tier below it per {fabric.tiers[index - 1].per}"
                yield (*loc, "per"), message, "a tier's block holds the blocks of the tier below"


def _references(site: Site) -> Iterator[Mistake]:
    servers = tuple(server.name for server in site.servers)
    for field in ("ntp", "dns", "registry", "monitoring"):
        name = getattr(site.services, field)
        if name is not None:
            yield from _known(("services", field), "servers", name, servers)
    for index, tier in enumerate(site.storage.tiers):
        if tier.servers is not None:
            yield from _known(("storage", "tiers", index, "servers"), "servers", tier.servers, servers)
    if site.schedulers.slurm:
        yield from _known(
            ("schedulers", "slurm", "controller"), "servers", site.schedulers.slurm.controller, servers
        )
    if site.cooling and site.cooling.cooler:
        yield from _known(("cooling", "cooler"), "cooler", site.cooling.cooler, catalog.names("coolers"))
    zones = tuple(zone.name for zone in site.security.zones)
    for index, allow in enumerate(site.security.allow):
        yield from _known(("security", "allow", index, "source"), "zone", allow.source, zones)
        yield from _known(("security", "allow", index, "target"), "zone", allow.target, zones)


def _unique(site: Site) -> Iterator[Mistake]:
    groups: list[tuple[Loc, str, str, tuple[object, ...]]] = [
        (("servers",), "name", "servers", tuple(s.name for s in site.servers)),
        (("users",), "name", "users", tuple(u.name for u in site.users)),
        (("users",), "uid", "users", tuple(u.uid for u in site.users)),
        (("storage", "tiers"), "name", "storage tiers", tuple(t.name for t in site.storage.tiers)),
        (("phases",), "name", "phases", tuple(p.name for p in site.phases)),
        (("security", "zones"), "name", "zones", tuple(z.name for z in site.security.zones)),
    ]
    for loc, key, word, values in groups:
        seen: Counter[object] = Counter()
        for index, value in enumerate(values):
            if seen[value]:
                yield (*loc, index, key), f"two {word} have the {key} `{value}`", "give each its own"
            seen[value] += 1


def _addresses(site: Site) -> Iterator[Mistake]:
    """Whether each pod's block holds what the pod needs, and the supernet all pods and the site's own block."""
    needs = pod_needs(site)
    for pool, key, need in (
        ("management", "management_pod", needs["management"]),
        ("loopbacks", "loopback_pod", needs["loopbacks"]),
        ("links", "link_pod", needs["links"]),
    ):
        text = getattr(site.addresses, pool)
        if text is None:
            continue
        network, prefix = ipaddress.ip_network(text), getattr(site.addresses, key)
        if prefix < network.prefixlen or prefix > network.max_prefixlen:
            message = f"/{prefix} for each pod does not lie in {network}"
            yield ("addresses", key), message, f"/{network.prefixlen} to /{network.max_prefixlen}"
            continue
        size, blocks = 2 ** (network.max_prefixlen - prefix), 2 ** (prefix - network.prefixlen)
        if need > size:
            fits = network.max_prefixlen - (need - 1).bit_length()
            message = f"address range too small: a pod needs {need:,} addresses, /{prefix} has {size:,}"
            yield ("addresses", key), message, f"/{fits} fits"
        elif site.layout.pods + 1 > blocks:
            wanted = prefix - site.layout.pods.bit_length()
            message = (
                f"address range too small: {network} has {blocks:,} blocks of /{prefix},"
                f" {site.layout.pods} pods and the site need {site.layout.pods + 1:,}"
            )
            yield (
                ("addresses", pool),
                message,
                f"a /{wanted} fits" if wanted >= 0 else "make the pods' blocks smaller",
            )


def pod_needs(site: Site) -> dict[str, int]:
    """Addresses that one pod's block must hold, by pool, by the layout's rule (exceptions are no larger)."""
    layout = site.layout
    racks, _ = forms.racks_per_unit(layout)
    rack_forms = [forms.form_of(layout.rack)] + [forms.form_of(e.rack) for e in site.exceptions if e.rack]
    capacity = max(form.capacity for form in rack_forms)
    nodes = layout.scalable_units_per_pod * racks * capacity
    nics = max(
        (sum(group.count for group in catalog.platform(slot.platform).node.nics)
         for form in rack_forms for slot in form.slots), default=0,
    )  # fmt: skip
    management = max(management_ports(form) for form in rack_forms)
    switches = 4096  # switch loopbacks have their own quarter of the block; the plan places them there
    return {
        "management": layout.scalable_units_per_pod * racks * management,
        "loopbacks": nodes + (switches if nodes > switches else 16),
        "links": 2 * nodes * nics + 2 * sum(server.count for server in site.servers),
    }


def management_ports(form: forms.Form) -> int:
    """Cables of one rack to the out-of-band network."""
    nodes = sum(catalog.platform(slot.platform).node.management_ports for slot in form.slots)
    return nodes + sum(companion.count * companion.management_ports for companion, _ in form.companions)
