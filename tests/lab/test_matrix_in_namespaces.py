"""The connectivity matrix by packets: two rails, a data network, servers, switches with their firewalls."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from infra.lab import namespaces
from infra.render.matrix import ROCE, Matrix, compare_probes, endpoints
from infra.verify.packets import every_packet, ports_of, send

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site
from test_fabric_in_namespaces import next_hops, switches, wait_until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces with FRR need root"),
]


def knock(fabric, site, asked):
    """Send packets between nodes; the fabric's own switches and hosts answer."""
    sent = send(fabric.shell, Matrix(site.site), asked, patience=(4, 20))
    assert not sent.held
    return sent.probes


@pytest.fixture(scope="module")
def site():
    return fabric_site.planned_rails()


@pytest.fixture(scope="module")
def fabric(site, tmp_path_factory):
    nodes, cables = fabric_site.nodes_of(site)
    with namespaces.running(
        f"gx{os.getpid() % 10000}", tmp_path_factory.mktemp("fabric"), nodes, cables
    ) as it:
        last = [name for name, node in it.nodes.items() if "tray" in name][-1]
        first = switches(it, "su-01-leaf")
        wait_until(lambda: all(len(next_hops(it, leaf, last)) == 2 for leaf in first))
        yield it


@pytest.fixture(scope="module")
def ends(site):
    return endpoints(site)


@pytest.fixture(scope="module")
def probes(fabric, ends, site):
    return knock(fabric, site, every_packet(ends, ports_of(Matrix(site.site))))


def test_every_pair_is_as_the_matrix_says(probes, ends, site):
    found = compare_probes(Matrix(site.site), probes)
    passed = sum(probe.passed for probe in probes)
    print(
        f"{len(probes):,} packets between {len(ends)} addresses: {passed:,} got through; {len(found)} wrong"
    )
    assert not found, "\n".join(found[:20])
    assert passed > 0


def test_roce_crosses_each_rail_in_both_directions(probes):
    rails = {
        (probe.source.machine, probe.target.machine, probe.source.interface)
        for probe in probes
        if probe.passed and (probe.protocol, probe.port) == ("udp", ROCE)
        and probe.source.interface == probe.target.interface != "lo"
    }  # fmt: skip
    trays = {name for name, _, _ in rails}
    assert len(trays) == 4
    for one in trays:
        for other in trays - {one}:
            assert {(one, other, "rail0"), (one, other, "rail1")} <= rails


def test_a_deny_that_leaks_and_an_allow_that_fails_name_both_ends_and_the_rule(fabric, ends, site):
    """One machine loses its firewall, another drops what it should let in."""
    tray, head, storage = (
        next(end for end in ends if word in end.machine and end.interface == "lo")
        for word in ("tray-01", "head", "storage")
    )
    rules = (fabric.nodes[name].filter for name in (head.machine, storage.machine))
    fabric.run(storage.machine, "nft", "flush", "chain", "inet", "gigasite", "input")
    fabric.run(storage.machine, "nft", "add", "chain", "inet", "gigasite", "input", "{ policy accept ; }")
    fabric.run(
        head.machine, "nft", "insert", "rule", "inet", "gigasite", "input", "udp", "dport", "123", "drop"
    )
    try:
        asked = [(tray, storage, "tcp", 22), (tray, storage, "tcp", 2049), (tray, head, "udp", 123)]
        found = compare_probes(Matrix(site.site), knock(fabric, site, asked))
    finally:
        for name, text in zip((head.machine, storage.machine), rules, strict=True):
            fabric.run(name, "nft", "-f", "-", stdin=text)
    ends_of = [
        f"{tray.machine} lo ({tray.address}) → {one.machine} lo ({one.address})" for one in (storage, head)
    ]
    leak = f"a deny leaks: {ends_of[0]} tcp/22: compute may reach only tcp/2049 of storage [$.security.allow]"
    failure = f"an allow fails: {ends_of[1]} udp/123: scheduler and time [$.security.allow[1]]"
    assert found == [leak, failure]


def test_switches_with_firewalls_watch_their_neighbors_by_bfd(fabric):
    for name in switches(fabric, "spine"):
        peers = json.loads(fabric.vtysh(name, "show bfd peers json"))
        assert len(peers) == 4
        assert {peer["status"] for peer in peers} == {"up"}, name
