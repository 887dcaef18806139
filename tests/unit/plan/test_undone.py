"""What is declared and not done is told: services without a reader, a second leaf without cables."""

from __future__ import annotations

import pytest

from infra.paths import ROOT
from infra.plan import findings, machines_of, plan
from infra.plan.admission.notices import UNDONE
from infra.render import network
from infra.roles import role_specs
from infra.spec import load_site, load_text
from infra.spec.services import Services

pytestmark = pytest.mark.unit

LAB = (ROOT / "inventories" / "lab" / "site.yaml").read_text()


def told(site):
    return {(found.id, found.path) for found in findings(plan(site))}


def test_a_service_without_a_reader_is_told():
    assert not [one for one, _ in told(load_site("lab")) if one == "service-undone"]
    both = told(load_text(LAB.replace("  dns: head\n", "  dns: head\n  registry: storage\n")))
    assert both - told(load_site("lab")) == {("service-undone", "$.services.registry")}


def test_every_other_service_has_a_reader():
    """A role of its own, or switches that are told of it."""
    named = {
        path.removeprefix("services.")
        for spec in role_specs().values()
        for machines in (spec.machines, *(one.machines for one in spec.components.values()))
        if (path := machines.named_by)
    }
    assert not named & set(UNDONE), "a role does it now: take it out of UNDONE"
    read = {"domain", "ntp", "dns", "monitoring", "rollout", "power"}
    assert set(Services.model_fields) - set(UNDONE) == read
    changed = LAB.replace("  monitoring: head\n", "  monitoring: storage\n")
    first, second = (network.common_of(plan(load_text(text))) for text in (LAB, changed))
    assert first.log_servers != second.log_servers


def test_a_second_leaf_that_joins_nothing_is_an_error():
    two = load_text(LAB.replace("per: pod, count: 1", "per: pod, count: 2"))
    whole = plan(two)
    names = {machine.name for machine in machines_of(whole, "pod-01")}
    assert "pod-01-leaf-02" in names
    found = [one for one in findings(whole) if one.id == "fabric-islands"]
    assert [one.severity for one in found] == ["error"]
    assert "pod-01-leaf-02" in found[0].message
