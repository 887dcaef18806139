"""Diagrams: true to the plan, readable at any size, and the labels and order of work that go with them."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from infra.errors import UserError
from infra.plan import plan
from infra.plan.tables.counts import step_name
from infra.report.diagrams import collection, labels, order, svg
from infra.report.diagrams.rack import draw_rack
from infra.report.diagrams.tiers import MOST_SWITCHES, draw_tiers
from infra.report.diagrams.unit import draw_unit
from infra.spec import load_site, load_text

pytestmark = pytest.mark.unit

NINE = """\
name: nine
layout: {pods: 1, scalable_units_per_pod: 6, racks_per_scalable_unit: 2, rack: {platform: lab-vm, nodes: 2}}
fabrics:
  north_south:
    tiers:
      - {name: leaf, switch: frr-vm, per: scalable-unit, count: 1, down: 4, up: 3}
      - {name: spine, switch: frr-vm, per: pod, count: 3, down: 6}
servers:
  - {name: head, role: management, platform: server-1u}
services: {domain: nine.internal, ntp: head}
addresses:
  management: 10.0.0.0/16
  management_pod: 20
  loopbacks: 10.255.0.0/20
  loopback_pod: 24
  links: 10.64.0.0/16
  link_pod: 24
"""
SITES = ("lab", "nine", "reference", "reference-hgx")
SPACE = "{http://www.w3.org/2000/svg}"


@cache
def planned(name):
    return plan(load_text(NINE) if name == "nine" else load_site(name))


@cache
def drawings(name):
    return dict(collection.draw(planned(name)))


def words(drawing):
    root = ET.fromstring(drawing.document())  # noqa: S314 (our own text)
    return [element.text or "" for element in root.iter(f"{SPACE}text")]


def extents(drawing):
    """Left, top, right and bottom of each text, by the average width of a character in a narrow font."""
    root = ET.fromstring(drawing.document())  # noqa: S314 (our own text)
    for element in root.iter(f"{SPACE}text"):
        kind = (element.get("class") or "").split()
        size = 15 if "head" in kind else 10 if "small" in kind else 11 if "dim" in kind else 12
        wide = len(element.text or "") * size * 0.5
        x, y = float(element.get("x")), float(element.get("y"))
        x -= {"end": wide, "middle": wide / 2}.get(element.get("text-anchor"), 0)
        yield x, y - size * 0.75, x + wide, y, element.text


@pytest.mark.parametrize("name", SITES)
def test_words_are_inside_and_apart(name):
    for title, drawing in drawings(name).items():
        found = list(extents(drawing))
        assert found, title
        for left, top, right, bottom, text in found:
            assert left >= -svg.MARGIN, (title, text)
            assert top >= -svg.MARGIN, (title, text)
            assert right <= drawing.width + svg.MARGIN, (title, text)
            assert bottom <= drawing.height + svg.MARGIN, (title, text)
        for one, other in combinations(found, 2):
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (title, one[4], other[4])


@pytest.mark.parametrize("name", SITES)
def test_a_screen_holds_each(name):
    for title, drawing in drawings(name).items():
        assert drawing.width <= 1600, title
        assert drawing.height <= 1600, title
        assert len(drawing.document()) < 300_000, title


def test_the_first_pod_of_each_site_has_every_kind():
    kinds = {name.split("-")[0] for name in drawings("reference")}
    assert kinds == {"tiers", "rows", "unit", "rack"}


def test_few_switches_are_drawn_one_by_one():
    shown = words(drawings("nine")["tiers-north-south"])
    for switch in planned("nine").switches["name"]:
        assert any(switch.endswith(text.lstrip("…")) for text in shown if "-" in text), switch
    assert planned("nine").switches.height == 9 <= MOST_SWITCHES


def test_many_switches_are_counted_with_their_oversubscription():
    shown = words(drawings("reference")["tiers-east-west"])
    assert {"6,912 × leaf", "3,888 × spine", "576 × core", "8:1 above spine", "1:1 above leaf"} <= set(shown)
    assert "497,664 cables" in shown


def test_bands_are_as_wide_as_their_capacity():
    text = draw_tiers(planned("reference"), "east-west").svg()
    widths = [
        float(points[1].split(",")[0]) - float(points[0].split(",")[0])
        for points in (found.split() for found in re.findall(r'points="([^"]+)"', text))
    ]
    assert widths[1] == widths[2]
    assert widths[1] / widths[0] == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize("name", SITES)
def test_a_units_crossings_are_all_its_cables(name):
    scope = planned(name) if name == "lab" else planned(name).pod("pod-01")
    drawing = draw_unit(scope, "pod-01-su-01")
    counts = [int(found) for found in re.findall(r"<title>(\d+) cables of", drawing.svg())]
    (total,) = [int(text.split(" ")[0].replace(",", "")) for text in words(drawing) if " cables of " in text]
    assert sum(counts) == total


@pytest.mark.parametrize("rack", ["pod-01-su-01-rack-01", "pod-01-su-01-net-01"])
def test_a_rack_shows_every_cable_end_in_it(rack):
    pod = planned("reference").pod("pod-01")
    text = draw_rack(pod, rack).svg()
    links = pod.links
    ends = (links["a_rack"] == rack).sum() + (links["z_rack"] == rack).sum()
    assert len(re.findall(r"<title>[^<]* → ", text)) == ends


def test_places_that_are_not_there_are_refused():
    for place in ("pod-99", "pod-01-su-99", "rack-of-nowhere"):
        with pytest.raises(UserError):
            list(collection.draw(planned("lab"), place))
        with pytest.raises(UserError):
            labels.labels_of(planned("lab"), place)


def test_each_cable_has_a_label_for_both_ends():
    rack = "pod-01-su-01-rack-01"
    found = labels.labels_of(planned("reference"), rack)
    cables = planned("reference").pod("pod-01").links
    assert len(found) == 2 * (cables["a_rack"] == rack).sum()
    for near, far in zip(found[::2], found[1::2], strict=True):
        assert (near.device, near.port, near.at) == (far.far_device, far.far_port, far.far_at)
        assert (near.far_device, near.far_port, near.far_at) == (far.device, far.port, far.at)
    page = labels.print_sheets(found, "labels")
    assert page.count('class="sheet"') == -(-len(found) // labels.PER_SHEET)
    assert page.count('class="label"') == len(found)


@pytest.mark.parametrize("name", SITES)
def test_the_order_puts_everything_in_once(name):
    whole = planned(name)
    steps = order.installation_order(whole.site)
    cables = sum(step.count for step in steps if "trunks" in step.what or "cables" in step.what)
    assert cables == whole.links.height
    racks = sum(step.count for step in steps if step.what.endswith(("racks", "CDUs")))
    assert racks == whole.racks.height
    inside = {tier.name for tier in whole.geometry.every_tier if tier.per == "rack"}
    switches = sum(step.count for step in steps if step.what.endswith("switches"))
    assert switches == whole.switches.filter(~whole.switches["tier"].is_in(list(inside))).height


def test_the_network_stands_before_what_it_serves():
    for phase in ("2026", "2027", "2028"):
        steps = [
            step.what for step in order.installation_order(planned("reference").site) if step.phase == phase
        ]
        assert steps.index("compute racks") > max(i for i, what in enumerate(steps) if "switches" in what)
        assert all(
            step_name(0).replace("_", "–") in what for what in steps[steps.index("compute racks") + 1 :]
        )


def test_the_documents_diagrams_are_of_this_plan(monkeypatch):
    folder = Path(__file__).resolve().parents[3] / "docs"
    monkeypatch.syspath_prepend(folder)
    import print_examples  # noqa: PLC0415

    for name in print_examples.DIAGRAMS:
        shown = (folder / "images" / f"{name}.svg").read_text(encoding="utf-8")
        assert shown == drawings("reference")[name].document(), "run `python docs/print_examples.py`"
