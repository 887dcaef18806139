"""Both ends of a cable have the same lossless class: files of a host and of its leaf are compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra.plan import machines_of, plan
from infra.plan.tables.machines import Role
from infra.render import machine_facts, network, render_files, site_facts
from infra.spec import load

pytestmark = pytest.mark.unit

CASES = Path(__file__).parents[2] / "cases"


def host_files(whole, pod):
    """A tray's facts and files, with its leaf's name."""
    machines = {machine.name: machine for machine in machines_of(whole, pod)}
    tray = next(machine for machine in machines.values() if machine.role is Role.TRAY)
    site = site_facts(whole.site, machines_of(whole, site_level=True), network=network.common_of(whole))
    facts = machine_facts(tray, machines, site)
    files = {file.path: file.text for file in render_files(facts, site) if "roce" in file.path}
    nccl = next(file.text for file in render_files(facts, site) if file.path == "/etc/nccl.conf")
    links = {nic.name: nic.peer[0] for nic in tray.nics if nic.peer and nic.fabric in site.asn_bases}
    return links, files["/etc/gigasite/roce.dcb"], nccl


def of_host(text, link):
    """DSCP to priority, and lossless priorities, as dcb reads them for a link."""
    (mapped,) = re.findall(rf"^app replace dev {link} dscp-prio (.*)$", text, re.MULTILINE)
    classes = {int(dscp): int(priority) for dscp, priority in (pair.split(":") for pair in mapped.split())}
    (paused,) = re.findall(rf"^pfc set dev {link} prio-pfc all:off (.*)$", text, re.MULTILINE)
    return classes, {int(word.split(":")[0]) for word in paused.split() if word.endswith(":on")}


def of_sonic(files):
    """The same of a switch that runs SONiC, and whether it marks congestion there."""
    config = json.loads(files["config_db.json"])
    (name,) = {entry["dscp_to_tc_map"] for entry in config["PORT_QOS_MAP"].values()}
    classes = {int(dscp): int(tc) for dscp, tc in config["DSCP_TO_TC_MAP"][name].items() if tc != "0"}
    (paused,) = {entry["pfc_enable"] for entry in config["PORT_QOS_MAP"].values()}
    lossless = {int(priority) for priority in paused.split(",")}
    queues = {
        int(queue.rpartition("|")[2]) for queue, entry in config["QUEUE"].items() if "wred_profile" in entry
    }
    return classes, lossless, queues


def of_nvue(files):
    """The same of a switch that runs Cumulus Linux."""
    (tree,) = [part["set"] for part in YAML(typ="safe").load(files["startup.yaml"]) if "set" in part]
    mapped = tree["qos"]["mapping"]["default-global"]["dscp"]
    classes = {int(dscp): int(entry["switch-priority"]) for dscp, entry in mapped.items()}
    marked = {int(tc) for tc in tree["qos"]["congestion-control"]["roce"]["traffic-class"]}
    return classes, marked if tree["qos"]["roce"]["mode"] == "lossless" else set(), marked


READERS = {"sonic": of_sonic, "nvue": of_nvue}


@pytest.mark.parametrize("case", ["roce-24k", "dgx-b300-ethernet-16-su"])
def test_host_and_switch_have_the_same_classes(case):
    whole = plan(load(CASES / case / "site.yaml"))
    links, dcb, nccl = host_files(whole, "pod-01")
    assert links
    part = whole.pod("pod-01")
    switches = list(network.switches_of(part, sorted(set(links.values()))))
    texts = dict(network.print_switches(switches, network.common_of(part)))
    system = {switch.name: switch.profile.system for switch in switches}
    for link, leaf in links.items():
        classes, lossless = of_host(dcb, link)
        theirs, paused, marked = READERS[system[leaf]](texts[leaf])
        assert classes == theirs, (link, leaf)
        assert lossless == paused == {3}
        assert lossless <= marked
        traffic_class = int(re.search(r"^NCCL_IB_TC=([0-9]+)$", nccl, re.MULTILINE)[1])
        # RFC 2474 and 3168: DSCP in the upper six bits, ECN-capable (ECT(0)) in the lower two.
        assert classes[traffic_class >> 2] in lossless
        assert traffic_class & 3 == 2
    assert {24, 26} <= {dscp for dscp, priority in classes.items() if priority == 3}


def test_a_stand_in_has_no_classes():
    from infra.spec import load_site  # noqa: PLC0415

    whole = plan(load_site("lab"))
    machines = {machine.name: machine for machine in machines_of(whole)}
    site = site_facts(whole.site, tuple(machines.values()))
    assert {machine_facts(machine, machines, site).roce for machine in machines.values()} == {None}
