"""The action plugin `deploy`: which components a run's tags leave, and what the machine is asked."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from infra.errors import UserError
from infra.paths import ROOT
from infra.roles import role_specs
from infra.rollout.inventory.facts import site_at
from infra.rollout.push.request import request_of

pytestmark = pytest.mark.unit

BASE = ["login", "accounts", "sysctl", "interfaces", "zones"]


@pytest.fixture(scope="session")
def plugin():
    path = ROOT / "playbooks" / "plugins" / "action" / "deploy.py"
    spec = importlib.util.spec_from_file_location("deploy_action", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def action(plugin):
    def make(role, tags):
        made = plugin.ActionModule.__new__(plugin.ActionModule)
        made._task = SimpleNamespace(
            _role=SimpleNamespace(get_name=lambda: role), tags=tags, check_mode=False
        )
        return made

    return make


@pytest.fixture(scope="session")
def facts():
    site = site_at(ROOT / "inventories" / "lab" / "site.yaml")

    def of(name):
        return {"machine": site.machine_variables(name), "site": site.site_mapping(name)}

    return of


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (["all"], BASE),
        ([], BASE),
        (["base"], BASE),
        (["accounts"], ["accounts"]),
        (["zones", "login"], ["login", "zones"]),
        (["accounts", "base"], BASE),
        (["tagged"], BASE),
    ],
)
def test_a_runs_tags_choose_components_and_the_plays_tag_all(action, asked, chosen):
    base = action("base", ["base", *BASE])
    assert base.chosen(role_specs()["base"], BASE, {"ansible_run_tags": asked}) == chosen


def test_a_component_that_the_role_lacks_is_named(action):
    with pytest.raises(UserError, match=r"role base has no component 'kernel'.*role.yaml has login, acc"):
        action("base", []).chosen(role_specs()["base"], ["kernel"], {})


def test_a_role_without_a_data_file_is_named(action):
    with pytest.raises(UserError, match=r"roles/other/role.yaml: the role other has no data file"):
        action("other", []).spec("lab")


def test_the_request_has_the_machines_components_only(facts):
    names = list(role_specs()["slurm"].components)
    tray = request_of("slurm", names, facts("pod-01-su-01-rack-01-tray-01"))
    head = request_of("slurm", names, facts("lab-head"))
    assert tray["units"] == ["munge.service", "slurmd.service"]
    assert head["units"] == ["munge.service", "slurmctld.service", "gigasite-slurm-metrics.timer"]
    more = {one["path"] for one in head["files"]} - {one["path"] for one in tray["files"]}
    assert {path.rsplit("/", 1)[1].partition(".")[0] for path in more} == {
        "slurm_metrics", "gigasite-slurm-metrics"
    }  # fmt: skip
    assert all(one["content"] and one["quiet"] for one in tray["files"] if one["path"].endswith("munge.key"))


def test_a_part_of_a_role_prunes_nothing_that_another_part_deploys(facts):
    request = request_of("base", ["login"], facts("lab-head"))
    assert request["prune"] == ["/etc/ssh/authorized_keys.d/*"]
    assert "/etc/systemd/network/10-gigasite-loopback.network" in request["keep"]
    assert "/etc/slurm/slurm.conf" in request["keep"]
