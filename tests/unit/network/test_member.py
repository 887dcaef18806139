"""One source: a role deploys on a stand-in switch what `gigasite render` prints for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.plan import machines_of, plan
from infra.plan.tables.machines import Role
from infra.render import machine_facts, network, render_files, site_facts
from infra.spec import load_site, load_text

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))

import fabric_site

pytestmark = pytest.mark.unit

SITES = {
    "lab": lambda: load_site("lab"),
    "rails": lambda: load_text(fabric_site.RAILS),
    "tenants": lambda: load_text(fabric_site.TENANTS),
    "leaves": lambda: load_text(fabric_site.SITE.format(leaves=3, spines=2)),
}


@pytest.mark.parametrize("name", SITES)
def test_a_role_deploys_what_render_prints(name):
    whole = plan(SITES[name]())
    common = network.common_of(whole)
    texts = dict(network.print_switches(network.switches_of(whole), common))
    machines = {machine.name: machine for machine in machines_of(whole)}
    site = site_facts(whole.site, tuple(machines.values()), network=common)
    deployed = {
        name: file.text
        for name, machine in machines.items()
        if machine.role is Role.SWITCH
        for file in render_files(machine_facts(machine, machines, site), site)
        if file.path == "/etc/frr/frr.conf"
    }
    assert deployed == {name: files["frr.conf"] for name, files in texts.items()}
    assert len(deployed) > 0


def test_a_switch_with_a_system_of_its_own_gets_nothing_from_a_role():
    whole = plan(load_site("reference"))
    pod = machines_of(whole, "pod-01")
    switch = next(machine for machine in pod if machine.name == "pod-01-su-01-ns-leaf-01")
    machines = {machine.name: machine for machine in pod}
    site = site_facts(whole.site, (), network=network.common_of(whole))
    facts = machine_facts(switch, machines, site)
    assert facts.switch is None
    assert "fabric" not in facts.applied
