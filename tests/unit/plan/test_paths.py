"""Paths of fabrics: closed forms against the cables themselves, walked one by one."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given

from infra.cli import main
from infra.plan import findings, plan
from infra.plan.tables.paths import fabric_paths
from infra.spec import load, load_site
from tests.unit.plan import sites
from tests.unit.plan.test_properties import SETTINGS

pytestmark = pytest.mark.unit

CASES = Path(__file__).resolve().parents[2] / "cases"


def walked(whole, fabric):
    """For each first-tier switch of plane 0 its top block and rail, and by level above: switch → paths."""
    links = whole.links.filter((pl.col("fabric") == fabric) & (pl.col("plane") == 0))
    up = defaultdict(set)
    for a, z, step in links.select("a", "z", pl.col("tier").cast(pl.String)).iter_rows():
        if step != "host_leaf":
            up[a].add(z)
    tiers = whole.geometry.tiers[fabric]
    result = {}
    rows = whole.switches.filter((pl.col("fabric") == fabric) & (pl.col("plane") == 0))
    top = tiers[-1].per
    for name, pod, su, level, rail in rows.select("name", "pod", "su", "level", "set").iter_rows():
        if level:
            continue
        current, levels = Counter({name: 1}), []
        for _ in tiers[1:]:
            following = Counter()
            for switch, paths in current.items():
                for upper in up[switch]:
                    following[upper] += paths
            levels.append(following)
            current = following
        size = whole.geometry.blocks_per(top) if top in {"pod", "hall", "building", "site"} else 1
        number = int(pod[4:]) - 1 if pod else 0
        block = su if top == "scalable-unit" else name.rpartition("-")[0] if top == "rack" else number // size
        result[name] = (block, rail, levels)
    return result


def pairs(leaves, *, by_rail):
    names = sorted(leaves)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            (block, rail, a), (block_b, rail_b, b) = leaves[one], leaves[other]
            if block == block_b and (rail == rail_b or not by_rail):
                yield one, other, a, b


@SETTINGS
@given(sites.sites())
def test_paths_are_those_of_the_cables(site):
    """Whether all leaves meet, and over how many paths, is what walking each cable gives."""
    whole = plan(site)
    refused = {finding.id for finding in findings(whole) if finding.severity == "error"}
    if refused & {"switch-ports", "down-ports", "loose-uplinks"}:
        return  # cables that find no port are left out
    for fabric, tiers in whole.geometry.tiers.items():
        judged = fabric_paths(whole.geometry, fabric)
        by_rail = all(tier.by_rail for tier in tiers[1:])
        fewest, apart = Counter(), False
        for _, _, a, b in pairs(walked(whole, fabric), by_rail=by_rail):
            shared = [level for level, mine in enumerate(a) if mine.keys() & b[level].keys()]
            if not shared:
                apart = True
                continue
            level = shared[0]
            number = sum(paths * b[level][switch] for switch, paths in a[level].items())
            near = level == 0
            fewest[near] = min(fewest.get(near, number), number)
        assert bool(judged.apart) == apart
        assert (judged.islands > 1) == apart
        for near, told in ((True, judged.paths_near), (False, judged.paths_far)):
            if near in fewest and not apart:
                assert told is not None
                assert told <= fewest[near]


@pytest.mark.parametrize("name", ["dgx-b300-xdr-18-su", "small"])
def test_paths_of_a_case_exactly(name):
    whole = plan(load(CASES / name / "site.yaml"))
    found = [
        sum(paths * b[0][switch] for switch, paths in a[0].items())
        for _, _, a, b in pairs(walked(whole, "east-west"), by_rail=False)
    ]
    assert min(found) == fabric_paths(whole.geometry, "east-west").paths_near


def test_reference_fabric():
    """1:1 inside a pod, 8:1 above it, and a million cables judged in closed form."""
    geometry = plan(load_site("reference")).geometry
    start = time.perf_counter()
    judged = fabric_paths(geometry, "east-west")
    assert time.perf_counter() - start < 2
    leaf, spine, core = judged.tiers
    assert (leaf.oversubscription, spine.oversubscription, core.oversubscription) == (1, 8, None)
    assert (judged.paths_near, judged.paths_far, judged.islands) == (72, 72 * 8, 1)
    assert judged.bisection_gbit == 3_888 * 16 * 800 / 2
    assert judged.bisection_share == 1 / 8
    assert (leaf.lost_ports, spine.lost_share, core.lost_share) == (72, 1 / 72, 2 / 16)
    assert spine.survives
    assert core.survives


def test_verb_prints_and_exits(capsys):
    assert main(["fabric", "reference", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["fabrics"]["east-west"]["paths_far"] == 576
    assert main(["fabric", "lab"]) == 0
    assert "one switch in each pod" in capsys.readouterr().out
