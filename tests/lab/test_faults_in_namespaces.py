"""Faults of a fabric of two rails, with time to converge and packets lost."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from infra.lab import namespaces
from infra.render.matrix import Matrix, endpoints
from infra.render.network.cabling import End, Seen, compare
from infra.render.network.drains import drain_waves
from infra.verify.packets import send

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site
from test_fabric_in_namespaces import asn, established, loopback, next_hops, switches, wait_until
from traffic import Traffic

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces with FRR need root"),
]

NEAR, FAR = "pod-01-su-01-rack-01-tray-01", "pod-01-su-02-rack-01-tray-01"
LEAF, SPINE, OTHER_SPINE = "pod-01-su-01-leaf-01", "pod-01-spine-01", "pod-01-spine-02"
CONVERGED_S = 10.0
"""Most seconds that traffic with another path may lose datagrams for: BFD's three times 300 ms, with room for
a machine that runs everything else at the same time."""
BACK_S = 60.0


@pytest.fixture(scope="module")
def site():
    return fabric_site.planned_rails()


@pytest.fixture(scope="module")
def ends(site):
    return {(end.machine, end.interface): end for end in endpoints(site)}


@pytest.fixture(scope="module")
def fabric(site, tmp_path_factory):
    nodes, cables = fabric_site.nodes_of(site)
    with namespaces.running(
        f"gf{os.getpid() % 10000}", tmp_path_factory.mktemp("fabric"), nodes, cables
    ) as it:
        yield it


@pytest.fixture(autouse=True)
def whole(fabric):
    """Every test begins and ends with all sessions and all paths."""
    wait_until(lambda: is_whole(fabric), BACK_S)
    yield
    wait_until(lambda: is_whole(fabric), BACK_S)


def is_whole(fabric):
    leaves, spines = switches(fabric, "su-"), switches(fabric, "spine")
    if not all(len(established(fabric, leaf)) == 2 for leaf in leaves):
        return False
    return all(
        len(next_hops(fabric, leaf, other)) == 2 for leaf in leaves for other in leaves if other != leaf
    ) and all(len(established(fabric, spine)) == 4 for spine in spines)


def cable(fabric, a, z):
    return next(one for one in fabric.cables if (one.a, one.z) == (a, z))


def tell(what, outcome, **seconds):
    times = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    print(f"{what}: {len(outcome.lost)} of {outcome.sent} lost over {outcome.gap:.1f} s; {times}")


@pytest.mark.parametrize(
    ("machine", "port"),
    [(NEAR, "rail0"), (NEAR, "data0"), ("rails-storage", "data0")],
    ids=["rail", "data port", "server"],
)
def test_a_hosts_cable_takes_what_it_carries_and_nothing_else(fabric, site, ends, machine, port):
    """Unplugged at the switch: the host's other cables lose nothing, and what it carried comes back."""
    own = next(one for one in fabric.cables if (one.a, one.a_port) == (machine, port))
    other = "rail1"
    peer = ends[FAR, port] if port == "rail0" else ends[FAR, "data0"]
    door = ("tcp", 2049 if "storage" in machine else 7000)

    def answers():
        asked = [(peer, ends[machine, port], *door)]
        (found,) = send(fabric.shell, Matrix(site.site), asked, patience=(1, 1)).probes
        return found.passed

    with (
        Traffic(fabric, ends[NEAR, other], ends[FAR, other]) as beside,
        Traffic(fabric, peer, ends[NEAR, port]) if machine == NEAR else ExitStack() as through,
    ):
        fabric.link(own.z, own.z_port, "down")
        began = time.monotonic()
        assert not answers()
        time.sleep(1)
        fabric.link(own.z, own.z_port, "up")
        back = wait_until(answers, BACK_S)
        dark = time.monotonic() - began
    tell(f"{machine} {port}: other cables", beside.outcome, back=back)
    assert beside.outcome.lost == []
    if machine == NEAR:
        tell(f"{machine} {port}: what it carried", through.outcome, dark=dark)
        assert through.outcome.lost
        assert through.outcome.gap < dark + CONVERGED_S


def test_an_uplink_is_left_at_once_and_taken_again(fabric, ends):
    up = cable(fabric, LEAF, SPINE)
    with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as traffic:
        fabric.link(LEAF, up.a_port, "down")
        left = wait_until(lambda: len(next_hops(fabric, LEAF, "pod-01-su-02-leaf-01")) == 1, CONVERGED_S)
        time.sleep(1)
        fabric.link(LEAF, up.a_port, "up")
        back = wait_until(lambda: is_whole(fabric), BACK_S)
    tell("uplink", traffic.outcome, left=left, back=back)
    assert traffic.outcome.gap < CONVERGED_S + back
    assert len(traffic.outcome.lost) < traffic.outcome.sent / 4


def test_a_spine_that_dies_leaves_its_traffic_to_the_other(fabric, ends):
    with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as traffic:
        for one in fabric.cables:
            if one.z == SPINE:
                fabric.link(SPINE, one.z_port, "down")
        fabric.stop_daemons(SPINE)
        left = wait_until(
            lambda: all(len(next_hops(fabric, leaf, FAR)) <= 1 for leaf in switches(fabric, "su-01")),
            CONVERGED_S,
        )
        time.sleep(2)
    tell("spine killed", traffic.outcome, left=left)
    assert traffic.outcome.gap < CONVERGED_S
    for one in fabric.cables:
        if one.z == SPINE:
            fabric.link(SPINE, one.z_port, "up")
    fabric.start_daemons(SPINE)
    print(f"spine back in {wait_until(lambda: is_whole(fabric), BACK_S):.1f} s")


def test_fifty_flaps_end_as_if_there_had_been_none(fabric, ends):
    up = cable(fabric, LEAF, SPINE)
    before = dict(fabric.processes)
    with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as traffic:
        for _ in range(50):
            fabric.link(LEAF, up.a_port, "down")
            time.sleep(0.05)
            fabric.link(LEAF, up.a_port, "up")
            time.sleep(0.05)
        back = wait_until(lambda: is_whole(fabric), BACK_S)
    tell("50 flaps", traffic.outcome, back=back)
    assert len(traffic.outcome.lost) < traffic.outcome.sent / 4
    assert fabric.processes == before
    assert all(Path(f"/proc/{pid}").exists() for pids in before.values() for pid in pids)


def test_a_wrong_mtu_on_one_side_is_named_and_loses_only_what_is_too_long(fabric, ends):
    """Sessions stay: nothing but long packets, and the comparison of both ends, tells of it."""
    up, other = cable(fabric, LEAF, SPINE), cable(fabric, LEAF, OTHER_SPINE)
    fabric.link(LEAF, other.a_port, "down")
    wait_until(lambda: len(established(fabric, LEAF)) == 1, CONVERGED_S)
    wait_until(lambda: len(next_hops(fabric, LEAF, "pod-01-su-02-leaf-01")) == 1, CONVERGED_S)
    fabric.run(LEAF, "ip", "link", "set", up.a_port, "mtu", "1400")
    try:
        with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as short:
            time.sleep(1)
        with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"], size=1450) as long:
            time.sleep(1)
        assert len(established(fabric, LEAF)) == 1
        mtus = {node: mtu(fabric, node, port) for node, port in ((up.a, up.a_port), (up.z, up.z_port))}
    finally:
        fabric.run(LEAF, "ip", "link", "set", up.a_port, "mtu", "1500")
        fabric.link(LEAF, other.a_port, "up")
    a, z = End(up.a, up.a_port), End(up.z, up.z_port)
    (fault,) = compare([(a, z, None)], [Seen(a, z, mtu=mtus[up.a]), Seen(z, a, mtu=mtus[up.z])]).faults
    tell("wrong MTU, short", short.outcome)
    tell("wrong MTU, long", long.outcome)
    assert short.outcome.lost == []
    assert len(long.outcome.lost) == long.outcome.sent
    assert fault.message == f"{a} – {z} has an MTU of 1400 bytes at {LEAF} and 1500 at {SPINE}"


def mtu(fabric, node, port):
    (found,) = json.loads(fabric.run(node, "ip", "-j", "link", "show", port).stdout)
    return found["mtu"]


def origins(fabric, node, address):
    """AS numbers that a node hears an address from."""
    found = json.loads(fabric.vtysh(node, f"show bgp ipv4 unicast {address}/32 json") or "{}")
    return {
        path["aspath"]["string"].split()[-1] for path in found.get("paths", []) if path["aspath"]["string"]
    }


def test_a_duplicate_address_is_heard_from_two_switches_and_hurts_no_host(fabric, ends):
    twin = "pod-01-su-02-leaf-01"
    address = loopback(fabric, LEAF)
    assert origins(fabric, SPINE, address) == {asn(fabric, LEAF)}
    with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as traffic:
        fabric.run(twin, "ip", "addr", "add", f"{address}/32", "dev", "lo")
        both = {asn(fabric, LEAF), asn(fabric, twin)}
        heard = wait_until(lambda: origins(fabric, SPINE, address) == both, CONVERGED_S)
        fabric.run(twin, "ip", "addr", "del", f"{address}/32", "dev", "lo")
        gone = wait_until(lambda: origins(fabric, SPINE, address) == {asn(fabric, LEAF)}, CONVERGED_S)
    tell("duplicate address", traffic.outcome, heard=heard, gone=gone)
    assert traffic.outcome.lost == []


def test_a_leaf_with_last_months_configuration_is_found_and_mended(fabric, ends):
    """It knew one spine then: half its paths are missing until it is told what the plan says."""
    own = fabric.nodes[LEAF]
    port = cable(fabric, LEAF, OTHER_SPINE).a_port
    old = re.sub(rf"^ neighbor {port} .*\n", "", own.frr, flags=re.MULTILINE)
    with Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as traffic:
        fabric.stop_daemons(LEAF)
        fabric.nodes[LEAF] = replace(own, frr=old)
        fabric.start_daemons(LEAF)
        there = wait_until(lambda: established(fabric, LEAF) == [cable(fabric, LEAF, SPINE).a_port], BACK_S)
        planned = {one.a_port for one in fabric.cables if one.a == LEAF}
        assert planned - set(established(fabric, LEAF)) == {port}
        fabric.nodes[LEAF] = own
        fabric.configure(LEAF)
        back = wait_until(lambda: is_whole(fabric), BACK_S)
    tell("last month's configuration", traffic.outcome, there=there, back=back)
    assert len(traffic.outcome.lost) < traffic.outcome.sent


def test_a_rolling_upgrade_never_takes_a_hosts_last_path(fabric, ends, site):
    """Drain by graceful shutdown, restart with another configuration, undrain; wave after wave."""
    drains = drain_waves(site)
    assert set(drains.alone) == {"pod-01-ns-leaf-01"}
    assert {switch for wave in drains.waves for switch in wave} == set(switches(fabric, "")) - set(
        drains.alone
    )
    began = time.monotonic()
    with (
        Traffic(fabric, ends[NEAR, "rail0"], ends[FAR, "rail0"]) as first,
        Traffic(fabric, ends[NEAR, "rail1"], ends[FAR, "rail1"]) as second,
    ):
        for wave in drains.waves:
            for switch in wave:
                shut(fabric, switch, "bgp graceful-shutdown")
            time.sleep(1)
            for switch in wave:
                node = fabric.nodes[switch]
                changed = node.frr.replace("log syslog informational", "log syslog notifications")
                fabric.nodes[switch] = replace(node, frr=changed)
                fabric.stop_daemons(switch)
                fabric.start_daemons(switch)
                shut(fabric, switch, "no bgp graceful-shutdown")
            wait_until(lambda: is_whole(fabric), BACK_S)
    seconds = time.monotonic() - began
    tell("rolling upgrade, rail 1", first.outcome, all=seconds)
    tell("rolling upgrade, rail 2", second.outcome, all=seconds)
    both = [t for t in first.outcome.lost if any(abs(t - other) < 0.05 for other in second.outcome.lost)]
    assert not both, f"{len(both)} moments without any rail"


def shut(fabric, switch, line):
    words = ("-c", "configure terminal", "-c", f"router bgp {asn(fabric, switch)}", "-c", line)
    fabric.run(switch, "vtysh", "--vty_socket", namespaces.RUN / fabric.space(switch), *words)
