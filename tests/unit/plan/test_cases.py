"""Golden cases: `tests/cases/NAME/{site.yaml,expected/}`.

expected/published.json has figures that others published, with their source; expected/summary.json and
expected/TABLE.csv are what the plan gives, written by GIGASITE_UPDATE=1 and read before they are committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from infra.plan import findings, plan, summary
from infra.plan.views.export import table
from infra.spec import load

pytestmark = pytest.mark.unit

CASES = Path(__file__).resolve().parents[2] / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/site.yaml"))
PUBLISHED = sorted(path.parent.parent.name for path in CASES.glob("*/expected/published.json"))


@pytest.fixture(scope="module")
def planned():
    known = {}

    def get(name):
        if name not in known:
            known[name] = plan(load(CASES / name / "site.yaml"))
        return known[name]

    return get


def part_of(whole, part):
    return {k: part_of(whole[k], v) if isinstance(v, dict) else whole[k] for k, v in part.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(planned, name):
    published = json.loads((CASES / name / "expected" / "published.json").read_text(encoding="utf-8"))
    assert published["source"]
    assert part_of(summary(planned(name)), published["figures"]) == published["figures"]
    assert not [f for f in findings(planned(name)) if f.id in {"down-ports", "switch-ports"}]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_cables_are_made(planned, name):
    """The counts are those of cables with two ends each, not of a formula."""
    links = planned(name).links
    figures = summary(planned(name))["cables"]["east_west"]
    rows = dict(links.filter(pl.col("fabric") == "east-west").group_by("tier").len().rows())
    assert {str(step): count for step, count in rows.items()} == {
        k: v for k, v in figures.items() if k != "total"
    }
    assert links.select("z", "z_port").is_duplicated().sum() == 0


@pytest.mark.parametrize(
    ("units", "leaf", "spine", "core"), [(16, 128, 128, 64), (32, 256, 256, 128), (64, 512, 512, 256)]
)
def test_other_rows_of_the_same_table(planned, units, leaf, spine, core):
    site = planned("dgx-b200-64-su").site
    layout = site.layout.model_copy(update={"pods": units // 16})
    figures = summary(plan(site.model_copy(update={"layout": layout})))
    assert figures["switches"]["east_west"] == {
        "leaf": leaf, "spine": spine, "core": core, "total": leaf + spine + core,
    }  # fmt: skip
    assert figures["accelerators"] == units * 256


@pytest.mark.parametrize(
    ("units", "leaf", "spine"), [(1, 8, 4), (2, 16, 8), (4, 32, 18), (8, 64, 36), (18, 144, 72)]
)
def test_other_rows_of_the_xdr_table(planned, units, leaf, spine):
    """Of 4 and 8 units too: 18 and 36 spines, where 16 and 32 have the ports but 72 uplinks do not divide."""
    site = planned("dgx-b300-xdr-18-su").site
    layout = site.layout.model_copy(update={"scalable_units_per_pod": units})
    figures = summary(plan(site.model_copy(update={"layout": layout})))["switches"]["east_west"]
    assert (figures["leaf"], figures["spine"]) == (leaf, spine)


DESIGNS = [
    "dgx-b200-64-su",
    "dgx-h100-127-nodes",
    "dgx-b300-ethernet-16-su",
    "dgx-b300-xdr-18-su",
    "nvl72-ndr",
    "eight-planes-two-tiers",
    "roce-24k",
    "mi355x-256-nodes",
    "mixed-customer-site",
]
"""Published designs (SuperPODs, NVL72, planes, RoCE, AMD) and a mixed site; all their figures are golden."""

GOLDEN = {
    "small": ["power", "cooling"],
    "exceptions": ["racks", "power", "materials"],
    **{name: [] for name in DESIGNS},
}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_tables(planned, name):
    expected = CASES / name / "expected"
    texts = {"summary.json": json.dumps(summary(planned(name)), indent=1, ensure_ascii=False) + "\n"}
    for entry in GOLDEN[name]:
        frame = table(planned(name), entry)
        floats = [c for c, kind in frame.schema.items() if kind.is_float()]
        texts[f"{entry}.csv"] = frame.with_columns(pl.col(floats).round(3)).write_csv()
    for file, text in texts.items():
        if os.environ.get("GIGASITE_UPDATE"):
            expected.mkdir(exist_ok=True)
            (expected / file).write_text(text, encoding="utf-8")
        assert text == (expected / file).read_text(encoding="utf-8"), file


def host_ports(whole, fabric):
    return whole.links.filter((pl.col("fabric") == fabric) & (pl.col("tier") == "host_leaf"))


def test_a_mixed_unit_needs_what_is_there(planned):
    """2 NVL72 racks and 4 of 8-GPU servers: 68 ports of each rail, not 6 racks of the largest of both."""
    whole = planned("mixed-unit")
    assert not [finding for finding in findings(whole) if finding.severity == "error"]
    links = host_ports(whole, "east-west").filter(pl.col("a").str.starts_with("pod-01-su-02"))
    assert links.group_by("z").len()["len"].to_list() == [2 * 18 + 4 * 4 * 2] * 4
    assert not links.select("z", "z_port").is_duplicated().any()
    nics = sum(
        count * {"gb300-nvl72": 4, "hgx-b300": 8}[platform]
        for platform, count in whole.node_frame.filter(pl.col("su") == 1).group_by("platform").len().rows()
    )
    assert links.height == nics == 2 * 18 * 4 + 4 * 4 * 8


def test_a_server_has_the_ports_of_a_missing_tray(planned):
    whole = planned("port-of-a-missing-tray")
    assert not [finding for finding in findings(whole) if finding.severity == "error"]
    assert whole.node_frame.height == 127
    links = host_ports(whole, "north-south")
    assert links.filter(pl.col("z").str.starts_with("pod-01-su-01")).group_by("z").len()["len"].to_list() == [
        32,
        32,
    ]
    ports = {
        unit: set(links.filter(pl.col("z").str.starts_with(f"pod-01-su-{unit}"))["z_port"])
        for unit in ("01", "02")
    }
    assert ports["01"] == ports["02"], "the ports of a full unit, and no others"
    assert links.filter(pl.col("a") == "missing-head").height == 2
    assert not links.select("z", "z_port").is_duplicated().any()


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_have_no_errors(planned, name):
    assert not [finding.message for finding in findings(planned(name)) if finding.severity == "error"]


PATHS = {
    "dgx-b200-64-su": (16, 256, 1.0),
    "dgx-h100-127-nodes": (16, None, 1.0),
    "dgx-b300-ethernet-16-su": (16, None, 1.0),
    "dgx-b300-xdr-18-su": (72, None, 1.0),
    "nvl72-ndr": (10, None, 1.0),
    "eight-planes-two-tiers": (256, None, 1.0),
    "roce-24k": (16, 7168, 1 / 7),
    "mi355x-256-nodes": (21, None, 1.0),
    "mixed-customer-site": (16, 1024, 1.0),
}
"""Shortest paths of two leaves under one second tier and of others, and the share of full bisection."""


@pytest.mark.parametrize("name", DESIGNS)
def test_paths_of_designs(planned, name):
    judged = summary(planned(name))["fabrics"]["east_west"]
    near, far, share = PATHS[name]
    assert (judged["paths_near"], judged["paths_far"]) == (near, far)
    assert judged["bisection_share"] == pytest.approx(share, abs=0.01)


def test_storage_racks_have_leaves_of_their_own(planned):
    """Each pod's servers on their own leaves, whose uplinks reach every switch above."""
    whole = planned("mixed-customer-site")
    store = whole.switches.filter(pl.col("tier") == "fe-store")
    assert store.group_by("pod").len()["len"].to_list() == [2] * 4
    servers = whole.nodes.filter(pl.col("role") == "storage")
    assert servers.group_by("pod").len()["len"].to_list() == [8] * 4
    host = host_ports(whole, "north-south").filter(pl.col("z").is_in(store["name"].implode()))
    assert set(host["a"]) == set(servers["name"])
    assert host.height == 4 * 8 * 2
    theirs = pl.col("a").is_in(store["name"].implode()) & (pl.col("fabric") == "north-south")
    up = whole.links.filter(theirs)
    assert up.group_by("a", "z").len()["len"].unique().to_list() == [4]
    assert not whole.links.select("z", "z_port").is_duplicated().any()
