"""Phases, exceptions, diffs, what leaves the plan, and the slices' names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from infra.errors import UserError
from infra.plan import findings, plan, summary
from infra.plan.tables.names import names
from infra.plan.views.cable_changes import changed_pods
from infra.plan.views.diff import diff
from infra.plan.views.export import TABLES, cabling_sheet, csv, write
from infra.plan.views.materials import bill
from infra.plan.views.wiring import choose_cable
from infra.spec import load, load_site, sources
from infra.spec.fabric import Fabric
from infra.spec.layout import Exception_
from infra.spec.names import Names

if TYPE_CHECKING:
    from infra.plan.views.change import Change

pytestmark = pytest.mark.unit

CASES = Path(__file__).resolve().parents[2] / "cases"


@pytest.fixture(scope="module")
def small():
    return load(CASES / "small" / "site.yaml")


@pytest.fixture(scope="module")
def reference():
    return load_site("reference")


def with_exception(site, **exception):
    entry = Exception_.model_validate({"reason": "test", **exception})
    return site.model_copy(update={"exceptions": (*site.exceptions, entry)})


# Phases


def test_a_phase_plans_what_is_in_service_by_then(reference):
    figures = summary(plan(reference, "2026"))
    assert (figures["pods"], figures["accelerators"]) == (13, 119_808)
    assert figures["power"]["facility_mw"] == pytest.approx(13 / 54 * 1000)
    assert figures["power"]["rack_kw"] == pytest.approx(summary(plan(reference))["power"]["rack_kw"])
    assert summary(plan(reference, "2028"))["accelerators"] == 497_664


def test_a_phase_has_the_same_names_and_ports(reference):
    part, whole = plan(reference, "2026"), plan(reference)
    assert part.pods == whole.pods[:13]
    links = part.pod("pod-13").links
    assert links.equals(whole.pod("pod-13").links)


def test_unknown_phase_and_pod(reference):
    with pytest.raises(UserError, match="no phase `2031`"):
        plan(reference, "2031")
    with pytest.raises(UserError, match="no pod `pod-55`"):
        plan(reference).pod("pod-55")
    with pytest.raises(UserError, match="no pod `pod-14`"):
        plan(reference, "2026").pod("pod-14")


# Exceptions


@pytest.fixture(scope="module")
def odd():
    return plan(load(CASES / "exceptions" / "site.yaml"))


def test_an_empty_slot_is_not_cabled_and_moves_nothing(odd):
    trays = odd.nodes.filter(pl.col("rack") == "pod-01-su-01-rack-02")
    assert trays["slot"].to_list() == [slot for slot in range(1, 19) if slot != 7]
    gone = "pod-01-su-01-rack-02-tray-07"
    assert odd.links.filter(pl.col("a") == gone).height == 0
    assert odd.addresses.filter(pl.col("owner") == gone).height == 0
    whole = plan(odd.site.model_copy(update={"exceptions": odd.site.exceptions[1:]}))
    assert odd.links.join(whole.links, on=odd.links.columns, how="anti", nulls_equal=True).height == 0
    assert whole.links.height - odd.links.height == 4 + 3


def test_another_platform_in_a_row(odd):
    row = odd.nodes.filter(pl.col("su") == "pod-01-su-02")
    assert set(row["platform"]) == {"gb200-nvl72"}
    assert set(
        odd.nics.filter(pl.col("node").is_in(row["name"].implode()) & (pl.col("fabric") == "east-west"))[
            "gbit"
        ]
    ) == {400.0}
    power = odd.power.filter((pl.col("parent") == "pod-01-su-02") & (pl.col("kind") == "compute"))
    assert set(power["compute_w"]) == {115_000.0}


def test_a_rack_of_mixed_trays(odd):
    rack = odd.nodes.filter(pl.col("rack") == "pod-02-su-01-rack-01")
    assert rack.group_by("platform").len().sort("platform").rows() == [("gb200-nvl72", 9), ("gb300-nvl72", 9)]


def test_a_spare_pool_is_built_and_named(odd):
    pool = odd.nodes.filter(pl.col("pool") == "spare")
    assert set(pool["su"]) == {"pod-02-su-03"}
    assert pool.height == 36
    assert odd.links.filter(pl.col("a").is_in(pool["name"].implode())).height


# Diff


def test_equal_declarations_plan_the_same(reference):
    assert diff(plan(reference), plan(reference)) == ()


def test_a_platform_swap_of_one_row_touches_only_that_row(reference):
    changed = with_exception(
        reference, at="pod-17-su-04", rack={"platform": "gb200-nvl72", "power": "110 kW"}
    )
    before, after = plan(reference), plan(changed)
    changes = diff(before, after)
    racks = [change for change in changes if change.layer == "racks"]
    assert {change.count for change in racks} == {8}
    assert all("pod-17-su-04" in change.where for change in racks)
    rows = [change for change in changes if change.item == "IT power of a row"]
    assert [(row.count, row.where) for row in rows] == [(1, "pod-17-su-04")]
    assert changed_pods(before, after) == ([16], [16])
    old, new = before.pod("pod-17").nodes, after.pod("pod-17").nodes
    touched = new.join(old, on=old.columns, how="anti", nulls_equal=True)
    assert set(touched["su"]) == {"pod-17-su-04"}


@pytest.mark.parametrize(
    ("exception", "left"),
    [
        # a larger pod moves those after it
        ({"at": "pod-01", "scalable_units": 4}, "all"),
        ({"at": "pod-01-su-01", "racks": 1}, [0]),
    ],
)
def test_another_size_of_a_pod_or_row_is_a_change_of_its_cables(small, exception, left):
    before, after = plan(small), plan(with_exception(small, **exception))
    assert before.links.height != after.links.height
    touched = list(before.scope) if left == "all" else left
    assert changed_pods(before, after) == (touched, touched)
    assert {"cables", "addresses"} <= {change.layer for change in diff(before, after)}


def test_one_rack_changes_every_layer_that_it_should(reference):
    changed = with_exception(reference, at="pod-17-su-04-rack-02", missing=[7])
    by_layer: dict[str, list[Change]] = {}
    for change in diff(plan(reference), plan(changed)):
        by_layer.setdefault(change.layer, []).append(change)
    assert {"racks", "nodes", "power", "cooling", "cables", "ports", "optics", "addresses", "storage"} <= set(
        by_layer
    )
    removed = {c.item: c.before for c in by_layer["cables"] if c.item.startswith("cables removed")}
    assert removed == {
        "cables removed: east-west host–leaf": 4,
        "cables removed: north-south host–leaf": 2,
        "cables removed: out-of-band host–leaf": 3,
    }
    assert [c.item for c in by_layer["addresses"]] == [
        "link addresses freed",
        "loopback addresses freed",
        "management addresses freed",
    ]


def test_more_pods_add_and_move_nothing(reference):
    layout = reference.layout.model_copy(update={"pods": 55})
    changes = diff(plan(reference), plan(reference.model_copy(update={"layout": layout})))
    items = {change.item: change for change in changes}
    assert items["new rack"].count == 128
    assert not [item for item in items if "removed" in item or "renumbered" in item or "freed" in item]


def test_layers_come_in_order_and_once(reference):
    changes = diff(plan(reference), plan(load_site("reference-hgx")))
    layers = [change.layer for change in changes]
    assert layers == sorted(layers, key=list(dict.fromkeys(layers)).index)
    assert layers[0] == "racks"
    assert layers[-1] == "findings"


def test_sources_of_declarations(tmp_path):
    assert sources.load_named("lab") == load_site("lab")
    assert sources.load_named("inventories/lab/site.yaml") == load_site("lab")
    assert sources.is_site("lab")
    assert sources.is_site("HEAD:lab")
    assert not sources.is_site("HEAD~1")
    with pytest.raises(UserError, match="no git revision `no-such-thing`"):
        sources.load_named("no-such-thing:lab")


# What leaves the plan


def test_cabling_sheet_has_the_installers_columns(small):
    sheet = cabling_sheet(plan(small))
    assert sheet.columns == [
        "A-Rack", "A-U", "A-Node Name", "A-Type", "A-Port",
        "Z-Rack", "Z-RU", "Z-Node Name", "Z-Type", "Z-Port",
        "Cable ID", "Length m", "Cable", "A-Label", "Z-Label",
    ]  # fmt: skip
    assert sheet.null_count().sum_horizontal().item() == 0
    assert sheet.row(0) == (
        "pod-01-su-01-rack-01", 1, "pod-01-su-01-rack-01-tray-01", "gb300-nvl72", "rail0",
        "pod-01-su-01-net-01", 1, "pod-01-su-01-leaf-01", "q3400", "swp1",
        "pod-01-su-01-leaf-01:swp1", 10.0, "fibre-mm-800g",
        "pod-01-su-01-rack-01-tray-01:rail0 / pod-01-su-01-leaf-01:swp1",
        "pod-01-su-01-leaf-01:swp1 / pod-01-su-01-rack-01-tray-01:rail0",
    )  # fmt: skip


def test_materials_count_every_cable_and_its_optics(small):
    whole = plan(small)
    table = bill(whole)
    cables = table.filter(pl.col("kind") == "cable")
    assert cables["count"].sum() == whole.links.height
    with_optics = sum(row["count"] for row in cables.iter_rows(named=True) if row["item"].startswith("fibre"))
    assert table.filter(pl.col("kind") == "optic")["count"].sum() == 2 * with_optics
    systems = dict(table.filter(pl.col("kind") == "system").select("item", "count").rows())
    assert systems == {"gb300-nvl72": 144, "nvlink": 72, "shelf": 64}


def test_cables_are_long_enough(small):
    whole = plan(small)
    for metres, length in zip(*_stocked(whole), strict=True):
        assert metres >= length
    assert choose_cable(800, 1.5).name == "dac-800g"
    assert choose_cable(800, 30).optic == "osfp-sr8-800g"
    assert choose_cable(800, 700).name == "fibre-sm-2km-800g"
    with pytest.raises(UserError, match="no cable of the catalog"):
        choose_cable(3200, 1)


def _stocked(whole):
    from infra.plan.views.wiring import LENGTHS  # noqa: PLC0415

    lengths = whole.links["length"].to_list()
    return [min(stock for stock in LENGTHS if stock >= length - 1e-6) for length in lengths], lengths


def test_exports_read_back(small, tmp_path):
    whole = plan(small)
    paths = list(write(whole, tmp_path / "out"))
    assert {path.name for path in paths} == {f"{name}.parquet" for name in TABLES} | {
        "cabling.csv",
        "materials.csv",
    }
    links = pl.read_parquet(tmp_path / "out" / "links.parquet")
    assert links.height == whole.links.height
    assert (
        (tmp_path / "out" / "cabling.csv")
        .read_text()
        .startswith("A-Rack,A-U,A-Node Name,A-Type,A-Port,Z-Rack")
    )
    with pytest.raises(UserError, match="no table `linsk`"):
        csv(whole, "linsk")


def test_a_split_cage_has_one_optic_and_one_harness(small):
    """Ports of 800G split in 2 for NICs of 400G; and what feeds and cools, with spares."""
    tier = {"name": "front", "switch": "eth-64x800g", "per": "scalable-unit"}
    front = Fabric.model_validate({"breakout": 2, "routing": "none", "tiers": [tier]})
    fabrics = small.fabrics.model_copy(update={"north_south": front, "east_west": None, "out_of_band": None})
    site = small.model_copy(update={"fabrics": fabrics, "spares": {"optic": 0.01, "harness": 0.02}})
    table = bill(plan(site)).select("kind", "item", "cage", "metres", "count", "spare")
    # 2 scalable units of 4 racks of 18 trays with 2 NICs: 144 each, on 64 and 8 cages of two switches.
    harnesses = table.filter(pl.col("kind") == "harness")
    assert set(harnesses["item"]) == {"fibre-mm-800g 1:2"}
    assert set(harnesses["cage"]) == {"800G split in 2"}
    assert harnesses["count"].sum() == 2 * (64 + 8)
    optics = table.filter(pl.col("kind") == "optic").group_by("item", "cage").agg(pl.col("count").sum())
    assert {row[:2]: row[2] for row in optics.rows()} == {
        ("osfp-sr8-800g", "800G split in 2"): 144,
        ("osfp-sr4-400g", "400G"): 288,
    }
    spare = table.filter(pl.col("kind") == "optic")
    assert spare["spare"].to_list() == [math.ceil(count / 100) for count in spare["count"]]
    rooms = {row[0]: row[1:] for row in table.select("kind", "item", "count").rows()}
    assert rooms["busway"] == ("600 kW", 2 * 2)
    assert rooms["cdu"] == ("cdu-1350", 2 * 2)
    racks = plan(site).racks.filter(pl.col("kind") != "cdu").height
    assert rooms["pdu"] == ("140 kW", 2 * racks)


def test_declared_names_are_on_sheets_and_labels(small):
    """By the pattern, or as they stand already; the place stays what everything else goes by."""
    declared = Names.model_validate(
        {
            "rack": "r{site_rack:02}",
            "tray": "paris1-gpu-r{site_rack:02}-u{unit:02}",
            "switch": "paris1-{name}",
            "port": "{machine} {port}",
            "as_is": {"pod-01-su-02-rack-01-tray-01": "old-7", "pod-01-su-01-net-01": "N1"},
        }
    )
    whole = plan(small.model_copy(update={"names": declared}))
    table = {row[0]: row[2] for row in names(whole).rows()}
    assert table["pod-01-su-02-rack-03"] == "r07"
    assert (
        table["pod-01-su-02-rack-03-tray-12"]
        == f"paris1-gpu-r07-u{unit_of(whole, 'pod-01-su-02-rack-03-tray-12'):02}"
    )
    assert table["pod-01-su-02-rack-01-tray-01"] == "old-7"
    assert (
        len(set(table.values()))
        == len(table)
        == whole.racks.height + whole.nodes.height + whole.switches.height
    )
    sheet = cabling_sheet(whole)
    assert sheet.row(0, named=True)["A-Label"] == (
        "paris1-gpu-r01-u01 rail0 / paris1-pod-01-su-01-leaf-01 swp1"
    )
    assert sheet.row(0, named=True)["Z-Rack"] == "N1"
    assert whole.nodes.equals(plan(small).nodes), "places stay"
    assert not [finding for finding in findings(whole) if finding.id.startswith("name-")]


def unit_of(whole, name):
    return whole.nodes.filter(pl.col("name") == name)["unit"][0]
