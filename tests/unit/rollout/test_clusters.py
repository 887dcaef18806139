"""Slurm clusters: all of their pods whatever pod is selected, each with a controller of its own."""

from __future__ import annotations

import pytest

from infra.plan import plan
from infra.plan.admission.admission import findings
from infra.plan.tables.names import names
from infra.render import render_files
from infra.rollout.inventory.targets import targets_of
from infra.spec import load_site
from infra.spec.layout import Exception_
from infra.spec.names import Names

pytestmark = pytest.mark.unit


def site_of(per, *, heads=1, pods=4):
    """The lab with more pods, two in each building."""
    lab = load_site("lab")
    slurm = lab.schedulers.slurm.model_copy(update={"per": per})
    layout = lab.layout.model_copy(update={"pods": pods, "pods_per_hall": 1, "halls_per_building": 2})
    servers = (lab.servers[0].model_copy(update={"count": heads}), *lab.servers[1:])
    schedulers = lab.schedulers.model_copy(update={"slurm": slurm})
    return lab.model_copy(update={"layout": layout, "servers": servers, "schedulers": schedulers})


def texts(site, pod, path):
    """File by machine, as deployed when this pod is selected."""
    found = targets_of(plan(site), pod)
    return {
        machine.name: file.text
        for machine in found.machines
        for file in render_files(found.facts_of(machine), found.facts)
        if file.path == path
    }


@pytest.mark.parametrize("path", ["/etc/slurm/slurm.conf", "/etc/slurm/topology.conf", "/etc/hosts"])
@pytest.mark.parametrize(("per", "heads"), [("site", 1), ("building", 2), ("pod", 4)])
def test_no_file_depends_on_the_selected_pod(path, per, heads):
    site = site_of(per, heads=heads)
    whole = texts(site, None, path)
    for pod in plan(site).pods:
        part = texts(site, pod, path)
        controllers = {f"lab-head-{number:02d}" for number in range(2, heads + 1)} | {"lab-head"}
        for name, text in part.items():
            # Heads that control no cluster of this pod are told of the cluster at hand.
            if name not in controllers or path == "/etc/hosts" or per == "site":
                assert text == whole[name], (pod, name)


def test_machines_know_each_other_by_their_declared_names_as_well():
    site = site_of("site", heads=1)
    called = {
        "tray": "paris1-gpu-r{site_rack:02}-u{unit:02}",
        "switch": "{name} (leased)",
        "as_is": {"lab-storage": "Old-NAS", "lab-head": "localhost"},
    }
    site = site.model_copy(update={"names": Names.model_validate(called)})
    own = {
        line.split()[2]: line.split()[3:]
        for line in texts(site, None, "/etc/hosts")["lab-head"].splitlines()[3:]
    }
    trays = [name for name in own if "tray" in name]
    assert [own[tray] for tray in trays] == [[name] for name in names(plan(site)).filter(kind="tray")["name"]]
    assert own["lab-storage"] == ["Old-NAS"]
    # A name by which no host can be reached stays on the labels.
    assert own["lab-head"] == []
    assert [own[name] for name in own if "leaf" in name] == [[]] * sum("leaf" in name for name in own)


def test_a_cluster_has_all_pods_of_its_building_and_no_others():
    conf = texts(site_of("building", heads=2), None, "/etc/slurm/slurm.conf")
    for head, name, pods in (
        ("lab-head", "lab-building-01", ("pod-01", "pod-02")),
        ("lab-head-02", "lab-building-02", ("pod-03", "pod-04")),
    ):
        lines = conf[head].splitlines()
        assert f"ClusterName={name}" in lines
        assert [line for line in lines if line.startswith(f"SlurmctldHost={head}(")]
        nodes = [line.split()[0].removeprefix("NodeName=") for line in lines if line.startswith("NodeName=")]
        assert nodes == [f"{pod}-su-01-rack-01-tray-0{tray}" for pod in pods for tray in (1, 2)]
        assert conf[nodes[0]] == conf[head]


def test_a_tray_set_aside_is_drained():
    site = site_of("site")
    spare = Exception_.model_validate({"at": "pod-02-su-01-rack-01", "pool": "spare", "reason": "test"})
    text = texts(site.model_copy(update={"exceptions": (spare,)}), "pod-01", "/etc/slurm/slurm.conf")[
        "lab-head"
    ]
    lines = [line for line in text.splitlines() if line.startswith("NodeName=")]
    assert ['State=DRAIN Reason="set aside: spare"' in line for line in lines] == [False] * 2 + [True] * 2 + [
        False
    ] * 4


def test_time_servers_follow_each_other_where_there_are_several():
    one = texts(site_of("site"), None, "/etc/chrony/chrony.conf")
    assert "orphan" not in one["lab-head"]
    several = texts(site_of("site", heads=3), None, "/etc/chrony/chrony.conf")
    found = targets_of(plan(site_of("site", heads=3)))
    loopbacks = {machine.name: machine.loopback for machine in found.machines}
    heads = ["lab-head", "lab-head-02", "lab-head-03"]
    for head in heads:
        assert "local stratum 10 orphan" in several[head].splitlines()
        polled = {line.split()[1] for line in several[head].splitlines() if line.startswith("server ")}
        assert polled == {loopbacks[other] for other in heads if other != head}
    polled = {line.split()[1] for line in several["lab-storage"].splitlines() if line.startswith("server ")}
    assert polled == {loopbacks[head] for head in heads}


def test_too_few_controllers_are_refused():
    found = findings(plan(site_of("building", heads=1)))
    [finding] = [finding for finding in found if finding.id == "slurm-controllers"]
    assert finding.severity == "error"
    assert "1 servers is less than 2 servers" in finding.message
