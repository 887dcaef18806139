"""`ansible-inventory --list` of a big site: it says little of each machine, and all of it is true."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible import context
from ansible.cli.inventory import InventoryCLI
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

from benchmarks import inventory_runs
from infra import paths
from infra.errors import UserError
from infra.plan import machines_of, plan
from infra.plan.tables.addressing import management_addresses
from infra.rollout import ssh
from infra.rollout.inventory import answers
from infra.rollout.inventory.inventory import adopt
from infra.rollout.inventory.listing import LARGE, ask
from infra.rollout.inventory.roster_cache import roster_at
from infra.spec import load, load_site

pytestmark = pytest.mark.unit

SITE = paths.ROOT / "tests" / "cases" / "mixed-unit" / "site.yaml"
WORDS = ImmutableDict(list=True, export=False, yaml=False, toml=False, basedir=None, verbosity=0)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The inventory plugin, for which every site is a big one."""
    path = paths.ROOT / "playbooks" / "plugins" / "inventory" / "gigasite.py"
    spec = importlib.util.spec_from_file_location("gigasite_inventory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VALUES", 0)
    monkeypatch.setattr(paths, "state", lambda _="": tmp_path)
    monkeypatch.delenv("GIGASITE_POD", raising=False)
    return module


@pytest.fixture
def listed(plugin, monkeypatch):
    """Ansible's own listing, and the loader it used."""

    def of(source=SITE, **words):
        monkeypatch.setattr(context, "CLIARGS", ImmutableDict({**WORDS, **words}))
        cli = InventoryCLI.__new__(InventoryCLI)
        cli.loader = DataLoader()
        cli.inventory = InventoryManager(cli.loader, sources=[])
        plugin.InventoryModule().parse(cli.inventory._inventory, cli.loader, str(source))
        cli.inventory.reconcile_inventory()
        cli.vm = VariableManager(cli.loader, cli.inventory)
        text = cli.dump(cli.json_inventory(cli._get_group("all")))
        assert "__ansible_unsafe" not in text
        return json.loads(text)

    return of


def _merged(found, name):
    """Variables that a listing has for a machine: its own, and its groups' where it has these."""
    groups = [group for key, group in found.items() if key != "_meta" and name in group.get("hosts", ())]
    merged = {}
    for group in groups:
        merged |= group.get("vars", {})
    return merged | found["_meta"]["hostvars"].get(name, {})


@pytest.mark.parametrize("export", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_listing_says_how_each_machine_is_reached_as_a_play_knows_it(
    plugin, listed, monkeypatch, export, named
):
    monkeypatch.setattr(ssh, "NAMED", 10**6 if named else 0)
    found = listed(export=export)
    roster = roster_at(SITE)
    known = plugin._Variables(SITE, None, roster)
    of_site = known.of_site()
    for name in roster.names[:: len(roster.names) // 40]:
        plays = {**of_site, **known.of_host(name)}
        shown = _merged(found, name)
        for key in ("ansible_host", "ansible_ssh_extra_args"):
            if key in shown:
                code = shown[key].replace("{{ inventory_hostname }}", name)
                code = code.replace("{{ management_addresses[inventory_hostname] }}", "ADDRESS")
                address = shown.get("management_addresses", {}).get(name, "")
                shown[key] = code.replace("ADDRESS", address)
        for large in LARGE:
            assert shown.pop(large) == f"{{{{ lookup('gigasite', '{large}', source={str(SITE)!r}) }}}}"
        shown.pop("management_addresses", None)
        assert shown == {
            key: value
            for key, value in plays.items()
            if key not in LARGE and not key.startswith("inventory_")
        }


def test_groups_of_a_listing_are_those_of_the_plan(listed):
    found = listed(export=True)
    roster = roster_at(SITE)
    assert not found["_meta"]["hostvars"] or set(found["_meta"]["hostvars"]) == set(roster.names)
    for name in roster.groups:
        members = [roster.names[row] for row in roster.members(name)]
        assert found.get(name, {}).get("hosts", []) == members


def test_a_listing_of_few_machines_or_of_stand_ins_has_the_values(plugin, listed, monkeypatch):
    lab = paths.inventory("lab") / "site.yaml"
    found = listed(lab)
    assert found["_meta"]["hostvars"]["lab-head"]["machine"]["name"] == "lab-head"
    monkeypatch.setattr(plugin, "VALUES", 10**6)
    name = roster_at(SITE).names[0]
    assert listed()["_meta"]["hostvars"][name]["machine"]["name"] == name


def test_a_listing_is_an_inventory_itself(listed, tmp_path, monkeypatch):
    """Where it is read back, its expressions give what a play on the declaration sees."""
    monkeypatch.setattr(ssh, "NAMED", 0)
    listing = tmp_path / "listing.json"
    listing.write_text(json.dumps(listed(export=True)))
    script = tmp_path / "listing"
    script.write_text(f"#!/bin/sh\ncat {listing}\n")
    script.chmod(0o700)
    name = roster_at(SITE).names[-1]
    asked = "{{ {'machine': machine, 'made': made, 'site': site, 'host': ansible_host} | to_json }}"
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible", "-i", script, name, "-m", "debug", "-a", f"msg={asked}"],
        cwd=paths.ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "ANSIBLE_INVENTORY_ENABLED": "script", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout[done.stdout.index("{") :])["msg"]
    said = json.loads(said) if isinstance(said, str) else said
    (machine,) = [one for one in machines_of(plan(load(SITE)), cables=False) if one.name == name]
    assert said.pop("host") == machine.management_address
    assert said == json.loads(json.dumps(answers.variables(str(SITE), name)))
    assert said["machine"]["uuid"] == machine.uuid


def test_addresses_are_those_of_the_machines():
    planned = plan(load_site("reference"))
    for part, pod in ((planned.own_level(), None), (planned.pod("pod-03"), "pod-03")):
        found = management_addresses(part)
        for machine in machines_of(planned, pod, site_level=pod is None, cables=False):
            assert found.get(machine.name, machine.name) == machine.management_address
    assert answers.addresses(str(SITE)).keys() >= set(roster_at(SITE).names)


def test_who_asks_for_what_is_not_there_is_told_so_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^\S+site\.yaml: there is no machine 'nobody'$"):
        ask("variables", str(SITE), "nobody")
    with pytest.raises(UserError) as caught:
        ask("addresses", str(tmp_path / "site.yaml"))
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("words", ["'machin'", "'machine', 'site', 'machin'"])
def test_a_lookup_of_another_name_is_refused(words):
    lookup_loader.add_directory(str(paths.ROOT / "playbooks" / "plugins" / "lookup"))
    templar = Templar(loader=DataLoader(), variables={"inventory_hostname": "x"})
    with pytest.raises(AnsibleError, match="'machin' is none of machine, made, site"):
        templar.template(trust_as_template(f"{{{{ lookup('gigasite', {words}, source='x') }}}}"))


def test_a_listing_keeps_what_other_sources_say_of_a_planned_machine():
    roster = roster_at(SITE)
    manager = InventoryManager(DataLoader(), sources=[])
    inventory = manager._inventory
    adopt(inventory, roster, lambda _: {"own": 1}, dict, {"cordoned": []}, listing=True)
    one, two = roster.names[:2]
    inventory.set_variable(one, "colour", "red")
    inventory.add_group("painted")
    inventory.add_child("painted", one)
    manager.reconcile_inventory()
    assert manager.get_host(one).vars == {"own": 1, "colour": "red"}
    assert "painted" in [group.name for group in manager.get_host(one).groups]
    assert manager.get_host(two).vars == {"own": 1}
    assert manager.get_host(two)._vars is None, "a listing has no room for all"
    children = [group.name for group in inventory.groups["all"].child_groups]
    assert sorted(children) == sorted({*children} | {"painted"})


def test_the_benchmark_measures_each_program_alone():
    code = [sys.executable, "-c"]
    # This process is larger than both, and no part of either.
    ours = b"x" * 600_000_000
    _, large = inventory_runs._timed([*code, "print(len(b'x' * 300_000_000))"])
    took, small = inventory_runs._timed([*code, "import time; time.sleep(0.2)"])
    del ours
    assert 0.3 < large < 0.5
    assert small < 0.1
    assert took > 0.2
    with pytest.raises(UserError, match="nothing to list"):
        inventory_runs._timed([*code, "raise SystemExit('nothing to list')"])
