"""Cabling by real LLDP: lldpd on every node of a fabric, whose cables are not all as planned."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra import paths
from infra.cli import main
from infra.lab import namespaces
from infra.lab.lldp import neighbors_of, running_lldp
from infra.render.network.cabling import compare, plan_cables
from infra.render.network.lldp import read_folder

sys.path.insert(0, str(Path(__file__).parent))

import fabric_site
from test_fabric_in_namespaces import wait_until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("lldpd") is None, reason="needs root and Debian's lldpd"
    ),
]

VETH = 10.0
"""Gbit/s that the kernel says of a veth pair (drivers/net/veth.c); the plan's switches run at 1."""
FREE = "data15"


def ends_of(cable):
    return f"{cable.a} {cable.a_port}", f"{cable.z} {cable.z_port}"


@pytest.fixture(scope="module")
def site():
    return fabric_site.planned_rails()


@pytest.fixture(scope="module")
def cables(site):
    """Planned cables by kind, and those that are to be spoiled: missing, wrong port, swapped with another."""
    _, cables = fabric_site.nodes_of(site)
    trays = [cable for cable in cables if "tray" in cable.a and cable.a_port == "rail0"]
    uplinks = [cable for cable in cables if "leaf" in cable.a]
    return cables, trays[0], trays[1], uplinks[0], uplinks[3]


@pytest.fixture(scope="module")
def folder(site, cables, tmp_path_factory):
    """What each device prints after every one has heard of the others."""
    nodes, _ = fabric_site.nodes_of(site)
    plain = [replace(node, frr=None, filter=None, addresses=(), routes=(), rails=()) for node in nodes]
    planned, gone, wrong, one, other = cables
    spoiled = {
        wrong: replace(wrong, z_port=FREE),
        one: replace(one, z=other.z, z_port=other.z_port),
        other: replace(other, z=one.z, z_port=one.z_port),
    }
    laid = [spoiled.get(cable, cable) for cable in planned if cable != gone]
    ends = {end for cable in laid for end in ends_of(cable)}
    out = tmp_path_factory.mktemp("lldp")
    with (
        namespaces.running(f"gl{os.getpid() % 10000}", tmp_path_factory.mktemp("fabric"), plain, laid) as it,
        running_lldp(it),
    ):

        def heard():
            for name in it.nodes:
                (out / f"{name}.json").write_text(neighbors_of(it, name), encoding="utf-8")
            found = read_folder(out)
            # A daemon's first frames leave before it has read its configuration.
            named = all(entry.other.device in it.nodes and ":" not in entry.other.port for entry in found)
            return named and {str(entry.own) for entry in found} == ends

        print(f"every end heard of its neighbour after {wait_until(heard):.1f} s")
    return out


def test_right_missing_wrong_and_swapped_are_told(site, cables, folder):
    _, gone, wrong, one, other = cables
    planned = [(a, z, VETH) for a, z, _ in plan_cables(site)]
    found = compare(planned, read_folder(folder))
    told = {fault.kind: fault.message for fault in found.faults}
    assert set(told) == {"missing", "wrong-port", "swapped"}, found.faults
    assert all(end in told["missing"] for end in ends_of(gone))
    assert (
        told["wrong-port"]
        == f"{wrong.a} {wrong.a_port} is in {wrong.z} {FREE}, planned in {ends_of(wrong)[1]}"
    )
    assert all(end in told["swapped"] for end in (*ends_of(one), *ends_of(other)))
    assert found.right == len(planned) - 4


def test_a_speed_that_differs_is_told(site, folder):
    found = compare(plan_cables(site), read_folder(folder))
    slow = [fault for fault in found.faults if fault.kind == "speed"]
    assert len(slow) == site.links.height - 4
    assert slow[0].message.endswith("runs at 10 Gbit/s, planned 1")


def test_the_command_takes_the_same_folder(site, folder, tmp_path, monkeypatch, capsys):
    declared = tmp_path / "inventories" / "rails" / "site.yaml"
    declared.parent.mkdir(parents=True)
    declared.write_text(fabric_site.RAILS, encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert main(["fabric", "cabling", "rails", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["planned"] == site.links.height
