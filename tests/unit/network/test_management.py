"""The management network of a site's switches: VLAN and gateway as declared, IPv4 alone."""

from __future__ import annotations

import pytest

from infra import paths
from infra.plan import plan
from infra.render.network.collecting import common_of, switches_of
from infra.render.network.facts import build
from infra.spec import load, load_text

pytestmark = pytest.mark.unit

SMALL = (paths.ROOT / "tests/cases/small/site.yaml").read_text(encoding="utf-8")


def oob(text):
    whole = plan(load_text(text))
    part = whole.pod("pod-01")
    tier = dict(part.switches.select("name", "tier").iter_rows())
    switch = next(switch for switch in switches_of(part) if tier[switch.name] == "oob")
    return whole, build(switch.profile, switch.values, common_of(whole))


def test_vlan_and_gateway_are_the_usual_ones_by_default():
    whole, facts = oob(SMALL)
    assert facts.vlan == 10
    hosts = set(
        whole.addresses.filter(whole.addresses["pool"] == "management")["address"].str.split("/").list.first()
    )
    assert facts.management_gateway.endswith(".1")
    assert facts.management_gateway not in hosts


def test_vlan_and_gateway_as_declared():
    text = SMALL.replace("  out_of_band:\n", "  out_of_band:\n    vlan: 2001\n")
    whole, facts = oob(text.replace("addresses:\n", "addresses:\n  management_gateway: last\n"))
    assert facts.vlan == 2001
    assert {port.vlan for port in facts.ports} == {2001}
    assert facts.management_gateway.endswith(".254")
    hosts = set(
        whole.addresses.filter(whole.addresses["pool"] == "management")["address"].str.split("/").list.first()
    )
    assert facts.management_gateway not in hosts


def test_a_site_of_ipv4_alone_has_no_other_address():
    whole = plan(load(paths.ROOT / "tests/cases/mixed-customer-site/site.yaml"))
    assert not whole.addresses["address"].str.contains(":", literal=True).any()
    facts = [build(s.profile, s.values, common_of(whole)) for s in switches_of(whole.pod("pod-03"))]
    assert {entry.family for entry in facts} == {"ip"}
