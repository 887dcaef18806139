"""The connectivity matrix: what it allows is what firewalls are told, and every refusal has its reason."""

from __future__ import annotations

import pytest

from infra.plan import plan
from infra.plan.tables.machines import Role
from infra.render.firewall import allowed_inbound
from infra.render.matrix import OPEN, ROCE, Matrix, Probe, compare_probes, endpoints
from infra.spec import load_site

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module", params=["lab", "reference", "reference-hgx"])
def site(request):
    return load_site(request.param)


def test_every_pair_of_zones_has_a_verdict_with_a_reason(site):
    pairs = list(Matrix(site).pairs())
    zones = [zone.name for zone in site.security.zones]
    assert {(pair.source, pair.target) for pair in pairs} >= {(a, b) for a in zones for b in zones}
    for pair in pairs:
        assert pair.reason or all(
            one.reason and one.rule.startswith("$.security.allow[") for one in pair.passes
        )


def test_it_allows_what_the_firewalls_let_in(site):
    matrix = Matrix(site)
    inbound = {
        (rule.zone, zone, rule.protocol, rule.ports)
        for zone, rules in allowed_inbound(site).items()
        for rule in rules
    }
    mine = {
        (pair.source.replace("-", "_"), pair.target.replace("-", "_"), *one.ports.split("/"))
        for pair in matrix.pairs()
        for one in pair.passes
    }
    assert mine == inbound


def test_a_range_ends_where_it_is_declared():
    matrix = Matrix(load_site("lab"))
    tray = Role.TRAY
    for port, may in ((1023, False), (1024, True), (65535, True)):
        assert matrix.decide(tray, tray, "tcp", port).allowed is may
    refused = matrix.decide(tray, Role.STORAGE, "udp", ROCE)
    assert refused == (False, "compute may reach only tcp/2049 of storage", "$.security.allow")
    assert matrix.decide(Role.STORAGE, tray, "tcp", 22).reason == "no rule allows storage to reach compute"


def test_machines_without_a_zone_are_open():
    lab = load_site("lab")
    zones = tuple(zone for zone in lab.security.zones if zone.name != "network")
    allow = tuple(one for one in lab.security.allow if "network" not in {one.source, one.target})
    site = lab.model_copy(
        update={"security": lab.security.model_copy(update={"zones": zones, "allow": allow})}
    )
    matrix = Matrix(site)
    assert matrix.decide(Role.TRAY, Role.SWITCH, "tcp", 22).allowed
    assert not matrix.decide(Role.SWITCH, Role.TRAY, "tcp", 22).allowed
    assert {pair.target for pair in matrix.pairs() if pair.open} == {OPEN}


def test_addresses_that_nothing_joins_have_no_path():
    ends = endpoints(plan(load_site("lab")))
    matrix = Matrix(load_site("lab"))
    tray = next(end for end in ends if end.role is Role.TRAY)
    storage = next(end for end in ends if end.role is Role.STORAGE)
    assert matrix.decide_ends(tray, storage, "tcp", 2049).allowed
    assert tray.network == "north-south at pod-01-leaf-01"
    elsewhere = storage._replace(network="east-west", interface="rail0")
    decided = matrix.decide_ends(tray, elsewhere, "tcp", 2049)
    assert decided == (
        False,
        "nothing joins them: lo is on north-south at pod-01-leaf-01 and rail0 is on east-west",
        "$.fabrics",
    )
    (told,) = compare_probes(matrix, [Probe(tray, elsewhere, "tcp", 2049, True)])
    assert told.startswith(f"a deny leaks: {tray.machine} lo")
