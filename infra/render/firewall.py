"""Who may reach a machine: the declaration's zones and their matrix as rules for nftables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.zones import link_ranges, loopback_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Role
    from infra.spec.site import Site

COMMENT = 128
"""Bytes of a comment that nftables takes."""


@dataclass(frozen=True, slots=True)
class Zone:
    """Machines of some roles.

    Attributes:
        name: as an nftables set is called after `zone_`; alone, `log` or `ip` would be words of the language.
        family: of its addresses, `ip` or `ip6`.
        ranges: `first-last` of its machines' loopbacks on the whole site: machines talk by those.
        links: `first-last` of their links, of which the odd addresses are theirs: RDMA talks by those.
        link_family: of the links' addresses.
        link_bit: the address that tells odd from even.
        roles: of its machines.
    """

    name: str
    family: str
    ranges: tuple[str, ...]
    links: tuple[str, ...]
    link_family: str
    link_bit: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inbound:
    """Networks and ports that one zone may reach.

    Attributes:
        zone: where it comes from.
        protocol: `tcp` or `udp`; ICMP is let in from everywhere.
        ports: one port or a range.
        reason: as declared.
    """

    zone: str
    protocol: str
    ports: str
    reason: str


@dataclass(frozen=True, slots=True)
class Firewall:
    """Rules of inbound traffic; everything else is dropped.

    Attributes:
        data: data interfaces; by any other comes administration.
        sessions: interfaces with a routing daemon at their other end.
        rules: from zones.
    """

    data: tuple[str, ...]
    sessions: tuple[str, ...]
    rules: tuple[Inbound, ...]


def zones_of(site: Site) -> tuple[Zone, ...]:
    """The declared zones."""
    if not site.security.zones:
        return ()
    ranges, links = loopback_ranges(site), link_ranges(site)
    six = ":" in str(site.addresses.links)
    return tuple(
        Zone(
            name=_identifier(zone.name),
            family="ip6" if ":" in str(site.addresses.loopbacks) else "ip",
            ranges=tuple(one for role, ones in ranges.items() if role in zone.roles for one in ones),
            links=tuple(one for role, ones in links.items() if role in zone.roles for one in ones),
            link_family="ip6" if six else "ip",
            link_bit="::1" if six else "0.0.0.1",
            roles=tuple(zone.roles),
        )
        for zone in site.security.zones
    )


def allowed_inbound(site: Site) -> dict[str, tuple[Inbound, ...]]:
    """Map each zone to what it lets in."""
    found: dict[str, list[Inbound]] = {_identifier(zone.name): [] for zone in site.security.zones}
    for allow in site.security.allow:
        for text in allow.ports:
            protocol, _, ports = text.partition("/")
            if ports:
                rule = Inbound(_identifier(allow.source), protocol, ports, _comment(allow.reason))
                found[_identifier(allow.target)].append(rule)
    return {name: tuple(rules) for name, rules in found.items()}


def firewall_of(
    role: Role,
    data: Sequence[str],
    sessions: Sequence[str],
    zones: Sequence[Zone],
    matrix: dict[str, tuple[Inbound, ...]],
) -> Firewall | None:
    """Derive a machine's firewall; None on a site that declares no zone for it: everything is let in.

    Args:
        role: its role.
        data: its data interfaces.
        sessions: those with a routing daemon at their other end.
        zones: of the site.
        matrix: see `allowed`.
    """
    own = [zone.name for zone in zones if role in zone.roles]
    if not own:
        return None
    rules = tuple(rule for name in own for rule in matrix[name])
    return Firewall(tuple(data), tuple(sessions), rules)


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _comment(reason: str) -> str:
    plain = " ".join(reason.replace('"', "'").split())
    return plain.encode()[:COMMENT].decode(errors="ignore")
