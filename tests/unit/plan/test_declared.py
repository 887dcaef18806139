"""No change of a declaration goes unsaid: users, partitions, exports, stand-ins, what it does to files."""

from __future__ import annotations

import pytest

from infra import paths
from infra.plan import plan
from infra.plan.views.diff import diff
from infra.rollout.foresee import between
from infra.spec import load_text

pytestmark = pytest.mark.unit

LAB = (paths.ROOT / "inventories" / "lab" / "site.yaml").read_text()


def planned(text: str):
    return plan(load_text(text, "lab"))


def edited(old: str, new: str) -> str:
    assert old in LAB, old
    return LAB.replace(old, new, 1)


USER = edited(
    "  - {name: grace, uid: 10002",
    "  - {name: lin, uid: 10003, groups: [research]}\n  - {name: grace, uid: 10002",
)
CHANGES = {
    "user": (USER, "users.lin.uid"),
    "partition": (
        edited("      - {name: gpu}\n", "      - {name: gpu}\n      - {name: night}\n"),
        "partitions.night",
    ),
    "export": (edited("          size: 1 GiB\n", "          size: 512 MiB\n"), "exports"),
    "mount": (edited("mount: /shared\n", "mount: /work\n"), "mount"),
    "memory": (edited("memory: 640 MiB", "memory: 768 MiB"), "stand_ins.default.memory"),
    "disk": (edited("disk: 4 GiB", "disk: 6 GiB"), "stand_ins.default.disk"),
    "zone": (edited("ports: [tcp/2049, tcp/22, tcp/9100]", "ports: [tcp/2049, tcp/9100]"), "security.allow"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named_by_its_key(name):
    after, key = CHANGES[name]
    found = [change for change in diff(planned(LAB), planned(after)) if change.layer == "declaration"]
    assert any(key in change.item for change in found), found


def test_what_destroys_data_is_said():
    changes = diff(planned(LAB), planned(CHANGES["disk"][0]))
    (line,) = [change for change in changes if change.layer == "stand-ins"]
    assert (line.item, line.before, line.after, line.count) == (
        "made anew (disk changes)", "data on its disk", "lost", 5,
    )  # fmt: skip
    (line,) = [c for c in diff(planned(LAB), planned(CHANGES["memory"][0])) if c.layer == "stand-ins"]
    assert (line.after, line.count) == ("power cut, disk kept", 5)


@pytest.mark.parametrize(
    ("name", "path", "machines"),
    [("user", "lin", 5), ("partition", "/etc/slurm/slurm.conf", 3), ("zone", "/etc/nftables.conf", 1)],
)
def test_changes_of_files_are_grouped_and_counted(name, path, machines):
    found = between(planned(LAB), planned(CHANGES[name][0]))
    groups = [
        group
        for group in found
        if any(path in change.path or path in change.text for change in group.changes)
    ]
    assert sum(len(group.hosts) for group in groups) >= machines, found


def test_the_same_declaration_plans_the_same():
    assert diff(planned(LAB), planned(LAB)) == ()
    assert between(planned(LAB), planned(LAB)) == ()
