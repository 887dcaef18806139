"""Paths over the planned cables."""

from __future__ import annotations

import json

import pytest

from infra.cli import main
from infra.errors import UserError
from infra.plan import plan
from infra.render.network.hops import paths_between
from infra.spec import load_site

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def reference():
    return plan(load_site("reference"))


def tray(pod, su, slot=1):
    return f"pod-{pod:02d}-su-{su:02d}-rack-01-tray-{slot:02d}"


def test_within_a_pod_there_is_a_path_for_each_spine(reference):
    fabrics = {paths.fabric: paths for paths in paths_between(reference, tray(1, 1), tray(1, 9))}
    # four rails: from each of four leaves over 72 spines to the leaf of each rail of the other tray
    assert fabrics["east-west"].count == 4 * 72 * 4
    assert fabrics["east-west"].switches == 3
    assert fabrics["north-south"].count == 2 * 44 * 2
    assert "out-of-band" not in fabrics


def test_every_hop_is_a_planned_cable_and_the_path_has_no_gap(reference):
    links = reference.pod("pod-01").links
    cables = set(links.select("a", "a_port", "z", "z_port").iter_rows())
    for paths in paths_between(reference, tray(1, 2), tray(1, 3, 7)):
        devices = [hop.device for hop in paths.first] + [paths.first[-1].peer]
        assert (devices[0], devices[-1]) == (tray(1, 2), tray(1, 3, 7))
        for hop, following in zip(paths.first, devices[1:], strict=True):
            assert hop.peer == following
            ends = (hop.device, hop.port, hop.peer, hop.peer_port)
            assert ends in cables or (*ends[2:], *ends[:2]) in cables


def test_across_pods_it_goes_over_the_core(reference):
    (paths,) = [p for p in paths_between(reference, tray(1, 1), tray(30, 1)) if p.fabric == "east-west"]
    assert paths.switches == 5
    assert any("-core-" in hop.peer for hop in paths.first)


def test_a_neighbour_of_the_same_leaf_is_one_switch_away(reference):
    for paths in paths_between(reference, tray(1, 1, 1), tray(1, 1, 2)):
        assert paths.switches == 1


def test_mistakes(reference, capsys):
    with pytest.raises(UserError, match=f"did you mean `{tray(1, 1)}`"):
        paths_between(reference, tray(1, 1) + "x", tray(1, 2))
    with pytest.raises(UserError, match="no fabric of reference joins"):
        paths_between(reference, tray(1, 1), "pod-02-ns-spine-01")
    assert main(["fabric", "path", "lab", "lab-head"]) == 1
    assert "gigasite fabric path SITE A B" in capsys.readouterr().err
    assert main(["fabric", "path", "lab.lab-head", "lab-storage", "--json"]) == 0
    (paths,) = json.loads(capsys.readouterr().out)
    assert (paths["count"], paths["switches"]) == (1, 1)


def test_cabling_from_a_file(tmp_path, capsys):
    links = plan(load_site("lab")).links
    rows = [[a, p, z, q] for a, p, z, q in links.select("a", "a_port", "z", "z_port").iter_rows()]
    path = tmp_path / "lldp.csv"

    def write():
        path.write_text(
            "\n".join(",".join(row) for row in [["device", "port", "neighbor", "neighbor_port"], *rows])
        )

    write()
    assert main(["fabric", "cabling", "lab", str(path)]) == 0
    rows[0][2:], rows[1][2:] = rows[1][2:], rows[0][2:]
    write()
    assert main(["fabric", "cabling", "lab", str(path)]) == 1
    assert "are swapped" in capsys.readouterr().out
