"""Tenants of an Ethernet fabric, in the configuration of each system of switches and on Linux below FRR."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from infra.errors import Problems
from infra.plan import machines_of, plan
from infra.plan.tables.machines import Role
from infra.render import machine_facts, network, render_files, site_facts
from infra.render.matrix import Matrix, endpoints
from infra.render.network import printing
from infra.render.network.tenants import vrf_column, vrf_of_machine
from infra.spec import catalog, load_text, tiers
from tests.unit.network.test_rendering import judge_sonic

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))

import fabric_site

pytestmark = pytest.mark.unit

LEAF, OTHER, SPINE = "pod-01-su-01-leaf-01", "pod-01-su-03-leaf-01", "pod-01-spine-01"
MODELS = {"sonic": "ns-128x400g", "nvue": "eth-64x800g", "eos": "eth-32x100g"}


def printed(text, system="frr"):
    """Files of each switch, as if it ran a system; the fast engine and the reference agree on them."""
    whole = plan(load_text(text))
    common = network.common_of(whole)
    found = {}
    for switch in network.switches_of(whole):
        ports = tiers.port_names(catalog.switch(MODELS[system]), 1) if system in MODELS else None
        if system == "eos":
            ports = [f"Ethernet{number + 1}" for number in range(32)]
        profile = replace(
            switch.profile,
            system=system,
            ports=tuple(
                replace(port, name=ports[port.number] if ports else port.name)
                for port in switch.profile.ports
            ),
        )
        other = replace(switch, profile=profile)
        ((_, files),) = network.print_switches([other], common)
        facts = network.build(profile, switch.values, common)
        assert files == printing.print_facts(facts, printing.slow)
        found[switch.name] = files
    return found


@pytest.fixture(scope="module")
def machines():
    """Facts of each machine, and of the site."""
    whole = plan(load_text(fabric_site.TENANTS))
    found = {machine.name: machine for machine in machines_of(whole)}
    site = site_facts(whole.site, tuple(found.values()), network=network.common_of(whole))
    return {name: machine_facts(machine, found, site) for name, machine in found.items()}, site


@pytest.mark.parametrize("system", ["frr", "sonic"])
def test_frr_takes_vrfs_and_evpn(system, tmp_path):
    assert shutil.which("vtysh"), "vtysh is not installed: see gigasite doctor"
    for name, files in printed(fabric_site.TENANTS, system).items():
        file = tmp_path / f"{name}.conf"
        file.write_text(files["frr.conf"])
        done = subprocess.run(["vtysh", "-C", "-f", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("advertise-all-vni" in files["frr.conf"]) is ("leaf" in name)
        assert "address-family l2vpn evpn" in files["frr.conf"]


def test_a_system_without_a_template_for_vrfs_is_told(monkeypatch):
    known = catalog.system
    monkeypatch.setattr(catalog, "system", lambda name: known(name).model_copy(update={"vrf": False}))
    with pytest.raises(Problems) as told:
        load_text(fabric_site.TENANTS)
    lines = str(told.value).splitlines()
    assert len(lines) == 2, "leaf and spine"
    assert "runs FRR on Debian (stand-ins), which has no template that puts `tenants` into VRFs" in lines[0]


def test_a_tenant_that_goes_changes_nothing_of_the_others():
    both = printed(fabric_site.TENANTS)
    alone = printed(re.sub(r"      - \{name: red.*\n", "", fabric_site.TENANTS))
    assert both[OTHER] == alone[OTHER]
    assert both[SPINE] == alone[SPINE]
    text = both[LEAF]["frr.conf"]
    for block in re.findall(
        r"(?ms)^(vrf Vrf-blue$.*?^exit-vrf|router bgp [0-9]+ vrf Vrf-blue$.*?^exit)$", text
    ):
        assert block in alone[LEAF]["frr.conf"]
    assert "Vrf-red" not in alone[LEAF]["frr.conf"]


def test_without_tenants_no_word_of_them_is_said():
    text = re.sub(r"    tenants:\n(      - .*\n)+", "", fabric_site.TENANTS)
    for system in ("frr", *MODELS):
        for files in printed(text, system).values():
            assert not re.search(r"(?i)evpn|vxlan|vrf-", "".join(files.values()))


def test_sonic_has_a_vlan_and_a_tunnel_for_each_vrf():
    found = printed(fabric_site.TENANTS, "sonic")
    content = json.loads(found[LEAF]["config_db.json"])
    judge_sonic(content)
    assert content["VRF"] == {"Vrf-blue": {"vni": "5001"}, "Vrf-red": {"vni": "5002"}}
    assert content["VXLAN_TUNNEL"]["vtep"]["src_ip"] == "10.255.1.1"
    assert content["VXLAN_EVPN_NVO"]["nvo"]["source_vtep"] in content["VXLAN_TUNNEL"]
    vlans = {entry["vni"]: entry["vlan"] for entry in content["VXLAN_TUNNEL_MAP"].values()}
    assert {vrf: content["VLAN_INTERFACE"][vlans[entry["vni"]]] for vrf, entry in content["VRF"].items()} == {
        vrf: {"vrf_name": vrf} for vrf in content["VRF"]
    }
    assert set(vlans.values()) == set(content["VLAN"])
    assert [content["INTERFACE"][f"Ethernet{lane}"].get("vrf_name") for lane in (0, 4, 8)] == [
        "Vrf-blue", "Vrf-red", None,
    ]  # fmt: skip
    assert "VRF" not in json.loads(found[SPINE]["config_db.json"])


def test_nvue_has_the_vrfs_and_their_routes():
    found = printed(fabric_site.TENANTS, "nvue")
    (entry,) = YAML(typ="safe", pure=True).load(found[LEAF]["startup.yaml"])
    said = entry["set"]
    assert said["nve"]["vxlan"]["source"] == {"address": "10.255.1.1"}
    assert set(said["vrf"]) == {"default", "Vrf-blue", "Vrf-red"}
    blue = said["vrf"]["Vrf-blue"]
    assert blue["evpn"]["vni"] == {"5001": {}}
    assert blue["router"]["bgp"]["route-import"]["from-evpn"]["route-target"] == {"64512:5001": {}}
    assert list(blue["router"]["static"]) == ["10.255.1.16/32"]
    assert [said["interface"][f"swp{port}"]["ip"].get("vrf") for port in (1, 2, 3)] == [
        "Vrf-blue", "Vrf-red", None,
    ]  # fmt: skip
    (entry,) = YAML(typ="safe", pure=True).load(found[SPINE]["startup.yaml"])
    assert entry["set"]["evpn"] == {"enable": "on"}
    assert "nve" not in entry["set"]
    assert entry["set"]["vrf"]["default"]["router"]["bgp"]["peer-group"]["fabric"]["address-family"][
        "l2vpn-evpn"
    ]


def test_eos_has_the_vrfs_and_their_routes():
    found = printed(fabric_site.TENANTS, "eos")
    text = found[LEAF]["startup-config"]
    assert "interface Ethernet1\n   description pod-01-su-01-rack-01-tray-01 data0\n" in text
    assert re.search(r"interface Ethernet1\n(   .*\n)*   vrf Vrf-blue\n   ip address", text)
    assert "\nip route vrf Vrf-blue 10.255.1.16/32 Ethernet1 10.64.1.1\n" in text
    assert "\n   vxlan vrf Vrf-red vni 5002\n" in text
    assert re.search(
        r"\n   vrf Vrf-red\n      rd 10.255.1.1:[0-9]+\n      route-target import evpn 64512:5002\n", text
    )
    assert "bgp next-hop-unchanged" in found[SPINE]["startup-config"]
    assert "vrf" not in found[SPINE]["startup-config"]


def test_a_machine_is_in_the_tenant_of_its_place():
    places = {"pod-01": "Vrf-a", "pod-02-su-01": "Vrf-b", "pod-02-su-02-rack-03": "Vrf-c"}
    names = {
        "pod-01-su-09-rack-01-tray-01": "Vrf-a",
        "pod-01-storage-01": "Vrf-a",
        "pod-011-storage-01": "",
        "pod-02-su-01-rack-07-tray-02": "Vrf-b",
        "pod-02-su-02-rack-03-tray-02": "Vrf-c",
        "pod-02-su-02-rack-04-tray-02": "",
        "site-head-01": "",
    }
    assert {name: vrf_of_machine(name, places) for name in names} == names
    frame = pl.DataFrame({"a": list(names)}).select(vrf_column("a", places).alias("vrf"))
    assert frame["vrf"].to_list() == list(names.values())


def test_the_matrix_denies_between_tenants_whatever_zones_say():
    whole = plan(load_text(fabric_site.TENANTS))
    blue, red, free, far = (
        next(
            end
            for end in endpoints(whole)
            if end.machine == f"pod-01-{rack}-tray-01" and end.interface == "lo"
        )
        for rack in ("su-01-rack-01", "su-01-rack-02", "su-01-rack-03", "su-03-rack-01")
    )
    matrix = Matrix(whole.site)
    assert matrix.decide_ends(blue, far, "tcp", 22).allowed
    for one, other in ((blue, red), (red, blue), (blue, free), (free, red)):
        decided = matrix.decide_ends(one, other, "tcp", 22)
        assert not decided.allowed
        assert "nothing joins them: lo is on north-south" in decided.reason
    assert "Vrf-blue" in matrix.decide_ends(blue, red, "tcp", 22).reason


def test_the_firewall_of_a_leaf_lets_tunnels_in_from_switches_alone(tmp_path):
    tenants = "    tenants: [{name: blue, vni: 5001, places: [pod-01-su-01]}]\n"
    text = fabric_site.RAILS.replace("    rails: 2\n", f"    rails: 2\n{tenants}")
    whole = plan(load_text(text))
    found = {machine.name: machine for machine in machines_of(whole)}
    site = site_facts(whole.site, tuple(found.values()), network=network.common_of(whole))
    (leaf,) = (name for name in found if name.startswith("pod-01-su-01-leaf") and name.endswith("01"))
    facts = machine_facts(found[leaf], found, site)
    rules = next(one.text for one in render_files(facts, site) if one.path == "/etc/nftables.conf")
    sessions = [neighbor.link for neighbor in facts.routing.neighbors]
    assert re.findall(r'iifname "(.*)" udp dport 4789', rules) == sessions
    # Linux hands on what a host of a tenant says as coming by the VRF.
    assert '"Vrf-blue" } tcp dport 22 accept' in rules
    (tmp_path / "rules").write_text(rules)
    assert subprocess.run(["nft", "--check", "--file", tmp_path / "rules"], check=False).returncode == 0


def test_linux_has_the_devices_that_frr_speaks_of(machines):
    facts, site = machines
    files = {file.path: file.text for file in render_files(facts[LEAF], site)}
    folder = "/etc/systemd/network/15-gigasite-"
    assert {path.removeprefix(folder) for path in files if path.startswith(folder)} == {
        f"{name}.{kind}"
        for name in ("Vrf-blue", "br5001", "vni5001", "Vrf-red", "br5002", "vni5002")
        for kind in ("netdev", "network")
    }
    assert "Local=10.255.1.1\n" in files[f"{folder}vni5001.netdev"]
    tables = {
        re.search(r"Table=([0-9]+)", files[f"{folder}Vrf-{name}.netdev"])[1] for name in ("blue", "red")
    }
    assert len(tables) == 2
    ports = "/etc/systemd/network/20-gigasite-data{}.network"
    assert [re.findall(r"^VRF=(.*)$", files[ports.format(port)], re.MULTILINE) for port in range(4)] == [
        ["Vrf-blue"], ["Vrf-red"], [], [],
    ]  # fmt: skip
    assert not [path for path in (file.path for file in render_files(facts[SPINE], site)) if folder in path]
    for name, machine in facts.items():
        if machine.role != Role.SWITCH:
            assert not [link for link in machine.links if link.vrf], name
