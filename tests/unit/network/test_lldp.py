"""Neighbours as lldpcli prints them: one, several, none; speeds; and what is something else."""

from __future__ import annotations

import json

import pytest

from infra.errors import Problems
from infra.render.network.cabling import End, Seen, compare
from infra.render.network.lldp import read_folder, read_neighbors

pytestmark = pytest.mark.unit


def neighbor(name, port, current=""):
    return {
        "via": "LLDP",
        "chassis": {name: {"id": {"type": "mac", "value": "46:10:82:71:d1:d8"}}},
        "port": {"id": {"type": "ifname", "value": port}, "auto-negotiation": {"current": current}},
    }


def printed(interfaces):
    return json.dumps({"lldp": {"interface": interfaces}})


@pytest.mark.parametrize(
    ("current", "gbit"),
    [
        ("10GbaseT - Four-pair Category 6A or better", 10.0), ("1000BaseTFD - Four-pair Category 5 UTP", 1.0),
        ("100GbaseCR4", 100.0), ("2.5GbaseT", 2.5), ("unknown", None), ("", None),
    ],
)  # fmt: skip
def test_speeds_are_those_of_the_standards_names(current, gbit):
    (entry,) = read_neighbors(printed({"swp1": neighbor("tray-1", "rail0", current)}), "leaf-1", "file")
    assert entry == Seen(End("leaf-1", "swp1"), End("tray-1", "rail0"), gbit)


def test_one_several_and_none():
    several = [{"swp1": neighbor("tray-1", "rail0")}, {"swp2": neighbor("tray-2", "rail0")}]
    assert len(read_neighbors(printed(several), "leaf-1", "file")) == 2
    assert read_neighbors(json.dumps({"lldp": {}}), "leaf-1", "file") == []


def test_a_chassis_without_a_name_is_told_by_its_id():
    entry = neighbor("x", "rail0")
    entry["chassis"] = entry["chassis"]["x"]
    (found,) = read_neighbors(printed({"swp1": entry}), "leaf-1", "file")
    assert found.other.device == "46:10:82:71:d1:d8"


def test_all_files_that_are_something_else_are_told_at_once(tmp_path):
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"lldp": {"interface": {"swp1": {}}}}')):
        (tmp_path / f"{name}.json").write_text(text)
    with pytest.raises(Problems) as found:
        read_folder(tmp_path)
    assert len(found.value.problems) == 3
    with pytest.raises(Problems):
        read_folder(tmp_path / "elsewhere")


def test_an_mtu_that_differs_names_both_ends():
    a, z = End("leaf-1", "swp1"), End("spine-1", "swp9")
    found = compare([(a, z, 1.0)], [Seen(a, z, mtu=9216), Seen(z, a, mtu=1500)])
    (fault,) = found.faults
    assert (fault.kind, found.right) == ("mtu", 0)
    assert (
        fault.message == "leaf-1 swp1 – spine-1 swp9 has an MTU of 9216 bytes at leaf-1 and 1500 at spine-1"
    )
    assert not compare([(a, z, 1.0)], [Seen(a, z, mtu=9216), Seen(z, a, mtu=9216)]).faults
