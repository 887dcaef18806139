"""Every number of the reference site, recomputed from its declaration and compared."""

from __future__ import annotations

import math

import polars as pl
import pytest

from infra.plan import findings, plan, summary
from infra.plan.admission.fit import fit
from infra.plan.admission.rules.power import current
from infra.plan.tables.cooling import flow_m3_s_at_rise
from infra.plan.tables.storage import mtbf_s
from infra.spec import load_site

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def reference():
    return plan(load_site("reference"))


@pytest.fixture(scope="module")
def figures(reference):
    return summary(reference)


@pytest.fixture(scope="module")
def hgx():
    return plan(load_site("reference-hgx"))


def to(value, digits):
    return round(value, digits)


# Levels


@pytest.mark.parametrize(
    ("level", "count", "accelerators", "facility_mw", "it_mw", "digits"),
    [
        ("site", 1, 497_664, 1000, 909.1, 1),
        ("building", 9, 55_296, 111.1, 101.0, 1),
        ("hall", 27, 18_432, 37.0, 33.7, 1),
        ("pod", 54, 9_216, 18.5, 16.8, 1),
        ("scalable-unit", 864, 576, 1.157, 1.052, 3),
    ],
)
def test_levels(reference, level, count, accelerators, facility_mw, it_mw, digits):  # noqa: PLR0917
    places = reference.places.filter(pl.col("level") == level)
    assert places.height == count
    assert places["accelerators"].unique().to_list() == [accelerators]
    power = reference.power.filter(pl.col("level") == level)
    assert {to(watts / 1e6, digits) for watts in power["facility_w"]} == {facility_mw}
    assert {to(watts / 1e6, digits) for watts in power["it_w"]} == {it_mw}


def test_racks_and_trays(reference, figures):
    racks = reference.racks.filter(pl.col("kind") == "compute")
    trays = reference.nodes.filter(pl.col("role") == "tray")
    assert (racks.height, trays.height) == (6_912, 124_416)
    assert (figures["racks"], figures["nodes"], figures["accelerators"]) == (6_912, 124_416, 497_664)
    assert trays["accelerators"].sum() == 497_664
    assert trays.group_by("rack").len()["len"].unique().to_list() == [18]
    watts = reference.power.filter(pl.col("kind") == "compute")["compute_w"]
    assert {to(value / 1e6, 4) for value in watts} == {0.1194}
    assert to(figures["power"]["node_kw"], 2) == 6.63
    assert reference.companions.group_by("kind").len().sort("kind").rows() == [
        ("nvlink", 62_208),
        ("shelf", 55_296),
    ]
    assert figures["cpus"] == 248_832


def test_balance(figures):
    power = figures["power"]
    assert to(power["facility_mw"], 6) == 1000
    assert to(power["it_mw"], 1) == 909.1
    assert to(power["east_west_mw"], 1) == 45.5
    assert to(power["north_south_mw"], 1) == 8.9
    assert to(power["out_of_band_mw"], 1) == 1.4
    assert (power["storage_mw"], power["management_mw"]) == (20, 8)
    assert to(power["other_mw"], 1) == 83.7
    assert to(power["compute_mw"], 1) == 825.3
    assert to(power["rack_kw"], 1) == 119.4


def test_what_stands_in_each_place(reference, figures):
    """Beside its part of everything: a rack with its two management switches, a row with its leaves, ...

    119.6 kW = 119.4 + 2 x 0.1; 995 kW = 8 x 119.6 + 8 x 4 + 4 x 1.5; 16.30 MW = 16 x 0.995 + 72 x 4 kW +
    44 x 1.5 kW + 2 x 1 kW + 16 x 1.4 kW; 882.3 MW = 54 x 16.30 + 576 x 4 kW + 9 x 0.7 kW. The other 26.8 MW
    of storage and management are declared and stand in no planned rack.
    """
    power = reference.power
    own = dict(power.filter(pl.col("level") != "rack").group_by("level").agg(pl.col("own_w").max()).rows())
    assert to(own["scalable-unit"] / 1e3, 0) == 995
    assert to(own["pod"] / 1e6, 2) == 16.30
    assert to(own["site"] / 1e6, 1) == 882.3 == to(figures["power"]["in_racks_mw"], 1)
    racks = power.filter(pl.col("level") == "rack").group_by("kind").agg(pl.len(), pl.col("own_w").max())
    kinds = {kind: (count, to(watts / 1e3, 1)) for kind, count, watts in racks.rows()}
    # 12 switches of 4 kW and 4 U fill a rack of 48 U; a row needs 8 x 4 + 4 x 2 U, a pod 72 x 4 + 44 x 2.
    assert kinds == {
        "compute": (6_912, 119.6),
        "network": (864 + 54 * 8 + 48, 48.0),
        "servers": (54 + 1, 22.4),
        "cdu": (1_728, 0.0),
    }
    assert to(figures["power"]["coolers_mw"], 1) == 20.7 < to(figures["power"]["facility_mw"] / 11, 1)


# Fabrics


def tiers(table, fabric):
    rows = table.filter(pl.col("fabric").cast(pl.String) == fabric).group_by("tier").len()
    return {str(tier): count for tier, count in rows.rows()}


def test_east_west_switches_and_cables(reference, figures):
    assert tiers(reference.switches, "east-west") == {"leaf": 6_912, "spine": 3_888, "core": 576}
    assert figures["switches"]["east_west"] == {"leaf": 6_912, "spine": 3_888, "core": 576, "total": 11_376}
    expected = {"host_leaf": 497_664, "leaf_spine": 497_664, "spine_core": 62_208}
    assert tiers(reference.links, "east-west") == expected
    assert figures["cables"]["east_west"] == {**expected, "total": 1_057_536}


def ports_by_switch(links, end, step):
    own = links.filter((pl.col("fabric") == "east-west") & (pl.col("tier") == step))
    return own.group_by(end).len()["len"].unique().to_list()


def test_east_west_ports(reference):
    pod = reference.pod("pod-17").links
    assert ports_by_switch(pod, "z", "host_leaf") == [72]
    assert ports_by_switch(pod, "a", "leaf_spine") == [72]
    assert ports_by_switch(pod, "z", "leaf_spine") == [128]
    assert ports_by_switch(pod, "a", "spine_core") == [16]
    switches = reference.pod("pod-17").switches
    assert tiers(switches, "east-west") == {"leaf": 128, "spine": 72}
    core = reference.links.filter(pl.col("tier") == "spine_core")
    assert core.group_by("z").len()["len"].unique().to_list() == [108]
    assert core.group_by("pod", "z").len()["len"].unique().to_list() == [2]


def test_each_rail_has_its_leaves(reference):
    """NIC r of a tray goes to a leaf of rail r; a scalable unit has two leaves on each rail."""
    links = reference.pod("pod-01").links.filter(
        (pl.col("fabric") == "east-west") & (pl.col("tier") == "host_leaf")
    )
    named = links.select((pl.format("rail{}", "rail") == pl.col("a_port")).all()).item()
    assert named
    per_unit = links.with_columns(pl.col("a").str.slice(0, 12).alias("su"))
    leaves = per_unit.group_by("su", "rail").agg(pl.col("z").n_unique())
    assert leaves["z"].unique().to_list() == [2]
    assert per_unit.group_by("z").agg(pl.col("rail").n_unique())["rail"].unique().to_list() == [1]


def test_spines_of_a_plane_meet(reference):
    """Core switches come in 72 planes of 8: spine s of every pod reaches the same 8."""
    core = reference.links.filter(pl.col("tier") == "spine_core")
    groups = (
        core.with_columns(pl.col("a").str.slice(7).alias("spine"))
        .group_by("spine")
        .agg(pl.col("z").unique().sort())
    )
    assert groups.height == 72
    assert groups["z"].list.len().unique().to_list() == [8]
    assert groups["z"].explode().n_unique() == 576


def test_north_south(reference, figures):
    """Two links of each tray and storage server; 108 leaves of storage racks beside the 5,832 switches."""
    assert tiers(reference.links, "north-south") == {
        "host_leaf": 248_832 + 2 * 864,
        "leaf_spine": (3_456 + 108) * 44,
    }
    assert tiers(reference.switches, "north-south") == {"ns-leaf": 3_456, "ns-spine": 2_376, "ns-store": 108}
    assert figures["switches"]["north_south"]["total"] == 5_832 + 108
    pod = tiers(reference.pod("pod-02").switches, "north-south")
    assert pod == {"ns-leaf": 4 * 16, "ns-spine": 44, "ns-store": 2}
    gbit = reference.nics.filter(pl.col("fabric") == "north-south")["gbit"]
    assert (gbit.len(), set(gbit)) == (2 * 124_416, {400.0})


def test_out_of_band(reference, figures):
    """490,752 ports of compute racks, 71 of each; and all else that has a management address.

    Of each row 12 switches and 2 CDUs, of each pod 116 spines, 2 leaves for storage and 16 of the 864 storage
    servers, of the site 576 core switches and 9 heads: 19,917 more on ports that were free (25 of the 96 of
    each rack), so no switch and no watt is added.
    """
    assert figures["switches"]["out_of_band"] == 13_824
    drops = reference.links.filter(pl.col("fabric") == "out-of-band")
    racks = reference.racks.filter(pl.col("kind") == "compute")["name"]
    inside = drops.filter(pl.col("a_rack").is_in(racks.implode()))
    assert inside.height == 490_752
    assert inside.group_by("a_rack").len()["len"].unique().to_list() == [71]
    assert drops.height - inside.height == 54 * (16 * (12 + 2) + 116 + 2 + 16) + 576 + 9 == 19_917
    managed = reference.addresses.filter(pl.col("pool") == "management")["owner"]
    own = reference.switches.filter(pl.col("fabric") == "out-of-band")["name"]
    assert set(managed) - set(own) == set(drops["a"])


# Other forms


def test_hgx_form(hgx):
    figures = summary(hgx)
    assert (figures["nodes"], figures["racks"], figures["accelerators"]) == (62_208, 15_552, 497_664)
    units = hgx.places.filter(pl.col("level") == "scalable-unit")
    assert (set(units["nodes"]), set(units["racks"])) == ({72}, {18})
    assert to(figures["power"]["compute_mw"], 1) == 870.9
    # 83.6 and 954.5 MW before storage racks had the leaves of their own: 108 switches of 1 kW.
    assert to(figures["power"]["other_mw"], 1) == 83.7
    assert to(figures["power"]["it_mw"], 1) == 954.7
    answer = fit(hgx, pue=1.25)
    assert (answer.pods, answer.accelerators) == (45, 414_720)
    answer = fit(hgx, pue=1.12)
    assert (answer.pods, answer.accelerators) == (50, 460_800)
    [grid] = [finding for finding in findings(hgx) if finding.id == "grid-power"]
    assert "45 pods fit" in grid.message


@pytest.mark.parametrize(
    ("rack_kw", "pods", "accelerators"),
    [
        (119.4, 54, 497_664),
        (120, 53, 488_448),
        (132, 49, 451_584),
        (142, 46, 423_936),
        (190, 35, 322_560),
        (230, 29, 267_264),
    ],
)
def test_fit_by_rack_power(reference, rack_kw, pods, accelerators):
    answer = fit(reference, rack_w=rack_kw * 1e3)
    assert (answer.pods, answer.accelerators) == (pods, accelerators)


def test_fit_of_a_row_with_everything_in(reference):
    answer = fit(reference, unit_w=1.2e6)
    assert (answer.pods, answer.accelerators) == (47, 433_152)


def test_fit_as_declared(reference):
    assert fit(reference).pods == 54
    assert to((fit(reference).pod_it_w - 128 * fit(reference).rack_w) / 1e6, 3) == 1.551


# Storage


def test_storage_racks(reference):
    """A rack of 16 servers in each pod, a leaf for each of their two rails; a leaf reaches all spines."""
    servers = reference.nodes.filter(pl.col("role") == "storage")
    assert servers.height == 864
    assert servers.group_by("rack").len()["len"].unique().to_list() == [16]
    links = reference.pod("pod-09").links.filter(pl.col("fabric") == "north-south")
    host = links.filter(pl.col("a").str.starts_with("pod-09-storage"))
    assert host.group_by("z").len()["len"].to_list() == [16, 16]
    up = links.filter(pl.col("a").str.starts_with("pod-09-ns-store"))
    assert up.group_by("a", "z").len().height == 2 * 44 == up.height
    ports = links.filter(pl.col("tier") == "leaf_spine").group_by("z").len()["len"].unique().to_list()
    assert ports == [66], "of 128: 64 from leaves of trays, 2 from those of storage"


def test_storage(reference, figures):
    storage = figures["storage"]
    assert to(storage["local_eb"], 2) == 1.91
    assert (storage["hot_eb"], storage["object_eb"]) == (1, 5)
    assert round(1e18 / 497_664 / 1e12) == 2, "TB of the hot tier for each accelerator"
    assert (to(storage["read_tb_s"], 1), to(storage["write_tb_s"], 1)) == (34.6, 17.3)


def test_enhanced_storage(reference):
    site = reference.site
    tier = site.storage.tiers[1].model_copy(
        update={"read_per_scalable_unit": 125e9, "write_per_scalable_unit": 62e9}
    )
    storage = site.storage.model_copy(update={"tiers": (site.storage.tiers[0], tier, site.storage.tiers[2])})
    figures = summary(plan(site.model_copy(update={"storage": storage})))["storage"]
    assert (round(figures["read_tb_s"]), to(figures["write_tb_s"], 1)) == (108, 53.6)


def test_checkpoints(figures):
    assert to(mtbf_s(50_700, 497_664) / 60, 1) == 6.1
    sizing = figures["storage"]["checkpoint"]
    assert round(sizing["mtbf_min"]) == 24
    assert round(sizing["interval_s"]) == 297
    assert sizing["tb"] == 140
    assert to(sizing["write_tb_s"], 2) == 0.47


# Power, heat, carbon


def test_heat_and_flow(figures):
    cooling = figures["cooling"]
    assert (round(cooling["liquid_mw"]), round(cooling["other_mw"])) == (718, 191)
    assert round(cooling["flow_l_min_per_rack"]) == 156
    assert (to(cooling["flow_m3_s"], 1), to(cooling["rise_k"], 1)) == (18.0, 9.6)
    # The page gives 17.2 m3/s at exactly 10 K.
    assert to(flow_m3_s_at_rise(cooling["liquid_mw"] * 1e6, 10), 1) == 17.2


def test_energy_and_carbon(figures):
    energy = figures["energy"]
    assert to(energy["twh_per_year"], 2) == 7.88
    assert round(energy["tco2e_location"] / 1e3) == 171
    assert to(energy["erf_ceiling"], 2) == 0.72
    assert 100 / figures["power"]["facility_mw"] == pytest.approx(0.10), "100 MW of heat sold all year"


def test_one_circuit(reference):
    assert round(current(1000e6, 400e3, 0.95)) == 1519
    assert len(reference.site.grid.circuits) - reference.site.grid.spare_circuits == 1


def test_schedulers(figures):
    slurm, kubernetes = figures["schedulers"]["slurm"], figures["schedulers"]["kubernetes"]
    assert slurm["block_sizes"] == [18, 144, 2304]
    assert slurm["fewest"] == 2
    assert slurm["nodes_per_cluster"] <= 65_536
    assert kubernetes["fewest"] == 25
    assert (kubernetes["clusters"], kubernetes["nodes_per_cluster"]) == (27, 4_608)


# Contradictions


def test_contradictions_are_shown(reference):
    found = {finding.id: finding for finding in findings(reference)}
    assert set(found) == {
        "announced-accelerators",
        "announced-compute",
        "announced-date",
        "announced-cost",
        "announced-carbon",
        "out-of-band-uplinks",
        "service-undone",
    }
    assert "13,824 management switches of `out-of-band` are 13,824 islands" in (
        found["out-of-band-uplinks"].message
    )
    assert "119.4 kW a rack or less" in found["announced-accelerators"].message
    assert "1.10 GW" in found["announced-compute"].message
    assert "2028-12-31" in found["announced-date"].message
    assert "6,912 racks" in found["announced-cost"].message
    assert "13 pods, 119,808" in found["announced-cost"].message
    assert "21.7 g" in found["announced-carbon"].message


def test_declared_severity_counts(reference):
    site = reference.site.model_copy(update={"findings": {"announced-date": "error"}})
    assert findings(plan(site))[0].id == "announced-date"
    assert findings(plan(site))[0].severity == "error"


# Counting without expanding agrees with the expanded tables


def test_counts_agree_with_tables(reference, hgx):
    for whole in (reference, hgx):
        figures = summary(whole)
        for fabric in ("east-west", "north-south", "out-of-band"):
            cables = dict(figures["cables"][fabric.replace("-", "_")])
            del cables["total"]
            assert tiers(whole.links, fabric) == cables


def test_one_summary_is_plain_json(figures):
    def leaves(value):
        if isinstance(value, dict):
            for part in value.values():
                yield from leaves(part)
        elif isinstance(value, list):
            for part in value:
                yield from leaves(part)
        else:
            yield value

    for leaf in leaves(figures):
        assert leaf is None or isinstance(leaf, (str, int, float))
        assert not (isinstance(leaf, float) and math.isnan(leaf))
