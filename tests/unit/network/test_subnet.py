"""InfiniBand: the plan's cables brought up by a real OpenSM, as planned and with faults in them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from infra.cli import main
from infra.errors import Problems, UserError
from infra.paths import ROOT
from infra.pipeline.fabric_proof import prove
from infra.plan import plan
from infra.render.network import printing
from infra.render.network.manager import FILES, manager_files
from infra.render.network.subnet import guid_of, read_topology, subnet_of, topology
from infra.spec import load, load_site, load_text

pytestmark = pytest.mark.unit

SMALL = """\
name: small
layout:
  pods: 1
  scalable_units_per_pod: 4
  racks_per_scalable_unit: 1
  rack: {platform: gb300-nvl72, nodes: 4}
fabrics:
  east_west:
    rails: 4
    partitions:
      - {name: blue, key: 0x0011, places: [pod-01-su-01]}
      - {name: red, key: 0x0022, places: [pod-01-su-03, pod-01-su-04]}
    tiers:
      - {name: leaf, switch: q3400, per: scalable-unit, count: 1, down: 4, up: 4}
      - {name: spine, switch: q3400, per: pod, count: 4}
servers:
  - {name: head, role: management, platform: server-1u}
services: {domain: small.internal, ntp: head}
addresses: {management: 10.0.0.0/16, management_pod: 20, loopbacks: "fd00:1::/48", loopback_pod: 64}
"""


@pytest.fixture(scope="module")
def small():
    return plan(load_text(SMALL)).pod("pod-01")


def wired(subnet, cables, tmp_path):
    path = tmp_path / "topology"
    path.write_text(topology(replace(subnet, cables=tuple(cables))))
    return path


def test_opensm_brings_up_what_is_planned(small):
    proof = prove(small, "small.pod-01")
    data = proof.data()
    assert proof.holds, data
    assert data["subnet_up"] is True
    assert (data["adapters"], data["switches"]) == (64, 20)
    assert (data["links"], data["links_right"], data["links_missing"], data["links_wrong"]) == (
        128,
        128,
        0,
        0,
    )
    assert data["pairs_without_path"] == 0
    assert data["routes"]["delivered"] == 64 * 63
    assert data["routes"]["longest"] == 3
    assert data["routes"]["worst"] <= 1.05
    assert data["partition_faults"] == []
    assert data["partition_keys_asked"] > 40


def test_a_swapped_pair_is_found_and_named(small, tmp_path):
    subnet = subnet_of(small)
    cables = list(subnet.cables)
    (a, z), (b, y) = cables[0], cables[21]
    cables[0], cables[21] = (a, y), (b, z)
    proof = prove(small, "small.pod-01", wired=wired(subnet, cables, tmp_path))
    (fault,) = proof.cabling.faults
    assert fault.kind == "swapped"
    assert all(str(end) in fault.message for end in (a, b, y, z))
    assert not proof.holds
    assert proof.cabling.wrong == 2


def test_a_missing_spine_is_found_though_all_pairs_have_paths(small, tmp_path):
    subnet = subnet_of(small)
    gone = subnet.roots[0]
    rest = [cable for cable in subnet.cables if gone not in {cable[0].device, cable[1].device}]
    left = replace(subnet, switches={name: n for name, n in subnet.switches.items() if name != gone})
    proof = prove(small, "small.pod-01", wired=wired(left, rest, tmp_path))
    assert (proof.switches, proof.planned_switches) == (19, 20)
    assert proof.cabling.missing == 16
    assert all(gone in fault.message for fault in proof.cabling.faults)
    assert proof.unreachable == 0
    assert not proof.holds


def test_a_cable_in_the_wrong_port_and_a_leaf_that_is_cut_off(small, tmp_path):
    subnet = subnet_of(small)
    cables = list(subnet.cables)
    a, z = cables[3]
    wrong = z._replace(port="100")
    cables[3] = (a, wrong)
    proof = prove(small, "small.pod-01", wired=wired(subnet, cables, tmp_path))
    assert [(fault.kind, str(wrong) in fault.message) for fault in proof.cabling.faults] == [
        ("wrong-port", True)
    ]
    leaf = next(name for name in subnet.switches if name not in subnet.roots)
    kept = [c for c in subnet.cables if leaf not in {c[0].device, c[1].device} or ":" in c[0].device]
    proof = prove(small, "small.pod-01", wired=wired(subnet, kept, tmp_path))
    assert proof.up
    assert proof.adapters == 60
    assert proof.unreachable == 64 * 63 - 60 * 59


def test_keys_that_are_not_as_planned_are_told(small, monkeypatch):
    from infra.pipeline import fabric_proof  # noqa: PLC0415

    real = fabric_proof.manager_files

    def without_red(*args, **more):
        files = real(*args, **more)
        return {**files, "partitions.conf": files["partitions.conf"].split("red=")[0]}

    monkeypatch.setattr(fabric_proof, "manager_files", without_red)
    proof = prove(small, "small.pod-01")
    assert proof.partitions
    assert all("has the keys none, planned 0x0022" in text for text in proof.partitions)
    assert not proof.holds


def test_a_topology_is_read_as_it_was_written(small, tmp_path):
    subnet = subnet_of(small)
    again = read_topology(topology(subnet), "topology")
    assert (again.adapters, again.switches) == (subnet.adapters, subnet.switches)
    assert {frozenset(cable) for cable in again.cables} == {frozenset(cable) for cable in subnet.cables}
    with pytest.raises(Problems, match=r"topology:3: .* is no line of a topology"):
        read_topology('Switch\t4 "a"\n\n[x]\t"b"[1]\n', "topology")
    with pytest.raises(Problems, match="goes to b, which is not in the file"):
        read_topology('Switch\t4 "a"\n[1]\t"b"[1]\n', "topology")


def test_guids_of_a_pod_are_its_own():
    subnet = subnet_of(plan(load_site("reference")).pod("pod-17"))
    names = (*subnet.adapters, *subnet.switches)
    assert (len(subnet.adapters), len(subnet.switches), len(subnet.roots)) == (9_216, 200, 72)
    assert len({guid_of(name) for name in names}) == len(names)


def test_the_managers_files_are_what_jinja_prints(small, monkeypatch):
    subnet = subnet_of(small)
    fast = manager_files(small, subnet, "small.pod-01", "/etc/opensm/")
    monkeypatch.setattr("infra.render.network.manager.render", printing.slow)
    assert manager_files(small, subnet, "small.pod-01", "/etc/opensm/") == fast
    assert tuple(fast) == FILES


def test_a_site_without_infiniband_and_a_word_without_a_pod(capsys):
    with pytest.raises(UserError, match="no fabric that a subnet manager routes"):
        subnet_of(plan(load_site("lab")).pod("pod-01"))
    assert main(["fabric", "prove", "lab.pod-01", "--json"]) == 1
    assert main(["fabric", "prove", "lab"]) == 1
    assert "gigasite fabric prove lab.pod-01" in capsys.readouterr().err


def test_a_pod_that_no_infiniband_fabric_is_in():
    site = load(ROOT / "tests" / "cases" / "mixed-customer-site" / "site.yaml")
    with pytest.raises(UserError, match="pod-03 has no switch that a subnet manager routes"):
        subnet_of(plan(site).pod("pod-03"))


def test_an_option_that_opensm_does_not_know_is_seen(small, tmp_path):
    """OpenSM's own parser reads opensm.conf: it complains of no line of ours, and it can complain."""
    from infra.process import run  # noqa: PLC0415

    files = manager_files(small, subnet_of(small), "small.pod-01", f"{tmp_path}/")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    written = run(["opensm", "-F", tmp_path / "opensm.conf", "-c", tmp_path / "all.conf"], check=False)
    assert "nrecognized" not in written.stdout + written.stderr
    (tmp_path / "opensm.conf").write_text(files["opensm.conf"] + "no_such_option TRUE\n")
    refused = run(["opensm", "-F", tmp_path / "opensm.conf", "-c", tmp_path / "all.conf"], check=False)
    assert "no_such_option" in refused.stdout + refused.stderr


def test_json_names_what_was_found(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("infra.spec.load_site", lambda _: load_text(SMALL))
    assert main(["fabric", "prove", "small.pod-01", "--json", "--keep", str(tmp_path / "kept")]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"subnet_up", "adapters", "switches", "links_missing", "links_wrong", "routes"} <= set(data)
    assert (tmp_path / "kept" / "topology").is_file()
