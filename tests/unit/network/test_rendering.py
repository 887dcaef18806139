"""Configurations of switches, read by the programs that will read them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.plan import plan
from infra.render import network
from infra.render.network import printing
from infra.render.network.facts import HEAD, VALUES, valid_port
from infra.render.templates import TEMPLATES
from infra.spec import catalog, load, load_site, tiers

sys.path.insert(0, str(Path(__file__).parents[1] / "plan"))

import sites

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden"
CASES = Path(__file__).parents[2] / "cases"
SCOPES = {"lab": None, "reference": "pod-01", "reference-hgx": "pod-01"}
FULL = {
    "lab": ("pod-01-leaf-01",),
    "reference": ("pod-01-su-01-ns-leaf-01", "pod-01-su-01-leaf-01", "pod-01-su-01-rack-01-oob-01"),
    "reference-hgx": (),
}
"""Switches whose whole text is kept; of the others a hash for each tier is."""


def scope(site, pod):
    whole = plan(site)
    return whole.pod(pod) if pod else whole


@pytest.fixture(scope="module")
def rendered():
    """Plan, common facts, switches and texts of the lab and of a pod of each big site."""
    known = {}

    def get(name):
        if name not in known:
            part = scope(load_site(name), SCOPES[name])
            common = network.common_of(part)
            switches = list(network.switches_of(part))
            known[name] = part, common, switches, dict(network.print_switches(switches, common))
        return known[name]

    return get


def kinds(switches, each=2):
    """A few switches of each kind."""
    seen = defaultdict(int)
    for switch in switches:
        seen[switch.profile] += 1
        if seen[switch.profile] <= each:
            yield switch


def slowly(switch, common):
    return printing.print_facts(network.build(switch.profile, switch.values, common), printing.slow)


@pytest.mark.parametrize("name", SCOPES)
def test_golden(rendered, name):
    part, _, _, texts = rendered(name)
    tier = dict(part.switches.select("name", "tier").iter_rows())
    hashes = defaultdict(hashlib.sha256)
    for switch, files in texts.items():
        for file, text in sorted(files.items()):
            hashes[tier[switch]].update(f"{switch}/{file}\n{text}".encode())
    found = {key: value.hexdigest() for key, value in sorted(hashes.items())}
    place = GOLDEN / name
    if os.environ.get("GIGASITE_UPDATE"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "hashes.json").write_text(json.dumps(found, indent=1) + "\n")
        for switch in FULL[name]:
            (place / switch).mkdir(exist_ok=True)
            for file, text in texts[switch].items():
                (place / switch / file).write_text(text)
    for switch in FULL[name]:
        assert texts[switch] == {path.name: path.read_text() for path in (place / switch).iterdir()}
    assert found == json.loads((place / "hashes.json").read_text()), (
        f"`gigasite render {name} {SCOPES[name] or ''} --diff HEAD` says what changed; GIGASITE_UPDATE=1"
    )


@pytest.mark.parametrize("name", SCOPES)
def test_filled_texts_are_what_jinja_prints(rendered, name):
    _, common, switches, texts = rendered(name)
    for switch in kinds(switches, each=3):
        assert texts[switch.name] == slowly(switch, common)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sites.sites())
def test_filled_texts_are_what_jinja_prints_on_any_site(site):
    whole = plan(site)
    common = network.common_of(whole)
    switches = list(kinds(network.switches_of(whole), each=1))
    for switch, (name, files) in zip(switches, network.print_switches(switches, common), strict=True):
        assert (name, files) == (switch.name, slowly(switch, common))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sites.sites())
def test_every_cable_is_in_the_configuration_of_both_its_switches(site):
    whole = plan(site)
    common = network.common_of(whole)
    found = set()
    names = set()
    for switch in network.switches_of(whole):
        facts = network.build(switch.profile, switch.values, common)
        names.add(switch.name)
        found |= {(switch.name, port.name, port.peer, port.peer_port) for port in facts.ports if port.used}
        assert len({port.name for port in facts.ports}) == len(facts.ports)
        assert len({lane for port in facts.ports for lane in port.lanes.split(",")}) >= len(facts.ports)
    wanted = set()
    for a, a_port, z, z_port in whole.links.select("a", "a_port", "z", "z_port").iter_rows():
        wanted |= {(z, z_port, a, a_port)}
        if a in names and a_port != "mgmt0":
            wanted |= {(a, a_port, z, z_port)}
    assert found == wanted
    assert names == set(whole.switches["name"])


def test_a_slice_prints_what_the_whole_site_prints(rendered):
    _, _, _, texts = rendered("reference")
    site = plan(load_site("reference"))
    names = list(texts)[:: len(texts) // 7]
    whole = dict(network.print_switches(network.switches_of(site, names), network.common_of(site)))
    assert whole == {name: texts[name] for name in names}
    cores = network.switches_of(site.own_level())
    core = next(iter(cores))
    assert core.values == next(iter(network.switches_of(site, [core.name]))).values
    assert sum(VALUES[port.other] for port in core.profile.ports) == len(core.values) - HEAD > 100


@pytest.mark.parametrize("name", SCOPES)
def test_frr_takes_every_kind(rendered, name, tmp_path):
    _, _, switches, texts = rendered(name)
    found = [
        texts[switch.name]["frr.conf"]
        for switch in kinds(switches, each=1)
        if "frr.conf" in texts[switch.name]
    ]
    assert found
    for text in found:
        assert vtysh(text, tmp_path).returncode == 0, vtysh(text, tmp_path).stderr
        assert vtysh(text.replace("prefix-list site seq", "prefix-list site sek"), tmp_path).returncode != 0


def vtysh(text, folder):
    assert shutil.which("vtysh"), "vtysh is not installed: see gigasite doctor"
    (folder / "frr.conf").write_text(text)
    return subprocess.run(
        ["vtysh", "-C", "-f", folder / "frr.conf"], capture_output=True, text=True, check=False
    )


SCHEMA = json.loads((TEMPLATES / "switches/sonic/config_db.schema.json").read_text())


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_sonic_keeps_its_published_form(rendered, name):
    _, _, switches, texts = rendered(name)
    for switch in kinds(switches, each=1):
        if switch.profile.system == "sonic":
            judge_sonic(json.loads(texts[switch.name]["config_db.json"]))


def judge_sonic(content):
    """The schema, and what it cannot say: names that tables use of each other are there."""
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    ports = set(content["PORT"])
    for table in ("INTERFACE", "QUEUE", "BUFFER_PG", "PORT_QOS_MAP", "PFC_WD"):
        assert {key.split("|")[0] for key in content[table]} - {"GLOBAL"} <= ports
    assert set(content["CABLE_LENGTH"]["AZURE"]) == ports
    lanes = [lane for port in content["PORT"].values() for lane in port["lanes"].split(",")]
    assert len(set(lanes)) == len(lanes)
    maps = {
        "dscp_to_tc_map": "DSCP_TO_TC_MAP",
        "tc_to_queue_map": "TC_TO_QUEUE_MAP",
        "tc_to_pg_map": "TC_TO_PRIORITY_GROUP_MAP",
        "pfc_to_queue_map": "MAP_PFC_PRIORITY_TO_QUEUE",
    }
    for entry in content["PORT_QOS_MAP"].values():
        assert all(entry[field] in content[table] for field, table in maps.items())
    for entry in content["QUEUE"].values():
        assert entry["scheduler"] in content["SCHEDULER"]
        assert entry.get("wred_profile", "ROCE") in content["WRED_PROFILE"]


@pytest.mark.parametrize(
    ("table", "key", "field", "value"),
    [
        ("PORT", "Ethernet0", "fec", "reed"),
        ("PORT", "Ethernet0", "mtu", "9217"),
        ("PORT", "swp1", "speed", "400000"),
        ("WRED_PROFILE", "ROCE", "ecn", "ecn_blue"),
        ("QUEUE", "Ethernet0|3", "shaper", "x"),
        ("PORTS", "x", "y", "z"),
        ("VRF", "blue", "vni", "5001"),
        ("VLAN", "Vlan4095", "vlanid", "4095"),
        ("VXLAN_TUNNEL", "vtep", "source", "10.255.1.1"),
    ],
)
def test_the_schema_can_refuse(rendered, table, key, field, value):
    _, _, switches, texts = rendered("reference")
    name = next(switch.name for switch in switches if switch.profile.system == "sonic")
    content = json.loads(texts[name]["config_db.json"])
    content.setdefault(table, {}).setdefault(key, {"lanes": "0", "speed": "1000"} if table == "PORT" else {})[
        field
    ] = value
    with pytest.raises(jsonschema.ValidationError):
        judge_sonic(content)


def test_nvue_and_infiniband_are_yaml_with_one_entry_for_each_cable(rendered):
    for name in ("reference", "reference-hgx"):
        _, common, switches, texts = rendered(name)
        for switch in kinds(switches, each=1):
            for file, text in texts[switch.name].items():
                if file.endswith(".yaml"):
                    (entry,) = YAML(typ="safe", pure=True).load(text)
                    facts = network.build(switch.profile, switch.values, common)
                    told = {
                        port for port, value in entry["set"]["interface"].items() if "description" in value
                    }
                    assert told == {port.name for port in facts.ports if port.used}
                    assert entry["set"]["system"]["hostname"] == switch.name


def test_a_split_port_is_split_and_its_parts_are_named_by_its_system():
    whole = plan(load(CASES / "eight-planes-two-tiers" / "site.yaml")).pod("pod-02")
    common = network.common_of(whole)
    switch = next(iter(network.switches_of(whole)))
    (entry,) = YAML(typ="safe", pure=True).load(
        next(network.print_switches([switch], common))[1]["startup.yaml"]
    )
    interfaces = entry["set"]["interface"]
    assert interfaces["swp1"]["link"]["breakout"] == {"8x": {}}
    assert {name for name in interfaces if name.startswith("swp1s")} == {f"swp1s{part}" for part in range(8)}
    assert "router" not in entry["set"], "this fabric is routed statically"


def test_sonic_names_the_parts_of_a_split_port_by_their_first_lane():
    names = tiers.port_names(catalog.switch("ns-128x400g"), 2)
    assert names[:4] == ["Ethernet0", "Ethernet2", "Ethernet4", "Ethernet6"]


def test_arista_is_a_folder_and_a_line_of_the_catalog(rendered):
    _, common, switches, _ = rendered("reference")
    leaf = next(switch for switch in switches if switch.profile.system == "sonic")
    ports = tuple(replace(port, name=f"Ethernet{port.number + 1}") for port in leaf.profile.ports)
    other = replace(leaf, profile=replace(leaf.profile, system="eos", ports=ports))
    ((_, files),) = network.print_switches([other], common)
    assert files == slowly(other, common)
    text = files["startup-config"]
    assert len(re.findall(r"^interface Ethernet", text, re.MULTILINE)) == 128
    assert text.count("peer-group fabric remote-as external") == 44


@pytest.mark.parametrize("name", catalog.names("switches"))
def test_models_have_ports_that_their_system_knows(name):
    model = catalog.switch(name)
    assert model.system, "every model of the catalog has an operating system"
    for port in tiers.port_names(model, 1):
        assert valid_port(catalog.system(model.system), port)


@pytest.mark.parametrize("name", catalog.names("systems"))
def test_a_system_is_a_folder_of_templates(name):
    assert catalog.system(name).name == name
    for template in catalog.system(name).files.values():
        assert (printing.FOLDER / name / template).is_file()
    assert {path.name for path in printing.FOLDER.iterdir()} == set(catalog.names("systems"))


def test_an_unknown_fact_is_told_with_its_template_and_line(rendered, monkeypatch):
    _, common, switches, _ = rendered("lab")
    source = printing._source
    broken = {"frr/bgp.j2": "\n{{ switch.asnn }}\n"}
    monkeypatch.setattr(printing, "_source", lambda name: broken.get(name) or source(name))
    printing.environment.cache_clear()
    with pytest.raises(UserError, match=r"templates/switches/frr/bgp\.j2:2"):
        list(network.print_switches(switches, common))
    monkeypatch.undo()
    printing.environment.cache_clear()
