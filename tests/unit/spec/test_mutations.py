"""A thousand mutated declarations: each is refused with place and reason, or its plan keeps its invariants.

GIGASITE_FUZZ=10000 takes more of them.
"""

from __future__ import annotations

import io
import math
import os
import time

import polars as pl
import pytest
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.plan import findings, machines_of, plan, summary
from infra.plan.tables.paths import fabric_paths, port_ends
from infra.plan.views.export import table
from infra.spec import catalog, load_text
from tests.unit.spec import mutations

pytestmark = pytest.mark.unit

NUMBER = int(os.environ.get("GIGASITE_FUZZ", "1000"))
CHUNK = 50
MOST_SECONDS = 10


def text_of(value):
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, stream)
    return stream.getvalue()


def numbers(value, path=""):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(part, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from numbers(part, f"{path}[{index}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def assert_invariants(whole, figures):
    """What each accepted plan keeps."""
    wrong = [(path, value) for path, value in numbers(figures) if not math.isfinite(value) or value < 0]
    assert not wrong, "nothing is negative or infinite"
    for fabric in whole.geometry.tiers:
        judged = fabric_paths(whole.geometry, fabric)
        if len(judged.tiers) > 1:
            assert judged.apart is None, "every leaf pair has a path"
        for end in port_ends(whole.geometry, fabric):
            assert end.gbit in end.speeds, "both ends run at one speed"
    power = whole.power
    for level, upper in (
        ("rack", "scalable-unit"),
        ("scalable-unit", "pod"),
        ("pod", "hall"),
        ("hall", "site"),
    ):
        low, high = (power.filter(pl.col("level") == one) for one in (level, upper))
        assert math.isclose(low["it_w"].sum(), high["it_w"].sum(), rel_tol=1e-9), "power sums agree"
    assert math.isclose(figures["power"]["it_mw"] * 1e6, power.item(0, "it_w"), rel_tol=1e-6)
    part = whole if whole.node_frame.height < 3000 else whole.pod(whole.pods[0])
    links = part.links
    assert not links.select("z", "z_port").is_duplicated().any(), "no port twice"
    assert not links.select("a", "a_port").is_duplicated().any(), "no interface twice"
    cabled = set(links.filter(pl.col("tier") == "host_leaf")["a"])
    for name, platform, pod in (
        part.servers_in_scope.drop_nulls("pod").select("name", "platform", "pod").rows()
    ):
        kinds = {group.fabric for group in catalog.platform(platform).node.nics}
        assert name in cabled or not kinds & {*whole.geometry.serving(pod)}, "servers of pods have cables"
    hosts = part.addresses.select(pl.col("address").str.split("/").list.first())
    assert not hosts.is_duplicated().any(), "no address twice"
    names = pl.concat([part.nodes["name"], part.switches["name"], part.companions["name"]])
    assert not names.is_duplicated().any(), "no name twice"
    if part is whole and whole.node_frame.height < 300:
        machines = machines_of(whole)
        assert len({machine.name for machine in machines}) == len(machines)
        called = table(whole, "names")
        assert not called.select(pl.col("kind") == "rack", "name").is_duplicated().any(), "no name of two"
        assert table(whole, "cabling").height == whole.links.height
        assert (table(whole, "materials")["count"] > 0).all()


def assert_phases(whole):
    """What is in service by a phase is a part of the whole, under its names, on its ports, at its watts."""
    for phase in whole.site.phases:
        part = plan(whole.site, phase.name)
        if not part.scope or whole.node_frame.height > 3000:
            continue
        for table_ in ("nodes", "links"):
            all_rows, own = getattr(whole, table_), getattr(part, table_)
            assert own.join(all_rows, on=own.columns, how="anti", nulls_equal=True).height == 0, table_
        figures, top = summary(part)["power"], part.power.row(0, named=True)
        assert math.isclose(figures["it_mw"] * 1e6, top["it_w"], rel_tol=1e-6), "power sums agree in a phase"
        assert top["it_w"] <= whole.power.item(0, "it_w") * (1 + 1e-9), "no phase takes more than the whole"


def judge(seed):
    """Whether the declaration was accepted; fails where it breaks something."""
    name, value = mutations.declaration(seed)
    text = text_of(value)
    start = time.monotonic()
    try:
        site = load_text(text)
        whole = plan(site)
        figures, found = summary(whole), findings(whole)
        accepted = not any(finding.severity == "error" for finding in found)
        if accepted:
            assert_invariants(whole, figures)
            assert_phases(whole)
    except UserError:
        accepted = False
    took = time.monotonic() - start
    assert took < MOST_SECONDS, f"seed {seed} ({name}) took {took:.0f} s"
    return accepted


@pytest.mark.parametrize("first", range(0, NUMBER, CHUNK))
def test_mutated_declarations(first):
    wrong = {}
    for seed in range(first, min(first + CHUNK, NUMBER)):
        try:
            judge(seed)
        except Exception as error:  # noqa: BLE001 (each is a failure, told with its seed)
            wrong[seed] = f"{type(error).__name__}: {error}"
    assert not wrong


def test_some_are_accepted():
    """The mutations are not all refused, so the invariants are put to the test."""
    accepted = sum(judge(seed) for seed in range(60))
    assert accepted >= 5
