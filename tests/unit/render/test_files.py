"""The rendered files, each read by the program that will read it on the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import asdict

import machines as hand
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.paths import ROOT
from infra.render import component_files, machine_facts, render, render_files, site_facts, unit_names
from infra.render.templates import TEMPLATES
from infra.roles import Component, role_specs
from infra.rollout.inventory.targets import targets
from infra.spec import load_site

pytestmark = pytest.mark.unit

EVERYONE = (*hand.TRAYS, hand.STORE, hand.HEAD, hand.LEAF, hand.SPINE)


def files_of(name, facts, site):
    return {file.path: file for file in render_files(facts[name], site)}


def check(command, tmp_path, text, name):
    """Run a checker on the text; `%s` is the file."""
    program = command[0]
    if shutil.which(program) is None:
        pytest.fail(f"{program} is not installed: see gigasite doctor")
    path = tmp_path / name
    path.write_text(text)
    words = [str(path) if word == "%s" else word for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", EVERYONE)
def test_every_file_says_what_made_it_and_how_to_make_it_again(name, facts, site):
    copies = {
        file.read_text() for file in (ROOT / "playbooks" / "files").rglob("*.*") if file.suffix != ".pyc"
    }
    head = r"(#!/bin/sh\n)?[#!] Made by gigasite from templates/\S+\.j2\b.*; .*`gigasite (up|render) lab"
    for file in files_of(name, facts, site).values():
        if file.text is not None and file.text not in copies:
            assert re.match(head, file.text), file.path


def test_a_tray_has_the_whole_health_check_as_it_is_here(facts, site):
    there = files_of(hand.TRAYS[0], facts, site)
    here = {
        file.name: file.read_text() for file in (ROOT / "playbooks" / "files" / "gpu_health").glob("*.py")
    }
    assert {"__main__.py", "nvml.py"} <= set(here)
    folder = "/usr/local/lib/gigasite/gpu_health/"
    assert {path.removeprefix(folder): one.text for path, one in there.items() if folder in path} == here
    assert not [path for path in files_of(hand.HEAD, facts, site) if "health" in path]


@pytest.mark.parametrize("name", [hand.LEAF, hand.SPINE])
def test_frr_takes_its_configuration(name, facts, site, tmp_path):
    done = check(
        ["vtysh", "-C", "-f", "%s"],
        tmp_path,
        files_of(name, facts, site)["/etc/frr/frr.conf"].text,
        "frr.conf",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_of_frr_can_fail(facts, site, tmp_path):
    text = files_of(hand.LEAF, facts, site)["/etc/frr/frr.conf"].text.replace("ip route", "ip rout3")
    assert check(["vtysh", "-C", "-f", "%s"], tmp_path, text, "frr.conf").returncode != 0


@pytest.mark.parametrize("name", EVERYONE)
def test_chrony_takes_its_configuration(name, facts, site, tmp_path):
    text = files_of(name, facts, site)["/etc/chrony/chrony.conf"].text
    done = check(["chronyd", "-p", "-f", "%s"], tmp_path, text, "chrony.conf")
    assert done.returncode == 0, done.stderr
    assert ("local stratum" in text) == (name == hand.HEAD)
    assert ("server 10.255.0.4 iburst" in text) == (name != hand.HEAD)


def test_slurm_reads_its_configuration_to_the_end(facts, site, tmp_path):
    text = files_of(hand.TRAYS[0], facts, site)["/etc/slurm/slurm.conf"].text
    done = check(
        ["env", "SLURM_CONF=" + str(tmp_path / "slurm.conf"), "scontrol", "-V"], tmp_path, text, "slurm.conf"
    )
    assert done.returncode == 0, done.stderr
    bad = check(
        ["env", "SLURM_CONF=" + str(tmp_path / "slurm.conf"), "scontrol", "-V"],
        tmp_path,
        text.replace("CPUs=1", "CPUs=one"),
        "slurm.conf",
    )
    assert bad.returncode != 0


def test_slurm_conf_is_the_same_on_every_machine_of_the_cluster(facts, site):
    texts = {
        path: {files_of(name, facts, site)[path].text for name in (*hand.TRAYS, hand.HEAD)}
        for path in ("/etc/slurm/slurm.conf", "/etc/slurm/topology.conf", "/etc/slurm/gres.conf")
    }
    assert all(len(found) == 1 for found in texts.values())


def test_slurm_conf_names_every_tray_by_its_loopback(facts, site):
    text = files_of(hand.HEAD, facts, site)["/etc/slurm/slurm.conf"].text
    nodes = dict(re.findall(r"^NodeName=(\S+) NodeAddr=(\S+)", text, re.MULTILINE))
    assert nodes == {hand.TRAYS[0]: "10.255.0.1", hand.TRAYS[1]: "10.255.0.2"}


def test_only_switches_get_routing_daemons_and_only_the_server_exports(facts, site):
    having = {
        path: {name for name in EVERYONE if path in files_of(name, facts, site)}
        for path in (
            "/etc/frr/frr.conf",
            "/etc/exports.d/gigasite.exports",
            "/etc/systemd/system/shared.mount",
        )
    }
    assert having == {
        "/etc/frr/frr.conf": {hand.LEAF, hand.SPINE},
        "/etc/exports.d/gigasite.exports": {hand.STORE},
        "/etc/systemd/system/shared.mount": {*hand.TRAYS, hand.HEAD},
    }


def test_secrets_are_named_and_never_rendered(facts, site):
    key = files_of(hand.TRAYS[0], facts, site)["/etc/munge/munge.key"]
    assert (key.secret, key.text, key.mode, key.owner) == ("munge.key", None, "0400", "munge")


def test_a_template_that_asks_for_an_unknown_fact_says_so(facts, site):
    with pytest.raises(UserError, match=r"templates/etc/hosts\.j2"):
        render("etc/hosts.j2", {"machine": {}, "site": {"name": "lab"}})


def test_a_rule_that_asks_for_an_unknown_fact_says_so(facts, site):
    known = {"machine": {}, "site": {}}
    rule = {"src": "etc/hosts.j2", "each": "site.nothing"}
    with pytest.raises(UserError, match=r"no fact 'site\.nothing'"):
        list(component_files(Component(files=[rule]), known))
    with pytest.raises(UserError, match=r"'/etc/\{machine\.nothing\}' names no fact"):
        list(component_files(Component(files=[{"folder": True, "path": "/etc/{machine.nothing}"}]), known))


def test_every_template_is_deployed_by_a_role():
    used = {
        rule.src
        for spec in role_specs().values()
        for component in spec.components.values()
        for rule in component.rules
        if rule.src
    }
    there = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.j2")}
    printed = ("controller/", "switches/")
    assert {path for path in used if not path.startswith(printed)} == {
        path for path in there if not path.startswith(printed)
    }
    assert used <= there


def test_units_are_those_of_the_machines_components(facts, site):
    units = {name: set(unit_names(facts[name], site)) for name in EVERYONE}
    everywhere = {
        "ssh.service", "systemd-networkd.service", "lldpd.service", "nftables.service", "chrony.service"
    }  # fmt: skip
    everywhere |= {"rsyslog.service", "prometheus-node-exporter.service"}
    collecting = {"prometheus.service", "prometheus-alertmanager.service", "logrotate.timer"}
    assert units == {
        **dict.fromkeys(
            hand.TRAYS,
            everywhere | {"munge.service", "slurmd.service", "shared.mount", "gigasite-command-line.service"},
        ),
        hand.HEAD: everywhere
        | collecting
        | {"munge.service", "slurmctld.service", "shared.mount", "unbound.service"}
        | {"gigasite-slurm-metrics.timer"},
        hand.STORE: everywhere | {"nfs-server.service", "srv-shared.mount"},
        **dict.fromkeys((hand.LEAF, hand.SPINE), everywhere | {"frr.service"}),
    }


def test_a_service_that_is_restarted_is_one_of_a_machine_like_it():
    """systemctl fails for a unit that is not there; a pattern that matches none is no failure."""
    lab = targets("lab")
    known, restarted = set(), set()
    for machine in lab.machines:
        facts = lab.facts_of(machine)
        known.update(unit_names(facts, lab.facts))
        restarted.update(
            word
            for file in render_files(facts, lab.facts)
            for word in (file.apply or "").split()
            if word.endswith((".service", ".timer", ".mount")) and "*" not in word
        )
    assert len(restarted) > 10
    assert restarted - known == set()


def test_time_is_configured_after_what_it_needs():
    """A client that starts before its server can be reached asks ever more seldom."""
    playbooks = ROOT / "playbooks"
    imported = [
        play["ansible.builtin.import_playbook"] for play in YAML(typ="safe").load(playbooks / "site.yml")
    ]
    order = [
        role["role"]
        for file in imported
        for play in YAML(typ="safe").load(playbooks / file)
        for role in play.get("roles", ())
    ]
    needed = ["base", "fabric", "time_server", "time_client"]
    assert sorted(needed, key=order.index) == needed


@pytest.mark.parametrize("name", EVERYONE)
def test_ansibles_own_template_lookup_prints_the_same(name, facts, site):
    """Templates stay usable by ansible.builtin.template: same settings, same text."""
    variables = {"machine": asdict(facts[name]), "site": asdict(site), "template": "etc/hosts.j2"}
    templar = Templar(DataLoader(), variables=variables)
    text = trust_as_template((TEMPLATES / "etc/hosts.j2").read_text())
    assert templar.template(text) == files_of(name, facts, site)["/etc/hosts"].text


def ruleset(name, facts, site):
    return files_of(name, facts, site)["/etc/nftables.conf"].text


def nft(text, tmp_path):
    """Lets nftables read a ruleset in a network of its own, which nothing else sees."""
    words = ["unshare", "--map-root-user", "--net", "nft", "--check", "--file", "%s"]
    if shutil.which("nft", path="/usr/sbin:/sbin") is None:
        pytest.fail("nft is not installed: see gigasite doctor")
    return check(words, tmp_path, text, "nftables.conf")


@pytest.mark.parametrize("name", EVERYONE)
def test_nftables_takes_its_configuration(name, facts, site, tmp_path):
    done = nft(ruleset(name, facts, site), tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_check_of_nftables_can_fail(facts, site, tmp_path):
    text = ruleset(hand.STORE, facts, site).replace("dport 2049", "dport nowhere")
    assert nft(text, tmp_path).returncode != 0


def test_zones_let_in_what_the_matrix_says_and_nothing_else(facts, site):
    lines = re.findall(r"^ +(.* accept) comment .*$", ruleset(hand.STORE, facts, site), re.MULTILINE)
    assert lines == [
        "meta l4proto { icmp, ipv6-icmp } accept",
        'iifname != { "data0" } tcp dport 22 accept',
        "ip saddr @zone_compute tcp dport 2049 accept",
        "ip saddr & 0.0.0.1 == 0.0.0.1 ip saddr @zone_compute.links tcp dport 2049 accept",
        "ip saddr @zone_management tcp dport 2049 accept",
        "ip saddr & 0.0.0.1 == 0.0.0.1 ip saddr @zone_management.links tcp dport 2049 accept",
        "ip saddr @zone_management tcp dport 22 accept",
        "ip saddr & 0.0.0.1 == 0.0.0.1 ip saddr @zone_management.links tcp dport 22 accept",
        "ip saddr @zone_management tcp dport 9100 accept",
        "ip saddr & 0.0.0.1 == 0.0.0.1 ip saddr @zone_management.links tcp dport 9100 accept",
    ]
    assert 'iifname "data4" tcp dport 179 accept' in ruleset(hand.LEAF, facts, site)
    assert 'iifname "data4" udp dport 3784 accept' in ruleset(hand.LEAF, facts, site)


def test_a_site_without_zones_has_no_firewall(hand_made):
    declared = load_site("lab")
    open_site = declared.model_copy(update={"security": type(declared.security)()})
    known = site_facts(open_site, tuple(hand_made.values()))
    one = machine_facts(hand_made[hand.STORE], hand_made, known)
    assert one.firewall is None
    assert "/etc/nftables.conf" not in {file.path for file in render_files(one, known)}
