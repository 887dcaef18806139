"""Host ports: what racks and servers of some pods need on a fabric's first tier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.spec import catalog, forms, rooms, sizes

if TYPE_CHECKING:
    from infra.spec.fabric import Fabric
    from infra.spec.layout import Rack
    from infra.spec.site import Site
    from infra.spec.sizes import PodSize


def rack_of(site: Site, fabric: Fabric) -> Rack:
    """The rack that a fabric's host ports are counted by: the layout's, or another that all its pods have.

    Exceptions else do not count: one row of other racks must not change how many switches every row has.
    """
    if fabric.pods is None:
        return site.layout.rack
    other = sizes.racks(site)
    racks = [other.get(pod, site.layout.rack) for pod in fabric.scope(site.layout.pods)]
    return racks[0] if site.layout.rack not in racks else site.layout.rack


def kinds_in(site: Site, fabric: Fabric) -> list[tuple[PodSize, Rack]]:
    """Sizes and racks of the pods of a fabric: those of the layout's size, then each other size."""
    own, scope = sizes.sizes(site), fabric.scope(site.layout.pods)
    inside = [pod for pod in own if pod in scope]
    racks = sizes.racks(site) if inside else {}
    found = [(sizes.rule(site.layout), rack_of(site, fabric))] if len(inside) < len(scope) else []
    found += [(own[pod], racks.get(pod, site.layout.rack)) for pod in inside]
    # Pods that one exception covers share its rack.
    return list({(size, id(rack)): (size, rack) for size, rack in found}.values())


def nics_on(form: forms.Form, kind: str) -> int:
    """NICs that a node of a rack has on a kind of fabric; management ports of the rack for out-of-band."""
    if kind == "out-of-band":
        return management_room(form)
    return max(
        (
            sum(group.count for group in catalog.platform(slot.platform).node.nics if group.fabric == kind)
            for slot in form.slots
        ),
        default=0,
    )


def management_ports(form: forms.Form) -> int:
    """Cables of one rack to the out-of-band network."""
    nodes = sum(catalog.platform(slot.platform).node.management_ports for slot in form.slots)
    return nodes + sum(companion.count * companion.management_ports for companion, _ in form.companions)


def management_width(form: forms.Form) -> int:
    """Management ports that each slot of a rack has room for."""
    return max((catalog.platform(slot.platform).node.management_ports for slot in form.slots), default=0)


def management_room(form: forms.Form) -> int:
    """Ports of the out-of-band network that one rack has room for, its empty slots included."""
    nodes = form.capacity * management_width(form)
    return nodes + sum(companion.count * companion.management_ports for companion, _ in form.companions)


def endpoints(site: Site, name: str, fabric: Fabric) -> int:
    """Host ports that a first-tier block must take on each rail and plane, by the layout's rule."""
    per, kind = fabric.tiers[0].per, fabric.kind or name
    each = [(size, _ports(fabric, kind, rack)) for size, rack in kinds_in(site, fabric)]
    trays = max(
        ports * {"rack": 1, "scalable-unit": size.racks}.get(per, size.units * size.racks)
        for size, (_, ports) in each
    )
    if kind == "out-of-band":
        return trays
    lanes = each[0][1][0]
    pods = fabric.scope(site.layout.pods)
    attached = {server.attach for server in site.servers if server.attach} - {None}
    names = [name for name in sorted(attached) if int(name[4:]) - 1 in pods]
    servers = max(
        (
            rooms.end(groups)
            for pod in ("", *names)
            if (groups := groups_in(site, fabric, kind, pod))
            and sum(count * own for count, own in groups) > lanes * _missing(site, pod, per)
        ),
        default=0,
    )
    return trays + servers


def _ports(fabric: Fabric, kind: str, rack: Rack) -> tuple[int, int]:
    """Ports of one rail that a tray of a rack takes on a fabric, and that the whole rack does."""
    form = forms.form_of(rack)
    lanes = math.ceil(nics_on(form, kind) / fabric.rails)
    return lanes, lanes if kind == "out-of-band" else lanes * form.capacity


def hosts_of(site: Site, name: str, fabric: Fabric) -> list[int]:
    """Host ports on each rail and plane of all trays of each pod of a fabric."""
    own, racks, kind = sizes.sizes(site), sizes.racks(site), fabric.kind or name
    rule = (sizes.rule(site.layout), rack_of(site, fabric))
    kinds = [
        (own[pod], racks.get(pod, site.layout.rack)) if pod in own else rule
        for pod in fabric.scope(site.layout.pods)
    ]
    ports = {id(rack): rack for _, rack in kinds}
    each = {key: _ports(fabric, kind, rack)[1] for key, rack in ports.items()}
    return [size.units * size.racks * each[id(rack)] for size, rack in kinds]


def groups_in(site: Site, fabric: Fabric, kind: str, pod: str) -> list[tuple[int, int]]:
    """Servers of each group on a pod's first tier, and ports of a rail that each takes.

    Args:
        site: the declaration.
        fabric: one of it.
        kind: of the fabric.
        pod: name of the pod; an empty one has no servers attached.
    """
    elsewhere = {name for leaf in fabric.leaves for name in leaf.servers}
    return [
        (server.count, ports_of(server.platform, kind, fabric.rails))
        for server in site.servers
        if (server.per == "pod" or server.attach == (pod or "no pod")) and server.name not in elsewhere
    ]


def ports_of(platform: str, kind: str, rails: int) -> int:
    """Ports of a rail that a server's NICs of a kind take."""
    own = sum(group.count for group in catalog.platform(platform).node.nics if group.fabric == kind)
    return math.ceil(own / rails)


def _missing(site: Site, pod: str, per: str) -> int:
    """Slots of a pod's first block that exceptions leave empty: servers may have their ports."""
    if not pod:
        return 0
    first = {"rack": f"{pod}-su-01-rack-01-", "scalable-unit": f"{pod}-su-01-"}.get(per, f"{pod}-")
    return sum(
        len(set(exception.missing)) for exception in site.exceptions if f"{exception.at}-".startswith(first)
    )
