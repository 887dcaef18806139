"""Decisions that templates print."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import machines as hand
import pytest

from infra.plan.tables.machines import Role
from infra.render import machine_facts, render_files, site_facts
from infra.render.exports import mount_unit
from infra.render.routing import switch_number
from infra.render.scheduler import slurm_facts, tray_of
from infra.render.site_facts import gid_of
from infra.spec import load_site
from infra.spec.services import Partition, Slurm

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("path", ["/shared", "/srv/a-b/c.d", "/x_y/ü", "/a b"])
def test_mount_units_are_named_as_systemd_names_them(path):
    escaped = subprocess.run(
        ["systemd-escape", "--path", "--suffix=mount", path], capture_output=True, text=True, check=True
    )
    assert mount_unit(path) == escaped.stdout.strip()


def test_hosts_reach_the_fabric_from_their_loopback_through_their_switch(facts, site):
    tray = facts[hand.TRAYS[0]]
    assert {route.destination for route in tray.routes} == set(site.fabric)
    assert {route.gateway for route in tray.routes} == {"10.64.0.0"}
    assert tray.routing is None


def test_services_are_reached_past_the_rails(hand_made, site):
    tray = hand_made[hand.TRAYS[0]]
    (north,) = tray.nics
    rail = replace(
        north, name="rail0", fabric="east-west", kind="east-west", rail=0,
        address="10.65.0.1/31", peer_address="10.65.0.0",
    )  # fmt: skip
    facts = machine_facts(replace(tray, nics=(rail, north)), hand_made, site)
    assert {route.link for route in facts.routes} == {north.name}
    assert facts.rails == ()


def test_what_a_rail_sends_leaves_by_it(hand_made, site):
    tray = hand_made[hand.TRAYS[0]]
    (north,) = tray.nics
    rail = replace(
        north, name="rail0", fabric="east-west", kind="east-west", rail=0,
        address="10.65.0.1/31", peer_address="10.65.0.0",
    )  # fmt: skip
    routed = replace(site, asn_bases={**site.asn_bases, "east-west": 4200000000})
    (table,) = machine_facts(replace(tray, nics=(rail, north)), hand_made, routed).rails
    assert (table.source, table.gateway, table.link) == ("10.65.0.1", "10.65.0.0", "rail0")
    assert table.destinations == site.fabric


def test_a_switch_routes_to_hosts_and_speaks_bgp_to_switches(facts):
    leaf, spine = facts[hand.LEAF].routing, facts[hand.SPINE].routing
    assert [(route.destination, route.gateway) for route in leaf.statics] == [
        ("10.255.0.1/32", "10.64.0.1"),
        ("10.255.0.2/32", "10.64.0.3"),
        ("10.255.0.3/32", "10.64.0.5"),
        ("10.255.0.4/32", "10.64.0.7"),
    ]
    assert [(peer.link, peer.name) for peer in leaf.neighbors] == [("data4", hand.SPINE)]
    assert [(peer.link, peer.name) for peer in spine.neighbors] == [("data0", hand.LEAF)]
    assert leaf.asn != spine.asn
    assert leaf.router_id != spine.router_id


def test_only_switches_forward(facts):
    forward = {
        name: {setting.key: setting.value for setting in found.settings}["net.ipv4.ip_forward"]
        for name, found in facts.items()
    }
    assert {name for name, value in forward.items() if value == "1"} == {hand.LEAF, hand.SPINE}


def test_links_between_switches_have_no_addresses_but_link_local_ones(facts):
    leaf = facts[hand.LEAF]
    assert [port.name for port in leaf.switch.neighbors] == ["data4"]
    assert {link.name: link.link_local for link in leaf.links}["data4"] == "ipv6"


def test_switches_of_a_fabric_with_a_subnet_manager_do_not_route(hand_made, site):
    facts = machine_facts(
        hand_made[hand.LEAF],
        hand_made,
        replace(site, asn_bases={}, network=replace(site.network, routing={"north-south": "subnet-manager"})),
    )
    assert facts.routing is None
    assert not [file for file in render_files(facts, site) if "/frr/" in file.path]


def test_numbers_of_switches_with_ipv6_loopbacks_differ_between_pods():
    found = {switch_number(f"fd10:1:{pod:x}::{last:x}") for pod in range(55) for last in (1, 0xC9, 0x400)}
    assert len(found) == 55 * 3
    # RFC 6996: private AS numbers are 4200000000 to 4294967294
    assert all(4_200_000_000 + number <= 4_294_967_294 for number in found)


def test_groups_keep_their_numbers_when_others_come():
    assert gid_of("research") == gid_of("research")
    assert len({gid_of(f"group-{number}") for number in range(50)}) == 50
    assert 65_536 < gid_of("research") < 524_288


def test_a_site_knows_its_services(site):
    assert site.time_servers == ("10.255.0.4",)
    assert [(mount.address, mount.export, mount.mount) for mount in site.mounts] == [
        ("10.255.0.3", "/srv/shared", "/shared")
    ]
    assert {user.name for user in site.users} == {"ada", "grace"}


def test_a_site_without_storage_servers_mounts_nothing(hand_made):
    rest = [machine for machine in hand_made.values() if machine.name != hand.STORE]
    assert site_facts(load_site("lab"), rest).mounts == ()


def _trays(racks: int, per_rack: int):
    first = next(tray_of(machine) for machine in hand.machines() if machine.name == hand.TRAYS[0])
    return [
        replace(first, name=f"t-{rack}-{slot}", rack=f"rack-{rack}", su=f"su-{rack // 8}", pod="pod-01")
        for rack in range(racks)
        for slot in range(per_rack)
    ]


SLURM = Slurm(cluster="c", controller="head", partitions=(Partition(name="main"),))


def test_block_sizes_of_a_pod_of_16_su_of_8_racks_of_18_trays():
    # the sizes that Slurm accepts for topology/block: each a power of two of the one before
    found = slurm_facts(SLURM, "c", ("h", "10.0.0.1"), _trays(racks=128, per_rack=18))
    assert found.block_sizes == (18, 144, 2304)
    assert len(found.blocks) == 128


def test_levels_that_slurm_would_refuse_are_left_out():
    found = slurm_facts(SLURM, "c", ("h", "10.0.0.1"), _trays(racks=6, per_rack=18))
    assert found.block_sizes == (18,)


def test_stand_ins_promise_less_memory_than_they_have(site):
    assert all(node.memory_mib < 640 and node.cpus == 1 for node in site.slurm.nodes)


def test_accelerators_of_unknown_kind_are_counts_and_no_device_is_guessed(site, real_machines):
    assert [line.source for line in site.slurm.gres] == ["Name=gpu Count=4"]
    assert not site.slurm.gpu_devices
    real = hand.facts_of_site(load_site("lab"), tuple(real_machines.values())).slurm
    assert [line.source for line in real.gres] == ["Name=gpu Count=4"]
    assert not real.gpu_devices
    assert all(node.cpus is None and node.memory_mib is None for node in real.nodes)


@pytest.mark.parametrize(
    ("platform", "stood_in", "wanted"),
    [
        ("gb300-nvl72", True, "AutoDetect=nvml"),
        ("gb300-nvl72", False, "AutoDetect=nvml"),
        ("lab-tray", True, "AutoDetect=nvml"),
        ("mi355x", False, "AutoDetect=rsmi"),
        # Nothing of ROCm is emulated: a stand-in for an AMD tray has numbers and no devices.
        ("mi355x", True, "Name=gpu Count=4"),
    ],
)
def test_slurm_finds_accelerators_by_their_platforms_interface(hand_made, platform, stood_in, wanted):
    trays = [
        tray_of(replace(one, platform=platform, stand_in=one.stand_in if stood_in else None))
        for one in hand_made.values()
        if one.role is Role.TRAY
    ]
    found = slurm_facts(SLURM, "c", ("h", "10.0.0.1"), trays)
    assert [line.source for line in found.gres] == [wanted]
    assert found.gpu_devices == wanted.startswith("AutoDetect")


def test_no_cluster_without_trays():
    assert slurm_facts(SLURM, "c", ("h", "10.0.0.1"), []) is None
