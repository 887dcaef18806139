"""Tenants on an Ethernet fabric with FRR's own daemons, in network namespaces: no machine is booted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.lab import namespaces
from infra.plan import plan
from infra.spec import load_text

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces with FRR need root"),
]

LIMIT_S = 30
"""From nothing to every leaf having the routes of its tenants."""

# Answers on each of its addresses, asks those of all others, and says whom it heard and who answered.
TALK = """
import json, select, socket, sys, time
own, others, begin = json.loads(sys.argv[1]), json.loads(sys.argv[2]), float(sys.argv[3])
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in own]
for one, address in zip(sockets, own): one.bind((address, 4791))
heard, answered, turns = set(), set(), [begin, begin + 0.7, begin + 1.4]
while (now := time.time()) < begin + 4:
    if turns and now >= turns[0]:
        turns.pop(0)
        for one, targets in zip(sockets, others):
            for target in targets:
                try: one.sendto(b"ask", (target, 4791))
                except OSError: pass
    for one in select.select(sockets, [], [], 0.05)[0]:
        try: text, (peer, _) = one.recvfrom(64)
        except OSError: continue
        (heard if text == b"ask" else answered).add(peer)
        if text == b"ask": one.sendto(b"answer", (peer, 4791))
print(json.dumps([sorted(heard), sorted(answered)]))
"""


RACKS = {
    "su-01-rack-01": "blue", "su-02-rack-01": "blue", "su-03-rack-01": "blue",
    "su-01-rack-02": "red", "su-02-rack-02": "red",
}  # fmt: skip


def tenant(host):
    """Name of a host's tenant, by its rack; empty for none."""
    return RACKS.get(host[7:20], "")


@pytest.fixture(scope="module")
def pod():
    return plan(load_text(fabric_site.TENANTS)).pod("pod-01")


@pytest.fixture(scope="module")
def fabric(pod, tmp_path_factory):
    nodes, cables = fabric_site.nodes_of(pod)
    began = time.monotonic()
    with namespaces.running(
        f"gt{os.getpid() % 10000}", tmp_path_factory.mktemp("fabric"), nodes, cables
    ) as it:
        wanted = {
            (leaf, vrf.name): {f"{loopback(it, host)}/32" for host in hosts(it) if vrf_of(host) == vrf.name}
            for leaf in leaves(it)
            for vrf in it.nodes[leaf].vrfs
        }
        assert len(wanted) == 5, "two VRFs on two leaves, one on the third"
        wait_until(lambda: all(routes(it, leaf, vrf) >= found for (leaf, vrf), found in wanted.items()))
        everyone = {f"{loopback(it, host)}/32" for host in hosts(it) if not tenant(host)}
        wait_until(lambda: all(routes(it, leaf, "default") >= everyone for leaf in leaves(it)))
        it.seconds = time.monotonic() - began
        yield it


def vrf_of(host):
    return f"Vrf-{tenant(host)}" if tenant(host) else "default"


def hosts(fabric):
    return [name for name, node in fabric.nodes.items() if node.frr is None]


def leaves(fabric):
    return [name for name, node in fabric.nodes.items() if node.frr is not None and "-leaf-" in name]


def spines(fabric):
    return [name for name, node in fabric.nodes.items() if node.frr is not None and "-spine-" in name]


def addresses(fabric, node):
    """Its own and that of its cable."""
    found = sorted(fabric.nodes[node].addresses, key=lambda pair: pair[0] != "lo")
    return [address.split("/")[0] for _, address in found]


def loopback(fabric, node):
    return addresses(fabric, node)[0]


def routes(fabric, node, vrf):
    """Networks that a switch has a route to in a VRF, installed in the kernel."""
    found = json.loads(fabric.vtysh(node, f"show ip route vrf {vrf} json") or "{}")
    return {net for net, entries in found.items() if any(entry.get("installed") for entry in entries)}


def wait_until(what, limit=LIMIT_S):
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > limit:
            pytest.fail(f"not true after {limit} s")
        time.sleep(0.2)


def talk(fabric):
    """Whom each host heard, and who answered it: packets from each to all others, in both directions."""
    names = hosts(fabric)
    assert all(len(addresses(fabric, name)) == 2 for name in names)
    begin = time.time() + 2 + len(names) * 0.1
    running = {}
    for name in names:
        others = [[addresses(fabric, other)[kind] for other in names if other != name] for kind in (0, 1)]
        words = [sys.executable, "-c", TALK, json.dumps(addresses(fabric, name)), json.dumps(others)]
        running[name] = subprocess.Popen(
            ["ip", "netns", "exec", fabric.space(name), *words, str(begin)], stdout=subprocess.PIPE, text=True
        )
    return {name: json.loads(one.communicate(timeout=30)[0]) for name, one in running.items()}


def test_hosts_of_a_tenant_reach_each_other_and_no_others_hear_them(fabric):
    print(f"3 leaves, 2 spines and 9 hosts after {fabric.seconds:.1f} s")
    found = talk(fabric)
    for name, (heard, answered) in found.items():
        peers = [other for other in hosts(fabric) if other != name and tenant(other) == tenant(name)]
        wanted = sorted(address for other in peers for address in addresses(fabric, other))
        assert wanted
        assert heard == wanted, f"{name} of {tenant(name) or 'no tenant'}"
        assert answered == wanted, f"{name} of {tenant(name) or 'no tenant'}"


def test_spines_pass_on_the_routes_of_tenants_and_have_none_of_them(fabric):
    names = [host for host in hosts(fabric) if tenant(host)]
    behind = {cable.a: cable.z for cable in fabric.cables if cable.a in names}
    for spine in spines(fabric):
        table = json.loads(fabric.vtysh(spine, "show bgp l2vpn evpn route type prefix json"))
        found = {}
        for switch in table.values():
            for prefix, entry in switch.items() if isinstance(switch, dict) else ():
                if prefix.startswith("[5]"):
                    ((path,), *_) = entry["paths"]
                    target = path["extendedCommunity"]["string"]
                    found[prefix.split(":")[-1].strip("[]")] = path["nexthops"][0]["ip"], target
        for host in names:
            through, target = found[loopback(fabric, host)]
            assert through == loopback(fabric, behind[host])
            assert f"RT:64512:{5001 if tenant(host) == 'blue' else 5002}" in target
        assert not routes(fabric, spine, "default") & {f"{loopback(fabric, host)}/32" for host in names}


def test_a_leaf_has_only_the_tenants_behind_its_ports(fabric):
    for leaf in leaves(fabric):
        found = json.loads(fabric.vtysh(leaf, "show evpn vni json"))
        wanted = {"5001": "Vrf-blue"} if "su-03" in leaf else {"5001": "Vrf-blue", "5002": "Vrf-red"}
        assert {vni: entry["tenantVrf"] for vni, entry in found.items()} == wanted
        assert {entry["type"] for entry in found.values()} == {"L3"}
