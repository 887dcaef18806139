"""Fabric: cables end where the plan says, routes are those of the plan, and services are in reach."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.proved_on("vm")

HOSTS = pytest.mark.role("tray", "storage", "management")
# asks each second, ends at the first answer
PING = "ping -c 1 -w 20"
NEIGHBORS = "ip -json neighbour"
ROUTES = "ip -json route"
BGP = "vtysh -c 'show bgp {family} unicast summary json'"
ROUTED = "vtysh -c 'show {} route vrf {} json'"


def routes_of_switch(facts, site):
    """Asks for the routes of each family and VRF that it has static routes of."""
    routed = facts.routing.statics if facts.routing else ()
    vrfs = {link.name: link.vrf or "default" for link in facts.links}
    return tuple(ROUTED.format(*table) for table in sorted({(one.family, vrfs[one.link]) for one in routed}))


def pings_of_cables(facts, site):
    """Asks the other end of each cable, so that its hardware address is known afterwards."""
    return tuple(f"{PING} -I {link.name} {link.peer_address}" for link in _cables(facts))


def pings_of_services(facts, site):
    """Asks the servers that every machine needs."""
    wanted = {*site.time_servers, *(mount.address for mount in site.mounts)} - {facts.loopback}
    return tuple(f"{PING} {address}" for address in sorted(wanted))


def _cables(facts):
    return [link for link in facts.links if link.peer and link.peer_address]


@HOSTS
@pytest.mark.asks.with_args(pings_of_cables, NEIGHBORS)
def test_cable_ends_at_plan(shell, facts, site, found):
    """Its cables end at the machine and interface of the plan."""
    for command in pings_of_cables(facts, site):
        shell.out(command)
    seen = {entry["dst"]: entry.get("lladdr") for entry in shell.json(NEIGHBORS)}
    for link in _cables(facts):
        peer, interface = link.peer.split(" ")
        wanted = next(nic.mac for nic in found.by_name[peer].nics if nic.name == interface)
        assert seen.get(link.peer_address) == wanted, f"{link.name} does not end at {link.peer}"


@HOSTS
@pytest.mark.asks(ROUTES)
def test_routes_of_host(shell, facts):
    """It reaches the fabric through its switch, from its own loopback address."""
    routes = {(entry["dst"], entry.get("gateway"), entry.get("prefsrc")) for entry in shell.json(ROUTES)}
    wanted = {(route.destination, route.gateway, facts.loopback) for route in facts.routes}
    assert wanted <= routes, f"missing {sorted(wanted - routes)}"


@pytest.mark.role("switch")
@pytest.mark.asks.with_args(routes_of_switch)
def test_routes_of_switch(shell, facts, site):
    """It routes to every machine behind its ports."""
    if facts.routing is None:
        pytest.skip("its fabric has a subnet manager")
    routes = {}
    for command in routes_of_switch(facts, site):
        routes |= json.loads(shell.wait(command, lambda _: True))  # once FRR's daemons answer
    missing = [
        route.destination
        for route in facts.routing.statics
        if not any(
            hop.get("ip") == route.gateway and hop.get("fib")
            for entry in routes.get(route.destination, ())
            for hop in entry["nexthops"]
        )
    ]
    assert not missing, f"no route to {', '.join(missing)}"


@pytest.mark.role("switch")
def test_bgp_sessions(shell, facts):
    """Its BGP sessions to other switches are established."""
    if facts.routing is None or not facts.routing.neighbors:
        pytest.skip("no other switch is on its ports")
    down = []
    for family in facts.routing.families:
        text = shell.wait(BGP.format(family=family), lambda text: not _without_session(text, facts))
        down += _without_session(text, facts)
    assert not down, f"no session to {', '.join(down)}"


def _without_session(text, facts):
    """Neighbours to which there is no session."""
    peers = json.loads(text).get("peers", {})
    return [n.name for n in facts.routing.neighbors if peers.get(n.link, {}).get("state") != "Established"]


@HOSTS
@pytest.mark.asks.with_args(pings_of_services)
def test_services_in_reach(shell, facts, site):
    """It reaches the storage and management servers by their loopbacks."""
    commands = pings_of_services(facts, site)
    assert commands
    lost = [command.rsplit(" ", 1)[1] for command in commands if shell.run(command).status]
    assert not lost, f"no answer from {', '.join(lost)}"
