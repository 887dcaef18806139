"""Files of the role `accelerator` by platform, and the numbers in them."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from infra import paths
from infra.plan import findings, machines_of, plan
from infra.plan.tables.machines import Role
from infra.render import component_files, machine_facts, network, site_facts
from infra.render.deployment import component_units, has_component
from infra.roles import FOLDER, role_specs
from infra.roles.variables import load_variables
from infra.spec import load, load_site, load_text

pytestmark = pytest.mark.unit

CASES = Path(__file__).parents[2] / "cases"
GOLDEN = Path(__file__).parent / "golden" / "accelerator"
SITES = {
    "lab-tray": "lab",
    "gb300-nvl72": "reference",
    "hgx-b300": "reference-hgx",
    "mi355x": "mi355x-256-nodes",
    "dgx-h100": "dgx-h100-127-nodes",
}
NODES, PREFERENCES = "/etc/nvidia-imex/nodes_config.cfg", "/etc/apt/preferences.d/60-gigasite-nvidia.pref"
MODPROBE, PROGRAM = "/etc/modprobe.d/60-gigasite-nvidia.conf", "/usr/local/lib/gigasite/accelerator"
VARIABLES = load_variables(FOLDER / "accelerator").defaults


def declared(name):
    case = CASES / name / "site.yaml"
    return load(case) if case.exists() else load_site(name)


def trays_of(site):
    """Facts and files of the trays of a site's first pod."""
    whole = plan(site)
    machines = {machine.name: machine for machine in machines_of(whole, "pod-01")}
    common = network.common_of(whole)
    known = site_facts(site, [*machines_of(whole, site_level=True), *machines.values()], network=common)
    return {
        name: machine_facts(machine, machines, known)
        for name, machine in machines.items()
        if machine.role is Role.TRAY
    }


@cache
def trays(name):
    return trays_of(declared(name))


def parts_of(facts, variables=VARIABLES):
    """Components of the role that a tray has, and what they are rendered with."""
    known = {"machine": asdict(facts), "site": {"name": facts.site}, **variables}
    names = facts.applied.get("accelerator", ())
    components = [role_specs()["accelerator"].components[name] for name in names]
    return [component for component in components if has_component(component, known)], known


def files_of(facts, variables=VARIABLES):
    """Text by path."""
    components, known = parts_of(facts, variables)
    return {file.path: file.text for one in components for file in component_files(one, known)}


def units_of(facts):
    components, known = parts_of(facts)
    return [unit for one in components for unit in component_units(one, known)]


def first(name):
    return next(iter(trays(name).values()))


@pytest.mark.parametrize("platform", SITES)
def test_golden(platform):
    facts = first(SITES[platform])
    text = "".join(f"==> {path}\n{text}" for path, text in sorted(files_of(facts).items()))
    text += "".join(f"==> unit {unit}\n" for unit in units_of(facts))
    place = GOLDEN / f"{platform}.txt"
    if os.environ.get("GIGASITE_UPDATE"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert text == place.read_text(), "GIGASITE_UPDATE=1 writes it"


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("lab", 300),
        # 119.4 of 132 kW: 12.6 kW less for 72 accelerators of 1,400 W
        ("reference", 1225),
        ("reference-hgx", 1100),
        # 112 of 115 kW: 3 kW less for 64 of 1,400 W
        ("mi355x-256-nodes", 1353),
        ("dgx-h100-127-nodes", 700),
    ],
)
def test_the_limit_is_the_accelerators_part_of_what_its_rack_is_given(name, watts):
    facts = first(name)
    assert facts.accelerator.power_w == watts
    assert facts.health.accelerators.power_w == watts
    assert re.search(rf"(-pl |wanted=){watts}(000000)?\b", files_of(facts)[PROGRAM])


def test_every_tray_of_a_rack_has_the_same_list_with_its_own_address():
    lists = {}
    for facts in list(trays("reference").values())[:36]:
        text = files_of(facts)[NODES]
        assert facts.loopback in text.splitlines()
        lists.setdefault(facts.rack, set()).add(text)
    assert len(lists) == 2
    for (text,) in lists.values():
        assert len({*map(ipaddress.ip_address, text.splitlines())}) == 18


def test_a_rack_without_a_tray_has_a_shorter_list():
    text = (CASES / "small" / "site.yaml").read_text()
    without = text + "\nexceptions: [{at: pod-01-su-01-rack-02, missing: [3], reason: broken}]\n"
    found = {len(facts.accelerator.domain) for facts in trays_of(load_text(without, "small")).values()}
    assert found == {18, 17}


def blocked(site):
    return [one.message for one in findings(plan(site)) if one.id == "imex-blocked"]


def test_a_zone_that_keeps_imex_out_is_told():
    text = (paths.inventory("lab") / "site.yaml").read_text()
    assert blocked(load_text(text)) == []
    (message,) = blocked(load_text(text.replace("ports: [tcp/1024-65535]", "ports: [tcp/1024-49999]")))
    assert "zone `compute` lets none of its own in on tcp/50000" in message
    assert blocked(load_text(text.replace("ports: [tcp/1024-65535]", "ports: [tcp/50000]"))) == []


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_the_container_toolkit_reads_specifications_from_where_they_are_made(name):
    files = files_of(first(name))
    config = tomllib.loads(files["/etc/nvidia-container-runtime/config.toml"])
    made = re.search(r"--output=(\S+)/", files[PROGRAM])[1]
    assert made in config["nvidia-container-runtime"]["modes"]["cdi"]["spec-dirs"]
    assert config["nvidia-container-runtime"]["mode"] == "cdi"


def with_driver(version):
    text = (CASES / "small" / "site.yaml").read_text()
    return load_text(f'{text}\ndrivers: [{{platform: gb300-nvl72, version: "{version}"}}]\n', "small")


def test_a_declared_driver_is_what_packages_unit_and_health_check_want():
    facts = next(iter(trays_of(with_driver("580.159.3")).values()))
    files = files_of(facts)
    assert "\nPin: version 580.159.3-*\n" in files[PREFERENCES]
    assert "580.159.3" in files[PROGRAM]
    assert facts.health.accelerators.driver == "580.159.3"


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="this is no Debian")
@pytest.mark.parametrize(("pin", "follows"), [("2.*", True), ("580.*", False)])
def test_apt_reads_the_preferences(tmp_path, pin, follows):
    """Told of a package that this machine has, in the place of the driver's."""
    text = files_of(first("reference"))[PREFERENCES]
    text = re.sub("(?m)^Package: .*", "Package: *libc6* nothing*", text).replace("580.*", pin)
    (tmp_path / "60-gigasite.pref").write_text(text)
    command = ["apt-cache", "-o", f"Dir::Etc::PreferencesParts={tmp_path}", "policy", "libc6"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("1001" in done.stdout) is follows, done.stdout


def test_the_drivers_module_gets_the_options_of_plan_and_operator():
    own = {"accelerator_module_options": {"nvidia": "NVreg_RestrictProfilingToAdminUsers=0"}}
    text = files_of(first("reference"), VARIABLES | own)[MODPROBE]
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "blacklist nouveau",
        "options nouveau modeset=0",
        "options nvidia NVreg_CreateImexChannel0=1",
        "options nvidia NVreg_RestrictProfilingToAdminUsers=0",
    ]


def test_no_package_of_a_driver_is_in_the_image_of_stand_ins():
    assert role_specs()["accelerator"].packages == ()
