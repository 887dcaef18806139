"""DHCP of the out-of-band network: each cable's end has its address, and Kea itself takes what is printed."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from infra import paths
from infra.cli import main
from infra.lab.prerequisites import program
from infra.plan import plan
from infra.render import network
from infra.render.network import dhcp
from infra.render.network.collecting import gateways
from infra.spec import catalog, load, load_site, load_text
from infra.spec.switch import System

sys.path.insert(0, str(Path(__file__).parents[1] / "plan"))

import sites

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden" / "dhcp"
CASES = Path(__file__).parents[2] / "cases"
SMALL = (CASES / "small" / "site.yaml").read_text(encoding="utf-8")
HEAD = "10.0.0.2"
"""Management address of the first server of these sites."""
OTHER_SWITCH = "eth-64x400g"
"""Its system's relay writes switch and port, so that Kea needs no hook."""


@pytest.fixture(scope="module")
def reference():
    whole = plan(load_site("reference"))
    return whole, dhcp.kea_files(whole)


def small(*, by_port=True):
    return plan(
        load_text(SMALL if by_port else SMALL.replace("switch: oob-48x1g", f"switch: {OTHER_SWITCH}"))
    )


def entries(files):
    """Network and reservation, of each file but the main one."""
    for name, text in files.items():
        if name != dhcp.MAIN:
            content = json.loads(text)
            yield from ((content, entry) for entry in content["reservations"])


def judge(files, folder):
    """Have Kea read the files; without the hook library, where this machine's Kea has none."""
    for name, text in files.items():
        (folder / name).write_text(text.replace(dhcp.INSTALLED, str(folder)), encoding="utf-8")
    main_file = folder / dhcp.MAIN
    text = main_file.read_text(encoding="utf-8")
    if not list(Path("/usr/lib").glob(f"*/kea/hooks/{dhcp.FLEX_ID['library']}")):
        text = re.sub(r'\s*"hooks-libraries": \[.*?\n  \],', "", text, flags=re.DOTALL)
        assert "hooks-libraries" not in text
        main_file.write_text(text, encoding="utf-8")
    kea = program("kea-dhcp4")
    assert kea is not None, "`gigasite doctor` says what is missing"
    # The lock of Kea's log lies where only root may write otherwise.
    places = os.environ | {"KEA_LOCKFILE_DIR": str(folder)}
    return subprocess.run(
        [kea, "-t", main_file], capture_output=True, text=True, check=False, timeout=120, env=places
    )


def accepted(done):
    assert done.returncode == 0, done.stderr[-2000:]
    assert "ERROR" not in done.stdout + done.stderr
    return sorted(re.findall(r"added to configuration: (\S+)", done.stdout + done.stderr))


def test_golden(reference):
    files = dhcp.kea_files(small())
    sums = {
        name: hashlib.sha256(text.encode()).hexdigest()
        for name, text in reference[1].items()
        if name in {dhcp.MAIN, "reference.json", "pod-01.json", "pod-54.json"}
    }
    files["reference.json"] = json.dumps(sums, indent=1) + "\n"
    if os.environ.get("GIGASITE_UPDATE"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    assert files == {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}


def judge_site(site):
    """Assert that each out-of-band cable's end has one reservation with its own address in its own subnet."""
    whole = plan(site)
    if not whole.geometry.management_fabrics:
        return
    found = Counter()
    addresses = set()
    networks = {}
    gates = gateways_of(whole)
    for subnet, entry in entries(dhcp.kea_files(whole)):
        (identifier,) = (entry[key] for key in ("flex-id", "circuit-id") if key in entry)
        found[identifier.strip("'")] += 1
        address = ipaddress.ip_address(entry["ip-address"])
        net = ipaddress.ip_network(subnet["subnet"])
        networks[subnet["id"]] = net
        assert address in net
        assert address not in {net.network_address, net.broadcast_address}
        assert subnet["option-data"] == [{"name": "routers", "data": gates[net]}]
        assert str(address) != gates[net]
        assert address not in addresses
        addresses.add(address)
        assert len(identifier) - 2 <= 128, "Kea takes no longer identifier"
        assert all(len(label) <= 63 for label in entry["hostname"].split("."))
    assert set(found.values()) <= {1}
    assert len(set(networks.values())) == len(networks)
    cables = whole.links.filter(whole.links["tier"] == "host_leaf")
    planned = {
        f"{z}:{port}"
        for fabric, z, port in cables.select("fabric", "z", "z_port").iter_rows()
        if whole.geometry.kinds[fabric] == "out-of-band"
    }
    assert set(found) == planned


def gateways_of(whole):
    """Gateways by the networks of the plan's management addresses."""
    by_pod = gateways(whole)
    own = whole.addresses.filter(whole.addresses["pool"] == "management").unique("pod")
    return {
        ipaddress.ip_interface(address).network: by_pod[pod]
        for address, pod in own.select("address", "pod").iter_rows()
    }


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sites.sites())
def test_each_cable_has_one_reservation_on_any_site(site):
    judge_site(site)


@pytest.mark.parametrize("name", ["small", "kinds-of-pods", "mixed-customer-site", "nvl72-ndr"])
def test_each_cable_has_one_reservation(name):
    judge_site(load(CASES / name / "site.yaml"))


def test_each_cable_of_the_reference_has_one_reservation(reference):
    whole, files = reference
    ends = dhcp.reservations(whole)
    assert ends.height == 510_669
    assert ends["address"].n_unique() == ends.height
    assert ends.select("switch", "port").is_duplicated().sum() == 0
    assert sum(text.count('"ip-address"') for text in files.values()) == ends.height


@pytest.mark.parametrize("by_port", [True, False])
def test_kea_takes_a_small_site(by_port, tmp_path):
    files = dhcp.kea_files(small(by_port=by_port))
    assert accepted(judge(files, tmp_path)) == ["10.0.0.0/20", "10.0.16.0/20"]
    assert ("libdhcp_flex_id.so" in files[dhcp.MAIN]) == by_port
    kinds = {key for _, entry in entries(files) for key in entry if key.endswith("-id")}
    assert kinds == ({"flex-id"} if by_port else {"circuit-id"})


def test_kea_takes_pods_of_the_reference(reference, tmp_path):
    files = {name: reference[1][name] for name in (dhcp.MAIN, "reference.json", "pod-01.json", "pod-02.json")}
    others = re.compile(r'\s*<\?include "/etc/kea/pod-(?!01|02)[0-9]+\.json"\?>,?')
    files[dhcp.MAIN] = re.sub(r",(\s*\])", r"\1", others.sub("", files[dhcp.MAIN]))
    assert accepted(judge(files, tmp_path)) == ["10.0.0.0/18", "10.0.128.0/18", "10.0.64.0/18"]


def test_kea_takes_a_customers_site(tmp_path):
    files = dhcp.kea_files(plan(load(CASES / "mixed-customer-site" / "site.yaml")))
    assert len(accepted(judge(files, tmp_path))) == len(files) - 1


def test_kea_refuses_what_is_wrong(tmp_path):
    files = dhcp.kea_files(small(by_port=False))
    files["pod-01.json"] = files["pod-01.json"].replace('"10.0.16.35"', '"10.0.16.34"')
    assert judge(files, tmp_path).returncode == 1


def test_what_stands_above_pods_shares_the_vlan_of_the_pod_that_it_is_cabled_to(reference):
    text = re.sub(r'<\?include "/etc/kea/([^"]+)"\?>', r'"\1"', reference[1][dhcp.MAIN])
    content = json.loads(text)["Dhcp4"]
    assert content["shared-networks"] == [{"name": "reference", "subnet4": ["pod-01.json", "reference.json"]}]
    assert content["subnet4"] == [f"pod-{pod:02d}.json" for pod in range(2, 55)]


def test_a_switch_is_told_where_its_own_files_are():
    whole = plan(load(CASES / "kinds-of-pods" / "site.yaml"))
    rendered = dict(network.print_switches(network.switches_of(whole), network.common_of(whole)))
    table = whole.switches.filter(~whole.switches["fabric"].is_in(whole.geometry.management_fabrics))
    systems = {
        name: catalog.system(catalog.switch(model).system)
        for name, model in table.select("name", "model").iter_rows()
    }
    told = {}
    for _, entry in entries(dhcp.kea_files(whole)):
        for option in entry.get("option-data", ()):
            _, _, server, switch, file = option["data"].split("/")
            assert (server, switch) == (HEAD, entry["hostname"])
            assert option["code"] == systems[switch].provisioning.option
            assert file in rendered[switch]
            told[switch] = systems[switch].name
    assert set(told) == {name for name, system in systems.items() if system.provisioning}
    assert set(told.values()) == {"sonic", "nvue"}


@pytest.mark.parametrize("model", ["ns-128x400g", "eth-64x800g"])
def test_a_script_fetches_every_other_file_of_its_switch(model, tmp_path):
    whole = plan(load(CASES / "kinds-of-pods" / "site.yaml"))
    name = whole.switches.filter(whole.switches["model"] == model)["name"][0]
    ((_, files),) = network.print_switches(network.switches_of(whole, [name]), network.common_of(whole))
    script = files.pop("ztp.sh")
    assert set(re.findall(rf"http://{HEAD}/{name}/(\S+)", script)) == set(files)
    (tmp_path / "ztp.sh").write_text(script, encoding="utf-8")
    subprocess.run(["sh", "-n", tmp_path / "ztp.sh"], check=True)
    # Cumulus Linux runs no script without it.
    assert ("# CUMULUS-AUTOPROVISIONING\n" in script) == (model == "eth-64x800g")


def test_arista_takes_its_configuration_itself():
    told = catalog.system("eos").provisioning
    assert (told.option, told.file) == (67, "startup-config")


def test_a_system_is_told_of_a_file_that_it_has():
    known = catalog.system("eos").model_dump()
    with pytest.raises(ValidationError, match=r"`ztp\.json` is none of the system's files"):
        System.model_validate(known | {"provisioning": {"option": 67, "file": "ztp.json"}})


def test_a_site_without_an_out_of_band_fabric_has_none(tmp_path, capsys):
    assert main(["render", "lab", "dhcp"]) == 1
    assert "lab has no out-of-band fabric" in capsys.readouterr().err
    assert main(["render", "lab", "--out", str(tmp_path)]) == 0
    assert not (tmp_path / dhcp.FOLDER).exists()


def test_files_are_written_beside_those_of_switches_and_compared(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(paths, "inventory", lambda site: CASES / site)
    assert main(["render", "small", "--out", str(tmp_path)]) == 0
    assert "wrote 28 switches and dhcp," in capsys.readouterr().out
    assert main(["render", "small", "--diff", str(tmp_path)]) == 0
    assert main(["render", "small", "dhcp"]) == 0
    assert "==> dhcp/kea-dhcp4.conf\n" in capsys.readouterr().out
    path = tmp_path / dhcp.FOLDER / "pod-01.json"
    path.write_text(path.read_text().replace('"10.0.16.35"', '"10.0.16.99"'))
    for words in ([], ["dhcp"]):
        assert main(["render", "small", *words, "--diff", str(tmp_path)]) == 1
        out = capsys.readouterr().out
        assert out.startswith("==> changed: dhcp\n--- pod-01.json\n")
        assert sum(line.startswith(("-{", "+{")) for line in out.splitlines()) == 2
    assert main(["render", "small", "pod-01-spine-01", "--diff", str(tmp_path)]) == 0
