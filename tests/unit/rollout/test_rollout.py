"""Waves, budgets, the ledger and a whole rollout, over simulated machines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import paths
from infra.cli import apply
from infra.cli import rollout as verbs
from infra.errors import Problems, UserError
from infra.rollout import applied, approvals, blueprint, cordon, rollouts, standing
from infra.rollout.controller import Stopped
from infra.rollout.failures import group
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.policy import Policy, amount_of, load_policy
from infra.rollout.schedule import Budgets, waves_of

pytestmark = pytest.mark.unit

QUIET = lambda _: None  # noqa: E731


@pytest.fixture(scope="module")
def roster():
    return roster_at(paths.inventory("reference") / "site.yaml", "pod-01")


policies = st.builds(
    lambda canaries, shape, size, factor, budget: Policy(
        canaries=canaries,
        waves={"shape": shape, "size": size, "factor": factor},
        budget=[{"domain": domain, "most": most} for domain, most in budget],
    ),
    st.integers(0, 12),
    st.sampled_from(["fixed", "linear", "exponential"]),
    st.integers(1, 50),
    st.integers(1, 4),
    st.lists(
        st.tuples(st.sampled_from(["rack", "leaf_pair", "su", "pod"]), st.sampled_from(["10%", "50%", 1, 7])),
        max_size=3,
    ),
)


@given(policies, st.integers(0, 3000), st.integers(1, 300), st.sets(st.integers(0, 4000), max_size=5))
@settings(max_examples=150, deadline=None)
def test_waves_and_batches_hold_what_they_promise(roster, policy, first, count, out):
    rows = [row for row in range(first, first + count) if row < len(roster.names)]
    waves = waves_of(roster, rows, policy)
    assert sorted(row for wave in waves for row in wave.rows) == rows
    canaries = [row for wave in waves if wave.canary for row in wave.rows]
    assert len(canaries) <= policy.canaries
    shared = set.intersection(*(set(roster.domains_of(row)) for row in rows)) if rows else set()
    touched = [name for row in canaries for name in roster.domains_of(row) if name not in shared]
    assert len(touched) == len(set(touched)), "two canaries in one failure domain"
    outside = [row for row in out if row < len(roster.names) and row not in set(rows)]
    budgets = Budgets(roster, policy, outside)
    for wave in waves:
        batches = list(budgets.batches(wave.rows))
        assert sorted(row for batch in batches for row in batch) == sorted(wave.rows)
        for batch in (batch for batch in batches if len(batch) > 1):
            used = {}
            for row in (*batch, *outside):
                for key in budgets.limits_of(row):
                    used[key] = used.get(key, 0) + 1
            limits = {key: most for row in batch for key, most in budgets.limits_of(row).items()}
            assert all(used[key] <= most for key, most in limits.items())


def test_never_two_of_a_redundant_pair(roster):
    spines = [row for row in roster.members("role_switch") if "-su-" not in roster.names[row]]
    batches = list(Budgets(roster, Policy()).batches(spines[:6]))
    assert [len(batch) for batch in batches] == [1] * 6


@pytest.mark.parametrize(
    ("amount", "total", "number"), [("10%", 50, 5), ("1%", 10, 1), (3, 100, 3), ("100%", 7, 7)]
)
def test_an_amount_is_rounded_down_but_never_to_none(amount, total, number):
    assert amount_of(amount, total) == number


def test_every_mistake_of_a_policy_is_told_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "inventory", lambda _: tmp_path)
    (tmp_path / "rollout.yaml").write_text(
        "canaries: -1\nwaves: {shape: cubic}\nbudget:\n  - {domain: rock, most: 120%}\nfailure: 2%\n"
        "gates:\n  - {kind: command}\n  - {kind: window, start: '25:00'}\n"
    )
    with pytest.raises(Problems) as caught:
        load_policy("any")
    text = str(caught.value)
    for place in (
        "$.canaries",
        "$.waves.shape",
        "$.budget[0]",
        "$.failure",
        "$.gates[0]",
        "$.gates[1].start",
    ):
        assert place in text, text
    assert "rollout.yaml:2" in text


def test_a_site_changes_whole_parts_of_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "inventory", lambda _: tmp_path)
    (tmp_path / "rollout.yaml").write_text("failures: 5\n")
    assert load_policy("any") == Policy.model_validate(
        {**load_policy("lab").model_dump(mode="json"), "failures": 5}
    )


def test_what_is_laid_out_is_read_as_it_was_written(home, lay_out):
    plan = rollouts.lay_out("reference", "pod_pod_01:&role_tray", "site.yml")
    path = home / "plan.yaml"
    blueprint.save(plan, path)
    assert blueprint.read(path) == plan
    assert [wave.number for wave in plan.waves] == list(range(1, len(plan.waves) + 1))
    # 2,304 of the site's 124,416 trays, of 908 MW of compute at the meter
    assert sum(wave.megawatts for wave in plan.waves) == pytest.approx(908 / 54, rel=0.01)
    path.write_text(path.read_text().replace(plan.waves[1].hosts[0], plan.waves[0].hosts[0]))
    with pytest.raises(UserError, match="is in two waves"):
        blueprint.read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("  hosts:\n", "  # looked at\n  hosts:\n"), None),
        (("- number: 1\n  canary: true\n", "- canary: true\n  number: 1\n"), None),
        (("- number: 1\n", "- number: 01\n"), None),
        (("- number: 1\n  canary: true\n", "- canary: yes please\n  number: 1\n"), "waves.0.canary: "),
        (("- number: 1\n", "- number: 1\n  number: 7\n"), "it is no YAML: line"),
        (("  batches: 1\n", "  batches: 1\n  bathces: 2\n"), "waves.0.bathces: "),
    ],
)
def test_a_file_that_a_person_changed_is_read_or_refused_in_words(home, lay_out, change, said):
    path, plan = home / "plan.yaml", lay_out(canaries=2)
    blueprint.save(plan, path)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    if said is None:
        assert blueprint.read(path) == plan
    else:
        with pytest.raises(UserError, match=said):
            blueprint.read(path)


def test_names_that_yaml_would_take_for_something_else_are_read_as_they_were(home, lay_out):
    plan = lay_out()
    first = plan.waves[0].model_copy(
        update={"hosts": ("no", "1e3", "tray-01", "0x10", "2026-11-26", "a-b.c")}
    )
    plan = plan.model_copy(update={"waves": (first, plan.waves[1].model_copy(update={"hosts": ()}))})
    blueprint.save(plan, home / "plan.yaml")
    assert blueprint.read(home / "plan.yaml") == plan
    assert "- tray-01\n" in (home / "plan.yaml").read_text()


def test_a_canary_that_fails_stops_it_with_the_rest_untouched(fleet, lay_out):
    plan = lay_out(canaries=2)
    machines = fleet.open()
    machines.add(plan.hosts)
    machines.break_(plan.waves[0].hosts[1], "prove")
    with pytest.raises(Stopped, match="no canary may"):
        rollouts.begin(plan, QUIET)
    found = fleet.open().rows()
    assert {name for name, row in found.items() if row["applies"]} == set(plan.waves[0].hosts)
    assert [name for name, row in found.items() if row["out"]] == [plan.waves[0].hosts[1]]
    assert list(cordon.read_cordoned("reference/simulated")) == [plan.waves[0].hosts[1]]
    assert rollouts.state_of("reference", plan.id)[0] == "stopped"
    text = "\n".join(standing.of("reference").lines())
    assert "1 × prove: simulated failure at prove" in text
    fleet.open().break_(plan.waves[0].hosts[1], "")
    rollouts.go_on("reference", QUIET, retry=True)
    found = fleet.open().rows()
    assert {row["out"] for row in found.values()} == {""}
    assert cordon.read_cordoned("reference/simulated") == {}
    assert all(row["applies"] == (2 if name == plan.waves[0].hosts[1] else 1) for name, row in found.items())


def test_failures_within_the_budget_stay_drained_and_more_stop_it(fleet, lay_out):
    plan = lay_out(canaries=0, failures=3)
    machines = fleet.open()
    machines.add(plan.hosts)
    for host in plan.hosts[:2]:
        machines.break_(host, "apply")
    for host in plan.hosts[50:53]:
        machines.break_(host, "drain")
    with pytest.raises(
        Stopped, match=r"5 of 80 machines failed, 3 may \(3\): 3 × simulated failure at drain"
    ):
        rollouts.begin(plan, QUIET)
    found = fleet.open().rows()
    assert {name for name, row in found.items() if row["out"]} == {*plan.hosts[:2], *plan.hosts[50:53]}
    assert not any(found[host]["applies"] for host in plan.hosts[80:])


def test_machines_that_failed_within_the_budget_make_it_no_success(fleet, lay_out, home):
    plan = lay_out(canaries=0, failures=3)
    machines = fleet.open()
    machines.add(plan.hosts)
    machines.break_(plan.hosts[7], "apply")
    blueprint.save(plan, home / "plan.yaml")
    failed = rf"1 of {len(plan.hosts)} machines failed, and are out of service: {plan.hosts[7]}"
    with pytest.raises(UserError, match=failed):
        apply.command(file=home / "plan.yaml")
    assert rollouts.state_of("reference", plan.id)[0] == "done"
    with pytest.raises(UserError, match=failed):
        verbs.resume("reference")
    machines.break_(plan.hosts[7], "")
    verbs.retry("reference", failed=True)


def test_a_damaged_ledger_is_kept_and_made_anew_from_what_the_machines_know(fleet, lay_out):
    plan = lay_out(canaries=0, failures=1)
    machines = fleet.open()
    machines.add(plan.hosts)
    for host in plan.hosts[60:62]:
        machines.break_(host, "apply")
    with pytest.raises(Stopped):
        rollouts.begin(plan, QUIET)
    path = approvals.folder("reference", plan.id) / rollouts.LEDGER
    path.write_bytes(b"no database" * 1000)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    with pytest.raises(UserError, match="is damaged"):
        standing.of("reference")
    for host in plan.hosts[60:62]:
        fleet.open().break_(host, "")
    told = []
    rollouts.go_on("reference", told.append)
    assert told[0].kind == "rebuilt"
    assert list(path.parent.glob("ledger.sqlite.damaged-*"))
    assert {row["applies"] for row in fleet.open().rows().values()} == {1}
    assert rollouts.state_of("reference", plan.id)[0] == "done"


def test_a_change_of_what_is_applied_is_refused(fleet, lay_out, monkeypatch):
    plan = lay_out()
    monkeypatch.setattr(applied, "content_of", lambda *_: "another")
    with pytest.raises(UserError, match="have changed since rollout"):
        rollouts.begin(plan, QUIET)


def test_equal_failures_are_one_line():
    reasons = {
        f"tray-{n:02d}": f"apt lock held by unattended-upgrades (process {n})\nmore" for n in range(14)
    }
    reasons |= {"tray-90": "unreachable", "tray-91": "unreachable"}
    assert group(reasons, lambda host: "rack-01" if host < "tray-07" else "rack-02") == [
        "14 × apt lock held by unattended-upgrades (process 0) (7 in rack-01 and 1 more racks)",
        "2 × unreachable (tray-90, tray-91)",
    ]


def test_the_failure_of_a_machine_that_gives_no_answer_is_its_own(fleet, lay_out, monkeypatch):
    plan = lay_out("rack_pod_01_su_01_rack_01:&role_tray", canaries=0, failures=1)
    fleet.open().add(plan.hosts)
    real = type(fleet.open()).apply

    def silent(self, content):
        yield from (one for one in real(self, content) if one[0] != plan.hosts[3])

    monkeypatch.setattr("infra.rollout.simulated.SimulatedFleet.apply", silent)
    rollouts.begin(plan, QUIET)
    assert cordon.read_cordoned("reference/simulated") == {plan.hosts[3]: "apply: it gave no answer"}


def test_who_was_given_the_same_is_left_out_and_who_is_out_of_service_is_not(fleet):
    pattern = "rack_pod_01_su_01_rack_01:&role_tray"
    plan = rollouts.lay_out("reference", pattern, "site.yml", simulated=True)
    assert len(plan.hosts) == 18
    rollouts.begin(plan, QUIET)
    assert rollouts.lay_out("reference", pattern, "site.yml", simulated=True).hosts == ()
    # another playbook is another thing, and real machines are not the simulated ones
    assert len(rollouts.lay_out("reference", pattern, "base.yml", simulated=True).hosts) == 18
    assert len(rollouts.lay_out("reference", pattern, "site.yml").hosts) == 18
    cordon.update("reference/simulated", {plan.hosts[0]: "prove: it broke"})
    assert rollouts.lay_out("reference", pattern, "site.yml", simulated=True).hosts == (plan.hosts[0],)
