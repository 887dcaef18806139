"""Names, groups and patterns of a site's machines, beside Ansible's own answers."""

from __future__ import annotations

import json

import polars as pl
import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import paths
from infra.errors import UserError
from infra.plan import machines_of, plan
from infra.rollout import cordon
from infra.rollout.inventory.facts import site_at
from infra.rollout.inventory.inventory import adopt
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster import DOMAINS
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.inventory.roster_table import roster_of
from infra.spec import load, load_site
from infra.spec.fabric import Fabric

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def big():
    return roster_at(paths.inventory("reference") / "site.yaml")


def test_the_roster_has_the_plans_machines():
    roster = roster_at(paths.inventory("reference") / "site.yaml", "pod-07")
    planned = plan(load_site("reference"))
    machines = [
        *machines_of(planned, site_level=True, cables=False),
        *machines_of(planned, "pod-07", cables=False),
    ]
    assert set(roster.names) == {machine.name for machine in machines}
    for machine in machines:
        groups = roster.groups_of(roster.rows[machine.name])
        assert f"role_{machine.role}" in groups
        assert roster.pods[roster.rows[machine.name]] == machine.pod
        for kind, name in (("rack", machine.rack), ("su", machine.su), ("pod", machine.pod)):
            assert (f"{kind}_{name}".replace("-", "_") in groups) == bool(name), (machine.name, groups)


def test_a_kept_roster_is_the_same_and_a_damaged_one_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "state", lambda: tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / ".gigasite").mkdir()
    for folder in ("infra/spec", "infra/plan", "infra/rollout/inventory"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "infra/rollout/inventory/roster_table.py").touch()
    for folder in ("playbooks", "templates"):
        (tmp_path / folder).symlink_to(paths.Path(__file__).parents[3] / folder)
    source = tmp_path / "site.yaml"
    source.write_text((paths.Path(__file__).parents[3] / "inventories/lab/site.yaml").read_text())
    first = roster_at(source)
    (kept,) = (tmp_path / ".gigasite" / "rosters").glob("*.roster")
    assert roster_at(source) == first
    kept.write_bytes(kept.read_bytes()[:100])
    assert roster_at(source) == first
    source.write_text(source.read_text().replace("slots: [1, 2]", "slots: [1, 2, 3]"))
    assert len(roster_at(source).names) == len(first.names) + 1


def test_every_tray_of_the_reference_has_its_failure_domains(big):
    trays = big.members("role_tray")
    assert len(trays) == 124_416
    assert all(len(big.domains_of(row)) == len(DOMAINS) for row in trays[::997])
    assert len(big.members("nvlink_pod_01_su_01_rack_01")) == 18
    # 84 trays of a scalable unit's 144 are on its first pair of leaves (84 ports down), 60 on the next
    assert len(big.members("leaf_pair_pod_01_su_01_ns_leaf_01")) == 84
    assert len(big.members("leaf_pair_pod_01_su_01_ns_leaf_02")) == 60
    storage = 13 * 16
    in_phase = len([row for row in trays if row]) // 54 * 13 + _switches(big, 13) + storage
    assert len(big.members("phase_2026")) == in_phase
    assert len(big.members("pool_spare")) == 144
    assert len(big.members("partition_main")) == 124_416 - 144


def _switches(roster, pods):
    first = {f"pod-{index + 1:02d}" for index in range(pods)}
    return sum(roster.pods[row] in first for row in roster.members("role_switch"))


def test_rows_of_every_kind_of_pod_have_their_busways_and_coolers():
    """Trays of a hall with feeds of its own are in its rows' groups; an air-cooled hall has no CDUs."""
    whole = plan(load(paths.ROOT / "tests" / "cases" / "kinds-of-pods" / "site.yaml"))
    frame = roster_of(whole)
    trays = whole.nodes.filter(pl.col("role") == "tray")
    for kind, pods in (("feed", set(whole.pods)), ("cdu", set(whole.pods) - {"pod-03", "pod-04"})):
        column = frame.columns[kind]
        groups = {name: column[row] for row, name in enumerate(frame.names)}
        for name, pod, su in trays.select("name", "pod", "su").rows():
            assert (groups[name] is not None) == (pod in pods)
            assert groups[name] is None or su.replace("-", "_") in groups[name].replace("-", "_")


def test_people_may_write_spaces(big):
    found = select(big, "pod_pod_01 & role_tray & !cordoned", {"cordoned": [big.members("role_tray")[0]]})
    assert len(found) == 2303
    assert select(big, "pod_pod_01:&role_tray:!cordoned", {"cordoned": []})[0] == found[0] - 1


def test_every_kind_of_group_that_people_name_is_there(big):
    kinds = ["site", "building", "hall", "pod", "su", "rack", "role", "platform", "leaf_pair", "feed", "cdu"]
    kinds += ["nvlink", "phase", "partition main"]
    tray = big.members("role_tray")[0]
    assert {kind: big.columns[kind][tray] for kind in kinds if not big.columns[kind][tray]} == {}


def test_health_is_what_the_latest_checks_said(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "out", lambda _: tmp_path)
    monkeypatch.setattr(cordon, "_file", lambda fleet: tmp_path / fleet / "cordoned.json")
    roster = roster_at(paths.inventory("lab") / "site.yaml")
    one, two = (roster.names[row] for row in roster.members("role_tray"))
    none = {"cordoned": [], "health_ok": [], "health_failed": [], "health_unknown": [*range(5)]}
    assert dict(Observed(roster)) == none
    said = [(one, "failed"), (one, "passed"), (two, "passed"), (two, "skipped"), ("", "failed")]
    said += [("lab-head", "skipped"), ("lab-storage", "error")]
    checks = [{"machine": name, "outcome": outcome} for name, outcome in said]
    (tmp_path / "verify.json").write_text(json.dumps({"checks": checks}))
    seen = Observed(roster)
    names = lambda pattern: [roster.names[row] for row in select(roster, pattern, seen)]  # noqa: E731
    assert set(names("health_failed")) == {one, "lab-storage"}
    assert names("health_failed & role_tray") == [one]
    assert names("role_tray:!health_failed:!cordoned") == [two]
    assert set(names("health_*")) == set(roster.names)
    assert "lab-head" in names("health_unknown")
    assert dict(Observed(roster, "lab/simulated")) == none, "nobody verifies simulated machines"
    manager = InventoryManager(DataLoader(), sources=[])
    adopt(manager._inventory, roster, lambda _: {}, dict, seen, listing=False)
    assert [host.name for host in manager.get_hosts("health_failed:&role_tray")] == [one]
    assert "health_failed" in [group.name for group in manager.get_host(one).groups]
    (tmp_path / "verify.json").write_text('{"checks": [7]}')
    with pytest.raises(UserError, match=r"verify\.json: this file is damaged"):
        select(roster, "health_ok", Observed(roster))
    assert select(roster, "role_tray:!cordoned", Observed(roster)) == list(roster.members("role_tray"))


def test_words_that_name_nothing_are_all_named_with_a_near_one(big):
    with pytest.raises(UserError, match=r"'pod_pod_99', 'role_trey'.*pod_pod_9|'pod_pod_99', 'role_trey'"):
        select(big, "pod_pod_99:&role_trey")


WORDS = [
    *("all", "role_tray", "role_switch", "pod_pod_01", "rack_*", "lab-*", "~lab-(head|storage)", "site_lab"),
    *("role_tray[0]", "role_tray[-1]", "role_tray[0:1]", "lab-head", "su_pod_01_su_01"),
]


@given(st.lists(st.tuples(st.sampled_from(["", "&", "!"]), st.sampled_from(WORDS)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_patterns_mean_what_ansible_means(parts):
    source = paths.inventory("lab") / "site.yaml"
    roster = roster_at(source)
    manager = InventoryManager(DataLoader(), sources=[])
    adopt(manager._inventory, roster, lambda _: {}, dict, {"cordoned": []}, listing=False)
    pattern = [sign + word for sign, word in parts]
    theirs = {host.name for host in manager.get_hosts(pattern)}
    assert {roster.names[row] for row in select(roster, pattern)} == theirs, pattern


def test_facts_of_one_machine_need_its_own_pod_only():
    site = site_at(paths.inventory("reference") / "site.yaml")
    site._pods.clear()
    facts = site.machine_variables("pod-03-su-01-rack-01-tray-01")
    assert facts["pod"] == "pod-03"
    assert set(site._pods) <= {None, "pod-03"}
    assert site.site_variables()["hosts"] == []


@pytest.mark.parametrize("site", ["lab", "reference"])
def test_each_column_has_a_label_or_none_for_each_machine(site):
    roster = roster_at(paths.inventory(site) / "site.yaml", None if site == "lab" else "pod-01")
    assert {len(column.codes) for column in roster.columns.values()} == {len(roster.names)}


def test_leaf_pairs_of_mixed_units_are_the_plans_cables():
    """Racks of another form in a unit: a tray's pair begins with the leaf that the plan cables it to."""
    site = load(paths.ROOT / "tests/cases/mixed-unit/site.yaml")
    tier = {"name": "ns-leaf", "switch": "ns-128x400g", "per": "scalable-unit", "count": 8, "down": 20}
    front = Fabric.model_validate({"rails": 2, "routing": "none", "tiers": [tier]})
    fabrics = site.fabrics.model_copy(update={"north_south": front})
    planned = plan(site.model_copy(update={"fabrics": fabrics}))
    roster = roster_of(planned)
    host = planned.links.filter((pl.col("fabric") == "north-south") & (pl.col("tier") == "host_leaf"))
    trays = set(planned.node_frame["name"])
    rail = host.filter(pl.col("a").is_in(list(trays)) & (pl.col("rail") == 0))
    first = rail.group_by("a").agg(pl.col("z").min())
    found = {leaf: set() for leaf in first["z"]}
    for tray, leaf in first.rows():
        found[leaf].add(tray)
    assert len(found) > 1
    for leaf, members in found.items():
        rows = roster.members(f"leaf_pair_{leaf.replace('-', '_')}")
        assert {roster.names[row] for row in rows} == members
