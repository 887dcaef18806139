"""Variables of roles: the form of each role's folder, and what group_vars and host_vars make of them."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from infra import paths
from infra.errors import Problems, UserError
from infra.plan import plan
from infra.render import machine_facts, render_files
from infra.roles import FOLDER, role_specs
from infra.roles.readme import HEADINGS, with_table
from infra.roles.variables import load_variables, role_variables
from infra.rollout.inventory.facts import site_at
from infra.rollout.inventory.targets import targets, targets_of
from infra.rollout.inventory.variables import accept_values
from infra.rollout.push.request import request_of
from infra.rollout.tags import check_tags
from infra.spec import load_text

pytestmark = pytest.mark.unit

TRAYS = ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]
ALL_VARIABLES = [(role, name) for role, one in role_variables().items() for name in one.defaults]
OTHER = {
    bool: lambda old: not old,
    int: lambda old: old + 1,
    float: lambda old: old + 1,
    str: lambda old: f"{old}x",
    list: lambda old: [*old, "x"],
    dict: lambda old: {**old, "x": 1},
}


def variables_of(site, name):
    return site.role_variables(machine_facts(site.machine(name), site.peers, site.common))


@pytest.mark.parametrize("role", list(role_specs()))
def test_a_roles_folder_has_the_form(role):
    folder = FOLDER / role
    for name in ("role.yaml", "defaults/main.yml", "meta/argument_specs.yml", "tasks/main.yml", "README.md"):
        assert (folder / name).is_file(), name
    text = (folder / "README.md").read_text()
    assert text.startswith(f"# {role}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)
    parts = text.split("\n## ")
    assert all(part.partition("\n")[2].strip() for part in parts), "a section is empty"
    assert with_table(text, load_variables(folder)) == text, "run `gigasite schema --write`"
    for component in role_specs()[role].components:
        assert f"`{component}`" in parts[0], f"README does not name the tag {component}"


def test_every_component_is_a_tag_of_its_own():
    site = paths.inventory("lab")
    names = [name for spec in role_specs().values() for name in spec.components]
    check_tags([*names, *role_specs()], [paths.ROOT / "playbooks" / "site.yml"], site)
    with pytest.raises(UserError, match="no task has the tag 'sysctls'"):
        check_tags(["sysctls"], [paths.ROOT / "playbooks" / "site.yml"], site)


@pytest.fixture(scope="module")
def found():
    """The lab, with what it does not declare."""
    text = (paths.inventory("lab") / "site.yaml").read_text()
    return targets_of(
        plan(
            load_text(text.replace("services:\n", "services:\n  rollout: {scheduler: head, workers: head}\n"))
        )
    )


@pytest.mark.parametrize(("role", "name"), ALL_VARIABLES)
def test_every_variable_changes_a_file_of_its_role(role, name, found):
    default = role_variables()[role].defaults[name]
    other = {name: OTHER[type(default)](default)}
    changed = []
    for machine in found.machines:
        facts = replace(found.facts_of(machine), time_peers=("192.0.2.1",))  # as of several heads
        before, after = (render_files(facts, found.facts, values) for values in ({}, other))
        changed += [one.path for one, two in zip(before, after, strict=True) if one != two]
    assert changed, "nothing that the role writes depends on it"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """The lab's declaration in a folder of the test's; writes files with variables beside it."""
    real = paths.inventory
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "site.yaml").write_text((real("lab") / "site.yaml").read_text())
    monkeypatch.setattr(paths, "inventory", lambda site: tmp_path / site)
    site_at.cache_clear()

    def write(**files):
        for name, text in files.items():
            path = folder / f"{name.replace('__', '/')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return site_at(folder / "site.yaml")

    yield write
    site_at.cache_clear()


def test_the_machine_beats_its_groups_and_these_beat_all(lab):
    site = lab(
        group_vars__all="slurm_mpi_default: all\nslurm_tcp_timeout_s: '31'\nword: 9\n",
        group_vars__slurm="slurm_mpi_default: slurm\nslurm_message_timeout_s: 61\n",
        group_vars__role_tray="slurm_mpi_default: tray\n"
        'slurm_slurmd_timeout_s: "{{ machine.links | length + word }}"\n',
        **{f"host_vars__{TRAYS[0]}": "slurm_mpi_default: pmix\n"},
    )
    site.values.check()
    one, two, head = (variables_of(site, name) for name in (*TRAYS, "lab-head"))
    # among groups the last by name counts, as with Ansible
    names = [each["slurm_mpi_default"] for each in (one, two, head)]
    assert names == ["pmix", "slurm", "slurm"]
    assert [each["slurm_message_timeout_s"] for each in (one, head)] == [61, 61]
    assert one["slurm_tcp_timeout_s"] == 31, "text is a number where a number is wanted"
    assert one["slurm_slurmd_timeout_s"] == 9 + len(site.machine_variables(TRAYS[0])["links"])
    assert head["slurm_slurmd_timeout_s"] == 300
    assert "time_client_maxpoll" not in head
    assert "word" not in one


def test_facts_are_asked_for_where_a_value_is_a_template_only(lab):
    """Facts of a site are big, and a rollout asks for the variables of thousands of machines."""
    asked = []
    for text, times in (
        ("", 0),
        ("slurm_mpi_default: pmix\n", 0),
        ("slurm_mpi_default: '{{ machine.x }}'\n", 1),
    ):
        site_at.cache_clear()
        values = lab(group_vars__all=text).values
        values.of("lab-head", ["slurm"], lambda: asked.append(1) or {"machine": {"x": "y"}})
        assert len(asked) == times, text


def test_push_checks_and_comparison_render_the_same_from_group_vars(lab):
    site = lab(group_vars__slurm="slurm_message_timeout_s: 77\n")
    found = targets("lab")
    machine = found.by_name[TRAYS[0]]
    assert found.variables_of(machine) == variables_of(site, machine.name)
    path = "/etc/slurm/slurm.conf"
    checked = {
        one.path: one.text
        for one in render_files(found.facts_of(machine), found.facts, found.variables_of(machine))
    }
    asked = request_of("slurm", ["cluster"], site.known(machine.name))["files"]
    (pushed,) = (one["content"].decode() for one in asked if one["path"] == path)
    assert "\nMessageTimeout=77\n" in pushed
    assert checked[path] == pushed


def test_the_plans_forwarding_beats_a_kernel_parameter(lab):
    site = lab(group_vars__all="base_sysctl: {net.ipv4.ip_forward: 1, vm.swappiness: 1}\n")
    (file,) = request_of("base", ["sysctl"], site.known(TRAYS[0]))["files"]
    lines = file["content"].decode().splitlines()
    assert "vm.swappiness = 1" in lines
    assert "kernel.panic = 10" not in lines
    assert [line for line in lines if "ip_forward" in line][-1] == "net.ipv4.ip_forward = 0"


def test_every_mistake_in_variables_is_told_with_its_line(lab):
    site = lab(
        group_vars__slrum="x: 1\n",
        group_vars__all="unknown: fine\nslurm_mesage_timeout_s: 3\nslurm_tcp_timeout_s: soon\n",
        group_vars__slurm="slurm_return_to_service: 7\nslurm_mpi_default:\n"
        "slurm_constrain_cores: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
        group_vars__base="base_sysctl: [1]\nbase_ssh_x11_forwarding: perhaps\n",
        host_vars__tray="x: 1\n",
        host_vars__secret="$ANSIBLE_VAULT;1.1;AES256\n6162\n",
    )
    with pytest.raises(Problems) as caught:
        site.values.check()
    told = str(caught.value).splitlines()
    for place, part in (
        ("slrum.yml:1", "there is no group 'slrum', did you mean slurm?"),
        ("all.yml:2", "the role slurm has no variable `slurm_mesage_timeout_s`, did you mean"),
        ("all.yml:3", "'soon' is no int, slurm_tcp_timeout_s: Seconds"),
        ("slurm.yml:1", "7 is none of 0, 1, 2"),
        ("slurm.yml:2", "has no value"),
        ("slurm.yml:3", "is encrypted"),
        ("base.yml:1", "[1] is no dict"),
        ("base.yml:2", "'perhaps' is no bool"),
        ("tray.yml:1", "there is no machine 'tray'"),
        ("secret.yml:1", "there is no machine 'secret'"),
    ):
        assert any(place in line and part in line for line in told), (place, told)
    assert len(told) == 10


@pytest.mark.parametrize("text", ["- 1\n", "a: [\n", "slurm_mpi_default: '{{ nobody }}'\n"])
def test_a_file_that_cannot_be_read_is_one_error(lab, text):
    site = lab(group_vars__all=text)

    def ask():
        site.values.check()
        variables_of(site, "lab-head")

    with pytest.raises(UserError, match=r"group_vars/all\.yml|slurm_mpi_default.*nobody"):
        ask()


def test_a_value_of_another_type_is_told_with_its_machine(lab):
    site = lab(group_vars__all="slurm_tcp_timeout_s: '{{ machine.name }}'\n")
    site.values.check()
    with pytest.raises(UserError, match=r"lab-head: slurm_tcp_timeout_s: 'lab-head' is no int"):
        variables_of(site, "lab-head")
    assert accept_values("lab", "slurm", {})["slurm_tcp_timeout_s"] == 30


def test_values_of_a_role_are_seen_by_its_own_templates_only(lab):
    site = lab(group_vars__all="slurm_mpi_default: x\n")
    from infra.render.deployment import facts_of_role  # noqa: PLC0415

    known = facts_of_role("base", site.known("lab-head"))
    assert set(known) == {"machine", "site", *role_variables()["base"].defaults}


def test_every_mistake_of_defaults_and_specifications_is_told_with_its_line(tmp_path):
    folder = tmp_path / "extra"
    defaults = "extra_a: 1\nother: 2\nextra_b: yes\nextra_c:\nextra_d: [x]\nextra_e: 1\nextra_f: 1\n"
    specs = (
        "argument_specs:\n  main:\n    options:\n"
        "      extra_a: {type: str, default: 1, description: x}\n"
        "      extra_b: {type: str, default: yes, description: x}\n"
        "      extra_c: {type: str, description: x}\n"
        "      extra_d: {type: list, default: [y], description: x}\n"
        "      extra_e: {type: number}\n"
        "      extra_f: {type: int, default: 1}\n"
        "      extra_g: {type: int, default: 1, description: x}\n"
    )
    for name, text in (("defaults/main.yml", defaults), ("meta/argument_specs.yml", specs)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    with pytest.raises(Problems) as caught:
        load_variables(folder)
    told = str(caught.value).splitlines()
    for place, part in (
        ("specs.yml:4", "the default 1 is of another type"),
        ("main.yml:2", "`other` does not begin with `extra_`"),
        ("main.yml:3", "Ansible reads `yes` as true or false"),
        ("main.yml:4", "`extra_c` has no value"),
        ("specs.yml:7", "the default is ['x'] in defaults/main.yml"),
        ("specs.yml:8", "`extra_e` has no type"),
        ("specs.yml:9", "`extra_f` has no description"),
        ("specs.yml:10", "defaults/main.yml has no `extra_g`"),
    ):
        assert any(place in line and part in line for line in told), (place, told)


def test_variables_are_the_same_for_facts_made_in_either_way():
    found = targets("lab")
    site = site_at(paths.inventory("lab") / "site.yaml")
    for machine in found.machines:
        facts = asdict(found.facts_of(machine))
        assert facts["applied"] == site.machine_variables(machine.name)["applied"]
        assert found.variables_of(machine) == variables_of(site, machine.name)
