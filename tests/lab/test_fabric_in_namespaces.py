"""The Ethernet fabric with FRR's own daemons, in network namespaces: no machine is booted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.lab import namespaces
from infra.render.network.hops import paths_between

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces with FRR need root"),
]

LIMIT_S = 60
"""From nothing to every host reaching every other."""

# Sends numbered datagrams to an echo server and prints which came back.
SEND = """
import socket, sys, time
target, source, count, gap = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((source, 0)); own.setblocking(False)
back = set()
def take():
    while True:
        try: back.add(int(own.recv(64)))
        except BlockingIOError: return
        except OSError: pass
for number in range(count):
    try: own.sendto(str(number).encode(), (target, 4791))
    except OSError: pass
    time.sleep(gap); take()
time.sleep(1.0); take()
print(count - len(back))
"""
ECHO = """
import socket, sys
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((sys.argv[1], 4791))
while True:
    text, peer = own.recvfrom(64)
    own.sendto(text, peer)
"""


def loopback(fabric, node):
    return next(a.split("/")[0] for port, a in fabric.nodes[node].addresses if port == "lo")


def hosts(fabric):
    return [name for name, node in fabric.nodes.items() if node.frr is None]


def switches(fabric, word):
    return [name for name, node in fabric.nodes.items() if node.frr is not None and word in name]


def established(fabric, node):
    found = json.loads(fabric.vtysh(node, "show bgp ipv4 unicast summary json") or "{}")
    return [name for name, peer in found.get("peers", {}).items() if peer["state"] == "Established"]


def routes(fabric, node):
    return json.loads(fabric.vtysh(node, "show ip route json"))


def next_hops(fabric, node, target):
    entries = routes(fabric, node).get(f"{loopback(fabric, target)}/32", [{"nexthops": []}])
    return [hop["interfaceName"] for hop in entries[0]["nexthops"] if hop.get("active") and hop.get("fib")]


def wait_until(what, limit=LIMIT_S):
    """Seconds until it is true."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > limit:
            pytest.fail(f"not true after {limit} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


class Traffic:
    """Datagrams between two hosts while something happens; `lost` afterwards."""

    def __init__(self, fabric, one, other, seconds=8.0):
        self.fabric, self.one, self.other, self.count = fabric, one, other, int(seconds / 0.02)
        self.lost = None

    def __enter__(self):
        f = self.fabric
        words = [sys.executable, "-c", ECHO, loopback(f, self.other)]
        self.echo = subprocess.Popen(["ip", "netns", "exec", f.space(self.other), *words])
        time.sleep(0.3)
        self.thread = threading.Thread(target=self.send)
        self.thread.start()
        time.sleep(1.0)
        return self

    def send(self):
        f = self.fabric
        done = f.run(self.one, sys.executable, "-c", SEND, loopback(f, self.other), loopback(f, self.one),
                     str(self.count), "0.02")  # fmt: skip
        self.lost = int(done.stdout)

    def __exit__(self, *_):
        self.thread.join()
        self.echo.kill()
        self.echo.wait()


@pytest.fixture(scope="module")
def pod():
    return fabric_site.planned()


@pytest.fixture(scope="module")
def fabric(pod, tmp_path_factory):
    nodes, cables = fabric_site.nodes_of(pod)
    began = time.monotonic()
    with namespaces.running(
        f"gs{os.getpid() % 10000}", tmp_path_factory.mktemp("fabric"), nodes, cables
    ) as it:
        leaves, spines = switches(it, "leaf"), switches(it, "spine")
        assert (len(leaves), len(spines), len(hosts(it))) == (16, 8, 32)
        last = hosts(it)[-1]
        wait_until(lambda: all(len(next_hops(it, leaf, last)) == 8 for leaf in leaves[:-1]))
        it.seconds = time.monotonic() - began
        yield it


def test_it_converges_within_a_minute(fabric):
    print(f"16 leaves, 8 spines and 32 hosts after {fabric.seconds:.1f} s")
    assert fabric.seconds <= LIMIT_S
    for node in switches(fabric, "leaf"):
        assert len(established(fabric, node)) == 8
    for node in switches(fabric, "spine"):
        assert len(established(fabric, node)) == 16


def test_every_leaf_has_as_many_next_hops_as_the_plan_has_paths(fabric, pod):
    tray = hosts(fabric)
    leaf = {cable.a: cable.z for cable in fabric.cables if cable.a in tray}
    for target in (tray[1], tray[17], tray[31]):
        for source in (tray[0], tray[16], tray[30]):
            (paths,) = paths_between(pod.whole(), source, target)
            assert len(next_hops(fabric, leaf[source], target)) == paths.count
            hops = [hop.port for hop in paths.first if hop.device == leaf[source]]
            assert hops[0] in next_hops(fabric, leaf[source], target)


def test_every_host_reaches_every_other(fabric):
    """One datagram to each of the 31 others from each host, answered."""
    names = hosts(fabric)
    echoes = [
        subprocess.Popen(
            ["ip", "netns", "exec", fabric.space(n), sys.executable, "-c", ECHO, loopback(fabric, n)]
        )
        for n in names
    ]
    ask = (
        "import socket, sys\n"
        "own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); own.settimeout(3)\n"
        "own.bind((sys.argv[1], 0)); left = set(sys.argv[2:])\n"
        "for turn in range(3):\n"
        "    for target in sorted(left): own.sendto(b'1', (target, 4791))\n"
        "    try:\n"
        "        while left: left.discard(own.recvfrom(64)[1][0])\n"
        "    except OSError: pass\n"
        "print(*sorted(left))\n"
    )
    try:
        time.sleep(3)
        for name in names:
            others = [loopback(fabric, other) for other in names if other != name]
            done = fabric.run(name, sys.executable, "-c", ask, loopback(fabric, name), *others)
            assert done.stdout.split() == [], f"{name} does not reach all"
    finally:
        for echo in echoes:
            echo.kill()
            echo.wait()


def test_an_unplugged_cable_costs_little_and_its_path_comes_back(fabric):
    one, other = hosts(fabric)[0], hosts(fabric)[31]
    leaf = next(cable.z for cable in fabric.cables if cable.a == one)
    up = next(cable for cable in fabric.cables if cable.a == leaf)
    with Traffic(fabric, one, other) as traffic:
        fabric.link(leaf, up.a_port, "down")
        seconds = wait_until(lambda: len(next_hops(fabric, leaf, other)) == 7, 15)
    fabric.link(leaf, up.a_port, "up")
    back = wait_until(lambda: len(next_hops(fabric, leaf, other)) == 8, 45)
    print(f"unplugged: converged in {seconds:.1f} s, back in {back:.1f} s; {traffic.lost} lost")
    assert traffic.lost < traffic.count / 4


def test_a_spine_that_falls_silent_is_left_by_bfd(fabric):
    """Its daemons are frozen: TCP sees nothing for as long as the hold time, BFD misses three packets."""
    one, other = hosts(fabric)[2], hosts(fabric)[29]
    leaf = next(cable.z for cable in fabric.cables if cable.a == one)
    spine = switches(fabric, "spine")[3]
    with Traffic(fabric, one, other) as traffic:
        fabric.freeze(spine)
        seconds = wait_until(lambda: len(next_hops(fabric, leaf, other)) == 7, 20)
    fabric.thaw(spine)
    back = wait_until(lambda: len(next_hops(fabric, leaf, other)) == 8, 60)
    print(f"spine silent: left after {seconds:.1f} s, back in {back:.1f} s; {traffic.lost} lost")
    assert seconds < 5, "the hold time of BGP alone is 9 s"


def test_a_spine_whose_daemons_die_comes_back_with_its_configuration(fabric):
    other = hosts(fabric)[29]
    leaf = switches(fabric, "leaf")[1]
    spine = switches(fabric, "spine")[4]
    fabric.stop_daemons(spine)
    wait_until(lambda: len(next_hops(fabric, leaf, other)) == 7, 20)
    fabric.start_daemons(spine)
    wait_until(lambda: len(next_hops(fabric, leaf, other)) == 8, 60)


def test_a_drained_spine_loses_nothing(fabric):
    """A rolling change: drain by BGP (graceful shutdown), take the spine away, bring it back."""
    one, other = hosts(fabric)[4], hosts(fabric)[27]
    leaf = next(cable.z for cable in fabric.cables if cable.a == one)
    spine = switches(fabric, "spine")[5]
    drain = (
        "-c",
        "configure terminal",
        "-c",
        f"router bgp {asn(fabric, spine)}",
        "-c",
        "bgp graceful-shutdown",
    )
    with Traffic(fabric, one, other) as traffic:
        fabric.run(spine, "vtysh", "--vty_socket", namespaces.RUN / fabric.space(spine), *drain)
        wait_until(lambda: len(next_hops(fabric, leaf, other)) == 7, 15)
        for cable in fabric.cables:
            if cable.z == spine:
                fabric.link(spine, cable.z_port, "down")
    assert traffic.lost == 0, f"{traffic.lost} of {traffic.count}"
    for cable in fabric.cables:
        if cable.z == spine:
            fabric.link(spine, cable.z_port, "up")
    undrain = (*drain[:-1], "no bgp graceful-shutdown")
    fabric.run(spine, "vtysh", "--vty_socket", namespaces.RUN / fabric.space(spine), *undrain)
    wait_until(lambda: len(next_hops(fabric, leaf, other)) == 8, 60)


def asn(fabric, node):
    return re.search(r"^router bgp ([0-9]+)$", fabric.nodes[node].frr, re.MULTILINE)[1]
