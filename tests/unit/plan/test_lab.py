"""The lab's machines: what the stand-ins, the inventory and the checks build on."""

from __future__ import annotations

import ipaddress

import pytest

from infra.plan import Role, machines_of, plan
from infra.spec import load_site

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def machines():
    return machines_of(plan(load_site("lab")))


def test_machines_of_the_lab(machines):
    assert [(m.name, m.role) for m in machines] == [
        ("lab-head", Role.MANAGEMENT),
        ("lab-storage", Role.STORAGE),
        ("pod-01-leaf-01", Role.SWITCH),
        ("pod-01-su-01-rack-01-tray-01", Role.TRAY),
        ("pod-01-su-01-rack-01-tray-02", Role.TRAY),
    ]


def test_site_level_and_pod_make_the_whole(machines):
    lab = plan(load_site("lab"))
    assert (*machines_of(lab, site_level=True), *machines_of(lab, "pod-01")) == machines


def test_every_cable_has_both_ends_and_agrees(machines):
    by_name = {m.name: m for m in machines}
    for machine in machines:
        assert machine.nics
        for nic in machine.nics:
            peer = by_name[nic.peer[0]]
            [other] = [n for n in peer.nics if n.name == nic.peer[1]]
            assert other.peer == (machine.name, nic.name)
            assert other.udp == tuple(reversed(nic.udp))
            assert other.address.split("/")[0] == nic.peer_address
            own = ipaddress.ip_interface(nic.address)
            assert own.network.prefixlen == 31
            assert ipaddress.ip_address(nic.peer_address) in own.network


def test_ports_macs_and_loopbacks_are_used_once(machines):
    tcp = [m.bmc.port for m in machines] + [m.stand_in.ssh_port for m in machines]
    udp = [nic.udp[0] for m in machines for nic in m.nics]
    assert len(set(tcp)) == len(tcp)
    assert len(set(udp)) == len(udp)
    assert all(20000 <= port < 32768 for port in tcp + udp)
    macs = [nic.mac for m in machines for nic in m.nics]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs), "locally administered, unicast"
    assert len({m.loopback for m in machines}) == len(machines)
    assert len({m.uuid for m in machines}) == len(machines)


def test_sizes_of_stand_ins(machines):
    sizes = {m.name: m.stand_in.memory_mib for m in machines}
    assert sizes["lab-head"] == 640
    assert sizes["pod-01-leaf-01"] == 640
