"""Success without work: what Ansible would call done although nothing was touched is an error, everywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra import paths
from infra.errors import UserError
from infra.paths import ROOT
from infra.rollout import outputs, tags
from infra.rollout.configure import configure
from infra.rollout.inventory.targets import targets

pytestmark = pytest.mark.unit

GARBAGE = ["", "{", "[]", "7", '{"checkpoint": []}', '{"checkpoint": {"latest": {"resources": {}}}}',
           '{"checkpoint": {"latest": {"resources": [1]}}}',
           '{"checkpoint": {"latest": {"resources": [{"outputs": "x"}]}}}']  # fmt: skip


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """State and stacks in folders of the test's own."""
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setattr(paths, "state", lambda _="": folder)
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    monkeypatch.setattr(outputs, "_folder", lambda: stacks)
    return stacks


@pytest.mark.parametrize("text", GARBAGE)
def test_a_state_that_cannot_be_read_stops_before_anything_runs(state, text):
    (state / "lab.json").write_text(text)
    with pytest.raises(UserError, match="the state of stack lab cannot be read"):
        configure("lab", playbook="site.yml")


def test_the_state_before_the_last_change_is_named(state):
    (state / "lab.json").write_text("{")
    (state / "lab.json.bak").write_text("{}")
    with pytest.raises(UserError, match=r"lab\.json\.bak"):
        configure("lab", playbook="site.yml")


@pytest.mark.parametrize("words", [{"tags": ["tiem"]}, {"tags": ["base,tiem"]}, {"tags": ["base", "tiem"]}])
def test_a_tag_that_nothing_has_is_named_with_those_that_are(words):
    with pytest.raises(UserError, match=r"'tiem'.*known are .*base.*time"):
        configure("lab", playbook="site.yml", **words)


def test_a_role_that_no_playbook_names_has_its_name_as_tag(monkeypatch):
    monkeypatch.setattr(tags, "other_roles", lambda _: ("motd",))
    tags.check_tags(["motd"], [], paths.inventory("lab"))
    with pytest.raises(UserError) as error:
        tags.check_tags(["mtod"], [], paths.inventory("lab"))
    assert "motd" in error.value.hint
    assert "{{" not in error.value.hint


@pytest.mark.parametrize(
    ("limit", "said"),
    [("role_trey", "nothing is named 'role_trey'"), ("role_tray:&role_switch", "picks no machine")],
)
def test_a_pattern_that_picks_nothing_is_refused(limit, said):
    with pytest.raises(UserError, match=said):
        configure("lab", limit=limit, playbook="site.yml")


def test_parts_that_are_for_none_of_the_machines_are_no_success():
    head = targets("lab").only("role_management")[0].name
    with pytest.raises(UserError, match=f"nothing was done.*{head} and --tags fabric"):
        configure("lab", limit=head, tags=["fabric"])


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--tags", "tiem"], "no task has the tag 'tiem'"), (["-i", "inventories/none"], "inventories/none")],
)
def test_plain_ansible_fails_too(words, said):
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("-i", "inventories/lab", "playbooks/site.yml", "--list-hosts", *words),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    assert said in " ".join(done.stderr.split())
