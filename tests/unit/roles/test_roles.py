"""Role folders: one data file each, and everything else follows from it."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from infra.errors import Problems
from infra.lab.packages import packages
from infra.paths import ROOT
from infra.plan.tables.machines import Role
from infra.report import fidelity
from infra.roles import FOLDER, Subject, declared_parts, load_role, role_specs, select_roles
from infra.roles.plays import other_roles
from infra.rollout.inventory.targets import targets
from infra.rollout.tags import check_skipped
from infra.spec import load_site

pytestmark = pytest.mark.unit

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def plays():
    return [play for path in PLAYBOOKS for play in YAML(typ="safe").load(path) if "hosts" in play]


def test_each_role_has_a_data_file_and_a_readme():
    folders = sorted(path for path in FOLDER.iterdir() if path.is_dir())
    assert [folder.name for folder in folders] == list(role_specs())
    assert not [folder.name for folder in folders if not (folder / "README.md").is_file()]


def test_each_role_is_applied_once_to_the_group_of_its_name():
    said = [(play["hosts"], [role["role"] for role in play["roles"]]) for play in plays() if "roles" in play]
    named = sorted(set(role_specs()) - set(other_roles("lab")))
    assert sorted(said) == [(name, [name]) for name in named]
    (others,) = [play for play in plays() if "roles" not in play]
    assert others["hosts"] == "other_roles"


def test_site_yml_is_the_table_of_all_playbooks():
    imported = [
        play["ansible.builtin.import_playbook"]
        for play in YAML(typ="safe").load(ROOT / "playbooks" / "site.yml")
    ]
    assert sorted([*imported, "site.yml"]) == [path.name for path in PLAYBOOKS]


@pytest.mark.parametrize("name", list(role_specs()))
def test_its_tasks_deploy_each_component_once_under_tags_of_their_names(name):
    tasks = YAML(typ="safe").load(FOLDER / name / "tasks" / "main.yml")
    deploys = [task for task in tasks if "deploy" in task]
    names = [component for task in deploys for component in task["deploy"]["components"]]
    assert names == list(role_specs()[name].components)
    assert all(task["tags"] == task["deploy"]["components"] for task in deploys)


def test_component_names_are_tags_of_one_role_only():
    names = [word for spec in role_specs().values() for word in spec.components]
    assert sorted(names) == sorted({*names})


def test_the_image_has_the_packages_of_all_roles():
    # and what stands in for GRUB
    assert set(packages()) == {name for spec in role_specs().values() for name in spec.packages} | {
        "kexec-tools"
    }
    assert {"chrony", "nfs-kernel-server", "slurm-wlm-nvml-plugin", "frr"} <= set(packages())


def test_the_fidelity_table_has_the_rows_of_all_roles():
    parts = {row.part for row in fidelity.load().stand_ins}
    assert {row.part for spec in role_specs().values() for row in spec.fidelity} <= parts
    assert "Storage server" in parts
    assert set(role_specs()["storage_server"].hardware_only) <= set(fidelity.load().hardware_only)


def test_groups_and_facts_pick_the_same_machines():
    found = targets("lab")
    for name in role_specs():
        members = {found.roster.names[row] for row in found.roster.members(name)}
        assert members == {one.name for one in found.machines if name in found.facts_of(one).applied}


def test_a_site_without_a_scheduler_has_no_machine_for_slurm():
    site = load_site("lab")
    tray = Subject(Role.TRAY, "lab-tray", None)
    bare = site.model_copy(update={"schedulers": type(site.schedulers)()})
    assert "slurm" in select_roles("lab", tray, declared_parts(site))
    assert "slurm" not in select_roles("lab", tray, declared_parts(bare))


def test_a_role_for_no_machine_has_an_empty_group(own_roles):
    write(own_roles, "summary: x\nmachines: {declared: services.registry}\n")
    roster = targets("lab").roster
    assert list(roster.members("extra")) == []
    assert list(roster.members("base")) == list(range(len(roster.names)))


def write(folder, text, name="extra"):
    place = folder / name
    place.mkdir()
    (place / "role.yaml").write_text(text)
    return place


@pytest.mark.parametrize(
    ("machines", "has", "lacks"),
    [
        ("{roles: [tray]}", [("tray", "lab-tray", None)], [("management", "lab-vm", "head")]),
        (
            "{platform: node.accelerator.interface=nvml}",
            [("tray", "lab-tray", None), ("tray", "gb300-nvl72", None)],
            [("tray", "mi355x", None), ("management", "server-1u", None)],
        ),
        ("{platform: node.accelerator}", [("tray", "mi355x", None)], [("storage", "storage-2u24", None)]),
        ("{platform: system=frr}", [("switch", "frr-vm", None)], [("switch", "q3400", None)]),
        ("{declared: services.registry}", [], [("management", "lab-vm", "head")]),
        ("{declared: services.dns}", [("tray", "lab-tray", None)], []),
        (
            "{named_by: services.dns}",
            [("management", "lab-vm", "head")],
            [("management", "lab-vm", "other"), ("tray", "lab-tray", None)],
        ),
        ("{declared: storage.tiers.kind=nfs}", [("tray", "lab-tray", None)], []),
        ("{declared: storage.tiers.kind=object}", [], [("tray", "lab-tray", None)]),
    ],
)
def test_machines_are_picked_by_role_platform_and_declaration(own_roles, machines, has, lacks):
    write(own_roles, f"summary: x\nmachines: {machines}\ncomponents:\n  one:\n    machines: {machines}\n")
    declared = declared_parts(load_site("lab"))
    for (role, platform, group), wanted in [*((one, True) for one in has), *((one, False) for one in lacks)]:
        found = select_roles("lab", Subject(Role(role), platform, group), declared)
        assert ("extra" in found) is wanted, (role, platform)
        assert found.get("extra", ()) == (("one",) if wanted else ())


@pytest.fixture
def own_roles(tmp_path, monkeypatch):
    """A site's own roles in a folder of the test's."""
    from infra.roles import folders  # noqa: PLC0415

    place = tmp_path / "lab" / "roles"
    place.mkdir(parents=True)
    monkeypatch.setattr(folders.paths, "inventory", lambda site: tmp_path / site)
    load = folders.paths.ROOT / "inventories"
    (tmp_path / "lab" / "site.yaml").write_text((load / "lab" / "site.yaml").read_text())
    for cached in (role_specs, select_roles):
        cached.cache_clear()
    yield place
    monkeypatch.undo()
    for cached in (role_specs, select_roles):
        cached.cache_clear()


def test_every_mistake_of_a_data_file_is_told_with_its_line(tmp_path):
    text = """summary: x
machines: {roles: [trai], platform: node.acelerator, declared: schedulers.slrm}
packages: [Chrony]
components:
  Login: {}
  files:
    files:
      - src: etc/hosts.j2
        modus: "0644"
      - path: /etc/x
      - {src: etc/hosts.j2, mode: "644"}
      - {src: etc/hosts.j2, each: links}
    drop_ins: [etc/x.conf.j2]
    units: [chrony]
"""
    with pytest.raises(Problems) as caught:
        load_role(write(tmp_path, text))
    told = str(caught.value)
    for line, part in (
        (2, "trai"), (3, "Chrony"), (5, "Login"), (9, "did you mean `mode`"), (10, "needs one of `src`"),
        (11, "644"), (12, "links"), (13, "etc/x.conf.j2"), (14, "no unit type"),
    ):  # fmt: skip
        assert any(f"role.yaml:{line}:" in each and part in each for each in told.splitlines()), (line, told)


def test_what_types_cannot_see_is_told_with_its_line(tmp_path):
    text = """summary: x
machines:
  platform: node.acelerator
  declared: schedulers.slrm
components:
  one:
    machines: {named_by: services.monitorin}
    files:
      - src: etc/no-such.conf.j2
"""
    with pytest.raises(Problems) as caught:
        load_role(write(tmp_path, text, "Extra-role"))
    told = str(caught.value).splitlines()
    for line, part in (
        (1, "no group of an inventory"), (3, "did you mean `accelerator`"), (4, "did you mean `slurm`"),
        (7, "did you mean `monitoring`"), (9, "no template etc/no-such.conf.j2"),
    ):  # fmt: skip
        assert any(f"role.yaml:{line}:" in each and part in each for each in told), (line, told)


def test_a_drop_in_restarts_its_unit(own_roles):
    spec = load_role(write(own_roles, "summary: x\ncomponents:\n  one:\n    drop_ins: []\n"))
    assert spec.components["one"].rules == ()
    from infra.roles import Component  # noqa: PLC0415

    (rule,) = Component(drop_ins=["etc/systemd/system/ssh.service.d/10-x.conf.j2"]).rules
    assert rule.apply == "systemctl daemon-reload && systemctl try-restart ssh.service"


def test_a_component_is_not_skipped_by_a_tag_that_would_skip_its_role():
    from infra.errors import UserError  # noqa: PLC0415

    with pytest.raises(UserError, match=r"whole role base.*--tags login,sysctl,interfaces,lldp,zones"):
        check_skipped(["accounts"], "lab")
    check_skipped(["base,frr"], "lab")
