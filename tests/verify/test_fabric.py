"""Fabric: cables end where the plan says, routes are those of the plan, and services are in reach."""

from __future__ import annotations

import ipaddress

import pytest

pytestmark = pytest.mark.proved_on("vm")


@pytest.mark.role("tray", "storage", "management")
def test_cable_ends_at_plan(shell, facts, found):
    """Its cables end at the machine and interface of the plan."""
    links = [link for link in facts.links if link.peer and link.peer_address]
    for link in links:
        shell.run("ping -c 1 -W 10 -I %s %s", link.name, link.peer_address)
    seen = {entry["dst"]: entry.get("lladdr") for entry in shell.json("ip -json neighbour")}
    for link in links:
        peer, interface = link.peer.split(" ")
        wanted = next(nic.mac for nic in found.by_name[peer].nics if nic.name == interface)
        assert seen.get(link.peer_address) == wanted, f"{link.name} does not end at {link.peer}"


@pytest.mark.role("tray", "storage", "management")
def test_routes_of_host(shell, facts):
    """It reaches the fabric through its switch, from its own loopback address."""
    routes = {
        (entry["dst"], entry.get("gateway"), entry.get("prefsrc")) for entry in shell.json("ip -json route")
    }
    wanted = {(route.destination, route.gateway, facts.loopback) for route in facts.routes}
    assert wanted <= routes, f"missing {sorted(wanted - routes)}"


@pytest.mark.role("switch")
def test_routes_of_switch(shell, facts):
    """It routes to every machine behind its ports."""
    routes = shell.json("vtysh -c 'show ip route json'")
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
    if not facts.routing.neighbors:
        pytest.skip("no other switch is on its ports")
    peers = shell.json("vtysh -c 'show bgp ipv4 unicast summary json'").get("peers", {})
    down = [n.name for n in facts.routing.neighbors if peers.get(n.address, {}).get("state") != "Established"]
    assert not down, f"no session to {', '.join(down)}"


@pytest.mark.role("tray", "management", "storage")
def test_services_in_reach(machine, shell, site):
    """It reaches the storage and management servers by their loopbacks."""
    wanted = {*site.time_servers, *(mount.address for mount in site.mounts)} - {machine.loopback}
    assert all(ipaddress.ip_address(address) for address in wanted)
    lost = [address for address in sorted(wanted) if shell.run("ping -c 2 -W 10 %s", address).rc]
    assert not lost, f"no answer from {', '.join(lost)}"
