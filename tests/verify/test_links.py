"""Links: every planned data interface has its name, address and a cable with something at its other end."""

from __future__ import annotations

import pytest

INTERFACES = "ip -json address"

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.asks(INTERFACES)]


@pytest.fixture
def interfaces(shell):
    """Interfaces of the machine by name."""
    return {entry["ifname"]: entry for entry in shell.json(INTERFACES)}


def test_interfaces(interfaces, facts):
    """Its data interfaces have their planned names, hardware addresses and MTU."""
    for link in facts.links:
        assert link.name in interfaces, f"no interface {link.name}"
        assert interfaces[link.name]["address"] == link.mac
        assert interfaces[link.name]["mtu"] == link.mtu


def test_cables(interfaces, facts):
    """Every planned cable is plugged in at this end."""
    dark = [
        f"{link.name} (to {link.peer})"
        for link in facts.links
        if link.peer and "LOWER_UP" not in interfaces.get(link.name, {}).get("flags", ())
    ]
    assert not dark, f"no carrier on {', '.join(dark)}"


def test_addresses(interfaces, facts):
    """Its interfaces and its loopback have their planned addresses."""
    found = {
        f"{name} {inner['local']}/{inner['prefixlen']}"
        for name, entry in interfaces.items()
        for inner in entry["addr_info"]
    }
    wanted = {f"{link.name} {link.address}" for link in facts.links if link.address}
    if facts.loopback_network:
        wanted.add(f"lo {facts.loopback_network}")
    assert wanted <= found, f"missing {', '.join(sorted(wanted - found))}"
